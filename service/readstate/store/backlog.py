"""What waits in the store to be done: updates of members, events of webhooks. Changes nothing."""

import asyncio

from msgspec import Struct

from readstate.store.executor import Executor
from readstate.store.keys import EVENT_SHARDS, PENDING_SHARDS, Keys, OfRoom, OfShard

ROOMS_AT_MOST = 1000  # of each list of rooms, that are asked for their pending members


class Backlog(Struct, frozen=True):
    """How much waits at the moment: little, and not for long, while all is well."""

    pending_updates: int  # members, of all rooms, whose copies are not yet told (split plan)
    waiting_events: int
    dead_letters: int


async def backlog(executor: Executor) -> Backlog:
    """Raises what Executor.command does."""
    updates = await asyncio.gather(*(_pending_updates(executor, shard) for shard in range(PENDING_SHARDS)))
    return Backlog(
        sum(updates), await _events(executor, OfShard.WAITING), await _events(executor, OfShard.DEAD_LETTERS)
    )


async def _events(executor: Executor, part: OfShard) -> int:
    return sum(await asyncio.gather(*(_count(executor, Keys.events(shard) + part) for shard in range(EVENT_SHARDS))))


async def _pending_updates(executor: Executor, shard: int) -> int:
    """Of the rooms of one list: a room is on it for some minutes, also when nothing is pending."""
    rooms = Keys.pending_rooms(shard)
    entries = await executor.command("ZRANGE", rooms, 0, ROOMS_AT_MOST - 1, key=rooms)
    parts = (entry.decode().partition(":") for entry in entries)
    return sum(
        await asyncio.gather(*(_count(executor, Keys.room(app, room) + OfRoom.PENDING) for app, _, room in parts))
    )


async def _count(executor: Executor, key: str) -> int:
    return int(await executor.command("HLEN", key, key=key))

"""Calls of a day fed to the store, and what each took there."""

from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.bench.bench import run
from loadtest.bench.calls import message_id
from loadtest.bench.day import DayCall, Kind, Room
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import ALL_ATTENTIVE, APP, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store.redis_store import RedisStore


@dataclass(frozen=True)
class DayCost:
    """What a day cost the store."""

    seconds: float  # in scripts
    cpu_s: float  # of the server, with its network and its file
    us: dict[Kind, float]  # of a call, on the average


def day_cost(rooms: Sequence[Room], warm_up: Sequence[DayCall], calls: Sequence[DayCall], attention: int) -> DayCost:
    """What `calls` cost on a server of their own, after others that are not measured."""

    async def begin() -> None:
        async with store_at(server.url, attention=attention) as (store, _):
            await make_rooms(store, rooms)
            await feed(store, warm_up)

    async def go_on() -> None:
        async with store_at(server.url, attention=attention) as (store, _):
            await feed(store, calls)

    with valkey(SERVER_CORE) as server:
        run(begin())
        server.wait_until_quiet()
        return _measured(server, go_on(), Counter(call.kind for call in calls))


def _measured(server: Valkey, work: Coroutine[Any, Any, None], calls: Counter[Kind]) -> DayCost:
    """What some work costs the server."""
    server.forget_counts()
    server.note_calls()
    before = server.cpu_s()
    run(work)
    cpu_s = server.cpu_s() - before
    _, us = server.counts("fcall")
    noted = server.noted_calls()
    costs = {kind: float(sum(noted.get(kind.value, ()))) for kind in (Kind.POST, Kind.READ)}
    # The rest are badges, of which the short ones are not noted.
    costs[Kind.ASK] = us - sum(costs.values())
    return DayCost(us / 1e6, cpu_s, {kind: total / max(1, calls[kind]) for kind, total in costs.items()})


async def make_rooms(store: RedisStore, rooms: Iterable[Room]) -> None:
    await all_of(
        store.rooms.create_room(app=APP, room=room.id, tags=room.tags, profile={}, members=room.members)
        for room in rooms
    )


async def feed(store: RedisStore, calls: Iterable[DayCall]) -> None:
    """Make the calls in their order, some at once over the one connection."""
    await all_of(_call(store, call) for call in calls)


def _call(store: RedisStore, call: DayCall) -> Awaitable[object]:
    if call.kind is Kind.POST:
        return post(store, call.room, message_id(call.message), call.user)
    if call.kind is Kind.READ:
        return store.reading.mark_read(app=APP, room=call.room, user=call.user, message=message_id(call.message))
    return store.badges.badge(app=APP, user=call.user)


def attention_name(posts: int) -> str:
    """How a table says for how many posts attention lasts."""
    return "for good" if posts == ALL_ATTENTIVE else f"{posts:,}"

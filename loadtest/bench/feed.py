"""Calls of a day fed to the store, and what each took there."""

from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.bench.bench import run
from loadtest.bench.calls import message_id
from loadtest.bench.day import DayCall, Kind, Room
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, EVERYBODY, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store.redis_store import RedisStore


@dataclass(frozen=True)
class DayCost:
    """What a day cost the store."""

    us: dict[str, list[int]]  # of each call, by the name of the script
    cpu_s: float  # of the server, with its network and its file

    @property
    def seconds(self) -> float:
        return sum(map(sum, self.us.values())) / 1e6

    def mean_us(self, kind: Kind) -> float:
        costs = self.us.get(kind.value, [0])
        return sum(costs) / len(costs)


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
        return measured(server, go_on())


def measured(server: Valkey, work: Coroutine[Any, Any, None]) -> DayCost:
    """What some work costs the server."""
    server.note_each_call()
    before = server.cpu_s()
    run(work)
    return DayCost(server.script_costs(), server.cpu_s() - before)


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
    return "everybody" if posts == EVERYBODY else f"{posts:,}"

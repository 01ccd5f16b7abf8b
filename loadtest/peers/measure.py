"""The calls of a day on all contestants, in turn, and what they took."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from msgspec import Struct

from loadtest.bench.day import DaySize
from loadtest.bench.figures import say
from loadtest.peers.checks import Finding, findings
from loadtest.peers.contestant import Contestant
from loadtest.peers.ours import http, http_on_cluster, scripts
from loadtest.peers.plain_redis import plain_redis
from loadtest.peers.postgres import postgres
from loadtest.peers.work import Act, DayOfWork, Kind, PeerCall, Truth, by_kind, feed, mean_members

Cost = dict[str, float]  # part of the servers -> microseconds of CPU for a call

# In the order of the tables.
CONTESTANTS: Mapping[str, Callable[[], AbstractAsyncContextManager[Contestant]]] = {
    "scripts": scripts,
    "http": http,
    "http_cluster": http_on_cluster,
    "postgres": partial(postgres, "postgres", commit="on"),
    "postgres_off": partial(postgres, "postgres_off", commit="off"),
    "postgres_counters": partial(
        postgres, "postgres_counters", commit="off", schemas=("schema.sql", "schema_counters.sql")
    ),
    "plain": plain_redis,
}


@dataclass(frozen=True)
class Lengths:
    """How much of a day, and in how many turns."""

    size: DaySize
    turns: int


FULL = Lengths(DaySize(users=500, posts=8000, warm=1500), turns=5)
QUICK = Lengths(DaySize(users=300, posts=900, warm=200), turns=2)


class Measured(Struct):
    """What one contestant took. The first are of the mixed day, medians over the turns."""

    cost: Cost
    rate: float  # calls per second that were answered, with the driver's own work
    by_kind: dict[str, Cost]  # of calls of one kind alone
    memory: int  # bytes of memory in the end
    disk: int
    rooms_memory: int  # bytes by which it grew when the rooms were made
    day_memory: int  # and with all posts and reads
    wrong: int  # badges after the day
    asked: int
    checks: dict[str, Finding]


class Run(Struct):
    """One run of all of them."""

    people: str
    rooms: int
    states: int
    posts: int  # in all
    members: dict[str, float]  # of the rooms of each kind of post, on the average
    calls: dict[str, int]  # of the mixed day, by act
    found: dict[str, Measured]
    conditions: list[tuple[str, str]]


class _Turns:
    """What one contestant has taken so far."""

    def __init__(self, peer: Contestant) -> None:
        self.peer = peer
        self.costs: list[Cost] = []
        self.rates: list[float] = []
        self.by_kind: dict[str, Cost] = {}
        self.empty = peer.memory()
        self.with_rooms = 0
        self.wrong = self.asked = 0

    async def mixed(self, calls: Sequence[PeerCall]) -> None:
        cost, seconds = await self._feed(calls)
        self.costs.append(cost)
        self.rates.append(len(calls) / seconds)

    async def one_kind(self, name: str, calls: Sequence[PeerCall]) -> None:
        self.by_kind[name], _ = await self._feed(calls)

    async def _feed(self, calls: Sequence[PeerCall]) -> tuple[Cost, float]:
        before, begun = self.peer.cpu_s(), time.perf_counter()
        await feed(self.peer, calls)
        after, seconds = self.peer.cpu_s(), time.perf_counter() - begun
        return {part: (after[part] - before[part]) / len(calls) * 1e6 for part in after}, seconds

    async def result(self) -> Measured:
        memory, disk = self.peer.memory(), await self.peer.disk()
        return Measured(
            cost={part: median(cost[part] for cost in self.costs) for part in self.costs[0]},
            rate=median(self.rates),
            by_kind=self.by_kind,
            memory=memory,
            disk=disk,
            rooms_memory=self.with_rooms - self.empty,
            day_memory=memory - self.with_rooms,
            wrong=self.wrong,
            asked=self.asked,
            checks=await findings(self.peer),
        )


async def measure(lengths: Lengths, names: Sequence[str]) -> Run:
    """The day on each of the named contestants. Raises BenchError when one is not installed."""
    day = DayOfWork(lengths.size)
    share = len(day.calls) * 3 // 4
    mixed, kinds = day.calls[:share], by_kind(day.calls[share:], day.rooms)
    truth = Truth(day.rooms)
    truth.note(day.warm_up + mixed)
    async with AsyncExitStack() as stack:
        turns = []
        for name in names:
            say(f"{name}: {len(day.rooms):,} rooms, {len(day.warm_up):,} calls to warm up")
            turns.append(_Turns(await stack.enter_async_context(CONTESTANTS[name]())))
            await turns[-1].peer.make_rooms(day.rooms)
            turns[-1].with_rooms = turns[-1].peer.memory()
            await feed(turns[-1].peer, day.warm_up)
        await _in_turn(turns, mixed, lengths.turns)
        for one in turns:
            one.wrong, one.asked = await truth.wrong(one.peer)
        for kind, calls in kinds.items():
            say(f"{len(calls):,} calls: {kind.value}")
            for one in turns:
                await one.one_kind(kind.value, calls)
        say("checks")
        found = {one.peer.name: await one.result() for one in turns}
    return Run(
        people=f"{lengths.size.users:,} users, {lengths.size}",
        rooms=len(day.rooms),
        states=sum(len(room.members) for room in day.rooms),
        posts=sum(call.act is Act.POST for call in day.warm_up + day.calls),
        members={kind.value: mean_members(kinds[kind], day.rooms) for kind in (Kind.SMALL_POST, Kind.LARGE_POST)},
        calls=dict(Counter(call.act.value for call in mixed)),
        found=found,
        conditions=[],
    )


async def _in_turn(turns: Sequence[_Turns], calls: Sequence[PeerCall], count: int) -> None:
    """A B C A B C ..., so that what the machine does meanwhile meets all."""
    each = len(calls) // count
    for number in range(count):
        say(f"the mixed day, turn {number + 1} of {count}: {each:,} calls each")
        for one in turns:
            await one.mixed(calls[number * each : (number + 1) * each if number < count - 1 else len(calls)])

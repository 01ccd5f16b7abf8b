"""Row i: does "mark read" take longer when there is more to remember?"""

import asyncio
from contextlib import ExitStack
from itertools import islice
from statistics import median

from loadtest.bench.calls import message_id
from loadtest.bench.figures import Better, Outcome, say
from loadtest.bench.machine import SERVER_CORE, BenchError
from loadtest.bench.population import APP, Population, Shape, store_at
from loadtest.bench.processes import Valkey, valkey
from loadtest.bench.stage import MOVED_SHARE, Stage, run

REACH = 1.3
FEW_USERS = 200
GROUP = 64  # calls in flight: the server is never idle, so that its caches are those of work and not of waking up
NAMES = ("p50", "p99", "p99.9")


def many_states(stage: Stage) -> Outcome:
    """Two servers, the same calls on each in turn. The times are those that Valkey keeps of each call of a script."""
    lengths = stage.lengths
    with ExitStack() as stack:
        sides = [Side(stack.enter_context(valkey(SERVER_CORE)), Shape("size", users)) for users in (lengths.many_users, FEW_USERS)]
        for side in sides:
            say(f"making {side.population.shape}")
            run(side.make())
        say("mark_read on both in turn")
        for side in sides:
            side.read(lengths.reads_per_slice)
        pairs = [(sides[0].read(lengths.reads_per_slice), sides[1].read(lengths.reads_per_slice)) for _ in range(lengths.pairs)]
    ratio = median(many["p99"] / few["p99"] for many, few in pairs)
    lines = [
        (f"{side.population.shape.states:,}", *(f"{median(pair[at][name] for pair in pairs):.1f}" for name in NAMES))
        for at, side in enumerate(sides)
    ]
    return Outcome(
        f"{ratio:.2f}",
        ratio <= REACH,
        ratio,
        Better.LOWER,
        notes=(
            "Server time of FCALL, from the histogram that Valkey keeps; the append-only file was not being rewritten.",
            f"{lengths.reads_per_slice:,} forward moves a slice over read states chosen at random, {GROUP} in flight.",
        ),
        table=(("read states loaded", "p50 us", "p99 us", "p99.9 us"), *lines),
    )


class Side:
    """One of the two servers and its people."""

    def __init__(self, server: Valkey, shape: Shape) -> None:
        self.server = server
        self.population = Population(shape)
        self._pairs = self.population.pairs()
        self._position = 0

    async def make(self) -> None:
        async with store_at(self.server.url) as (store, _):
            await self.population.make(store)
            await self.population.post_until(store, 1)
        self.server.settle()

    def read(self, calls: int) -> dict[str, float]:
        """Percentiles of the server time of `calls` forward moves, in microseconds."""
        run(self._ready(calls))
        self.server.settle()
        self.server.forget_counts()
        run(self._move(calls))
        if self.server.counts("publish")[0] < MOVED_SHARE * calls:
            raise BenchError("not all calls moved a cursor")
        found = self.server.info("latencystats")["latency_percentiles_usec_fcall"]
        return {name: float(found[name]) for name in NAMES}

    async def _ready(self, calls: int) -> None:
        async with store_at(self.server.url) as (store, _):
            await self.population.post_until(store, (self._position + calls) // len(self._pairs) + 1)

    async def _move(self, calls: int) -> None:
        async with store_at(self.server.url) as (store, _):
            moves = iter([self._next() for _ in range(calls)])
            while group := list(islice(moves, GROUP)):
                await asyncio.gather(*(store.mark_read(app=APP, room=room, user=user, message=message) for user, room, message in group))

    def _next(self) -> tuple[str, str, str]:
        user, room = self._pairs[self._position % len(self._pairs)]
        message = message_id(self._position // len(self._pairs) + 1)
        self._position += 1
        return user, room, message

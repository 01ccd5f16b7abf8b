"""What the rows over HTTP share: a Valkey, users with tokens, the service and its calls.

Each is made when it is first needed.
"""

import secrets
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

import uvloop

from loadtest.bench import locust_run
from loadtest.bench.drive import CONNECTIONS, Sample, drive
from loadtest.bench.figures import Plots, say
from loadtest.bench.lengths import Lengths
from loadtest.bench.locust_run import LocustResult
from loadtest.bench.machine import DRIVER_CORE, SERVER_CORE, BenchError
from loadtest.bench.population import (
    ALL_ATTENTIVE,
    CallFile,
    Population,
    PopulationSize,
    Secrets,
    single_reads,
    store_at,
)
from loadtest.bench.processes import HttpServer, Store, Valkey, http_server, valkey
from loadtest.target import NO_RATE_LIMITS

FASTEST = 40_000  # calls per second that no server here exceeds: so many messages are made ready
FASTEST_BULK = 1000
MOVED_SHARE = 0.99  # of the calls of a sample; fewer would mean that something else was measured

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Audience:
    """People, a token for each of them, and a read by each of them in each of their rooms."""

    people: Population
    tokens: dict[str, str]
    reads_file: CallFile


class Bench:
    """The place of one run. Everything it started is gone after the `with` block."""

    def __init__(
        self, lengths: Lengths, start_store: Callable[[], AbstractContextManager[Store]] | None = None
    ) -> None:
        """`start_store`: if the service is to use another store than the embedded one."""
        self.lengths = lengths
        self._start_store = start_store or partial(valkey, DRIVER_CORE)
        self.plots = Plots()
        self.capacity: float | None = None  # PUT lastRead per second
        self.keys = Secrets(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(32))
        self._stack = ExitStack()
        self._store: Store | None = None
        self._service: HttpServer | None = None
        self._people: Population | None = None
        self._tokens: dict[str, str] = {}
        self._reads_file: CallFile | None = None
        self._audiences: dict[PopulationSize, Audience] = {}

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="readstate-bench-")))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = self._stack.enter_context(self._start_store())
        return self._store

    @property
    def valkey(self) -> Valkey:
        """The store, as the rows know it that look into the embedded one."""
        assert isinstance(self.store, Valkey)
        return self.store

    @property
    def service(self) -> HttpServer:
        """The service with one worker, warm."""
        if self._service is None:
            self._service = self._stack.enter_context(self.serve("readstate"))
            self.warm(self._service)
        return self._service

    @property
    def reads_file(self) -> CallFile:
        """PUT lastRead by every user in every room."""
        if self._reads_file is None:
            self._people, self._tokens = self.populate(PopulationSize("http", self.lengths.users))
            self._reads_file = self.call_file("single", single_reads(self._people, self._tokens))
        return self._reads_file

    @property
    def people(self) -> Population:
        assert self.reads_file  # which makes them
        assert self._people
        return self._people

    @property
    def tokens(self) -> dict[str, str]:
        assert self.reads_file
        return self._tokens

    @property
    def http_audience(self) -> "Audience":
        """The people whom the rows over HTTP measure, for rows in which they have sockets, too."""
        return Audience(self.people, self.tokens, self.reads_file)

    def audience(self, size: PopulationSize) -> "Audience":
        """Others, made when they are first asked for."""
        if size not in self._audiences:
            people, tokens = self.populate(size)
            call_file = self.call_file(f"reads-{size.name}", single_reads(people, tokens))
            self._audiences[size] = Audience(people, tokens, call_file)
        return self._audiences[size]

    def serve(self, application: str, workers: int = 1) -> Any:
        """A further HTTP server on the server's core; a context manager."""
        environ = {
            "READSTATE_REDIS_URL": self.store.url,
            "READSTATE_WORKERS": str(workers),
            # Messages are posted ahead of the calls, faster than any member could pay attention.
            "READSTATE_ATTENTION_POSTS": str(ALL_ATTENTIVE),
            **self.keys.environ(),
            **NO_RATE_LIMITS,
        }
        return http_server(application, environ, SERVER_CORE)

    def populate(self, size: PopulationSize) -> tuple[Population, dict[str, str]]:
        """Make users and rooms, and a token for every user."""
        say(f"making {size}")
        population = Population(size)

        async def make() -> dict[str, str]:
            async with store_at(self.store.url, attention=ALL_ATTENTIVE) as (store, executor):
                await population.make(store)
                return await population.tokens(executor, self.keys)

        return population, uvloop.run(make())

    def call_file(self, name: str, calls: Iterable[tuple[str, str, str, str]]) -> CallFile:
        return CallFile(self._directory / name, calls, self.keys.client_key)

    def make_ready(self, population: Population, call_file: CallFile, calls: float) -> None:
        """Post as many messages as `calls` further forward moves need."""

        async def post() -> None:
            async with store_at(self.store.url, attention=ALL_ATTENTIVE) as (store, _):
                await population.post_until(store, call_file.rounds_for(int(calls)))

        uvloop.run(post())

    def warm(self, server: HttpServer) -> None:
        """Until every token has been verified once and everything is compiled and cached."""
        self.reads(server, self.lengths.warm_s)

    def reads(
        self, server: HttpServer, seconds: int, *, fastest: int = FASTEST, connections: int = CONNECTIONS
    ) -> Sample:
        """A sample of single PUTs. Raises BenchError when they were not all forward moves."""
        self.make_ready(self.people, self.reads_file, fastest * seconds)
        self.store.forget_counts()
        found = drive(server, self.reads_file, seconds, connections=connections)
        self._check_moves(found.calls)
        return found

    def arrivals(self, rate: float, seconds: float) -> LocustResult:
        """`rate` forward moves a second at random moments, after a warm-up.

        Raises BenchError as `reads` does.
        """
        self.make_ready(self.people, self.reads_file, 1.1 * rate * (seconds + self.lengths.warm_s) + 1000)
        # The posts may have started a rewrite of the append-only file, which would slow the
        # arrivals down.
        self.valkey.wait_until_quiet()
        self.valkey.forget_counts()
        begun = self.reads_file.position
        found = locust_run.at_rate(self.service, self.reads_file, rate, self.lengths.warm_s, seconds)
        if found.failed:
            raise BenchError(f"{found.failed} of {found.calls} calls were not answered with 200")
        self.reads_file.position = found.position
        self._check_moves(found.position - begun)
        return found

    def _check_moves(self, calls: int) -> None:
        moved, _ = self.store.counts("spublish")
        if moved < MOVED_SHARE * calls:
            raise BenchError(f"only {moved} of {calls} calls moved a cursor")


def in_turn(count: int, one: Callable[[], Sample], other: Callable[[], Sample]) -> list[tuple[Sample, Sample]]:
    """Measure two things in turn, so that what the machine does meanwhile meets both."""
    return [(one(), other()) for _ in range(count)]


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of first / second."""
    return median(first / second for first, second in pairs)


def rates(name: str, samples: Iterable[Sample]) -> tuple[str, ...]:
    """A line of the table under a ratio.

    It has the name, the rate per second (median, least, most), the CPU of one call and how busy the
    worker was.
    """
    samples = list(samples)
    speeds = sorted(one.rate for one in samples)
    cpu_us, busy = median(one.cpu_us for one in samples), median(one.busy for one in samples)
    return name, f"{median(speeds):,.0f}", f"{speeds[0]:,.0f} to {speeds[-1]:,.0f}", f"{cpu_us:.0f}", f"{busy:.0%}"


RATES = ("", "per second, median", "least to most", "worker's CPU for one, us", "worker busy")


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run something asynchronous to its end."""
    return uvloop.run(work)

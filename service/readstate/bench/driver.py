"""Open arrivals: calls at the moments of a Poisson stream, whatever the answers do.

Each call takes a free connection at its moment. When all are busy, it waits, and the waiting
counts: a call is timed from its moment. So a service that stalls cannot hide it by being asked
less.
"""

import asyncio
import gc
import random
import ssl
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import SplitResult

import httptools

LAST_ANSWERS_S = 5.0  # how long answers may be under way after the last call
HOPELESS_S = 3.0  # a call that has waited for so long ends the step: the service does not keep up
CONNECT_S = 5.0  # how long a step waits for connections, before it begins with those that there are
NO_ANSWER = 0  # the status of a call that was not answered


@dataclass(frozen=True)
class Planned:
    """A call, made when its moment has come. `begun` is called when it is sent."""

    operation: str
    request: bytes
    begun: Callable[[float], object] | None = None  # with the time (perf_counter)
    failed: Callable[[], None] | None = None


@dataclass
class Tally:
    """What became of the calls of one step. Times in seconds."""

    offered: float  # calls a second
    seconds: float  # for which they were counted
    latencies_s: dict[str, list[float]] = field(default_factory=dict)  # by operation, from the moment to the answer
    lags_s: list[float] = field(default_factory=list)  # how late the driver itself was, where a connection was free
    statuses: Counter[int] = field(default_factory=Counter)
    is_hopeless: bool = False  # ended before its time

    @property
    def calls(self) -> int:
        return self.statuses.total()

    @property
    def failed(self) -> int:
        return self.calls - self.statuses[200]

    def all_latencies(self) -> list[float]:
        return [one for those in self.latencies_s.values() for one in those]


class Driver:
    """A pool of connections to one service. Open it inside the running loop."""

    def __init__(self, url: SplitResult, connections: int, seed: int) -> None:
        self._host, self._tls = url.hostname or "", url.scheme == "https"
        self._port = url.port or (443 if self._tls else 80)
        self._size = connections
        self._chance = random.Random(seed)
        self._free: deque[_Connection] = deque()
        self._all: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._step: _Step | None = None

    async def __aenter__(self) -> "Driver":
        await asyncio.gather(*(self._open() for _ in range(self._size)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._opening:
            task.cancel()
        for connection in list(self._all):
            connection.close()

    async def drive(self, plan: Callable[[], Planned], rate: float, warm_s: float, seconds: float) -> Tally:
        """Make `rate` calls a second for `warm_s` and then, counted, for `seconds`."""
        await self._fill()
        # A pause of the driver to look for garbage would count as the service's.
        gc.collect()
        gc.disable()
        try:
            self._step = _Step(self._free, plan, rate, warm_s, seconds, self._chance)
            return await self._step.run()
        finally:
            self._step = None
            gc.enable()

    async def _fill(self) -> None:
        """Open again what the service has closed since the last step, as idle."""
        for _ in range(self._size - len(self._all) - len(self._opening)):
            self._begin_to_open()
        if self._opening:
            await asyncio.wait(self._opening, timeout=CONNECT_S)

    async def _open(self) -> None:
        tls = ssl.create_default_context() if self._tls else None
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), self._host, self._port, ssl=tls)
        self._all.add(connection)
        self.give_back(connection)

    def give_back(self, connection: "_Connection") -> None:
        """A connection is free."""
        self._free.append(connection)
        if self._step:
            self._step.hand_out()

    def lose(self, connection: "_Connection") -> None:
        """A connection is gone: another one takes its place, as soon as there is one."""
        self._all.discard(connection)
        with suppress(ValueError):
            self._free.remove(connection)
        if self._step:
            self._begin_to_open()

    def _begin_to_open(self) -> None:
        task = asyncio.get_running_loop().create_task(self._open_again())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_again(self) -> None:
        while True:
            with suppress(OSError):
                await self._open()
                return
            await asyncio.sleep(0.2)


class _Step:
    """One rate, for its time."""

    def __init__(
        self,
        free: "deque[_Connection]",
        plan: Callable[[], Planned],
        rate: float,
        warm_s: float,
        seconds: float,
        chance: random.Random,
    ) -> None:
        self._free = free
        self._plan = plan
        self._rate, self._chance = rate, chance
        self.tally = Tally(rate, seconds)
        self._due = perf_counter()
        self._counted_from = self._due + warm_s
        self._ends = self._counted_from + seconds
        self._under_way: set[_UnderWay] = set()
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> Tally:
        self._next_due()
        self.hand_out()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ends - perf_counter() + LAST_ANSWERS_S):
                await self._over.wait()
        if self._timer:
            self._timer.cancel()
        if not self._over.is_set():
            self.tally.is_hopeless = True
            for one in list(self._under_way):
                self.end(one, NO_ANSWER, was_free=False)
        return self.tally

    def hand_out(self) -> None:
        """Send what is due, as far as connections are free, and come back for the next."""
        now = perf_counter()
        while self._free and self._due <= now and self._due < self._ends:
            one = _UnderWay(self._plan(), self._due, now, self)
            self._under_way.add(one)
            self._free.popleft().send(one)
            self._next_due()
            now = perf_counter()
        if self._due < self._ends and now - self._due > HOPELESS_S:
            self.tally.is_hopeless = True
            self._due = self._ends
        if self._due >= self._ends:
            if not self._under_way:
                self._over.set()
        elif self._free and self._timer is None:
            self._timer = self._loop.call_later(max(0.0, self._due - now), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.hand_out()

    def _next_due(self) -> None:
        self._due += self._chance.expovariate(self._rate)

    def end(self, one: "_UnderWay", status: int, was_free: bool) -> None:
        """A call was answered; NO_ANSWER: its connection was lost, or the time is over.

        An answer that comes after that changes nothing.
        """
        if one not in self._under_way:
            return
        self._under_way.discard(one)
        if status != 200 and one.planned.failed:
            one.planned.failed()
        if one.due >= self._counted_from:
            self.tally.statuses[status] += 1
            self.tally.latencies_s.setdefault(one.planned.operation, []).append(perf_counter() - one.due)
            if was_free:
                self.tally.lags_s.append(one.sent - one.due)


@dataclass(frozen=True, eq=False)
class _UnderWay:
    """A call that was sent and is not answered yet."""

    planned: Planned
    due: float
    sent: float
    step: _Step


class _Connection(asyncio.Protocol):
    """One kept-alive connection with one call at a time."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._one: _UnderWay | None = None
        self._free_since = perf_counter()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def send(self, one: _UnderWay) -> None:
        self._one = one
        if one.planned.begun:
            one.planned.begun(one.sent)
        self._transport.write(one.planned.request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        status, one = self._parser.get_status_code(), self._one
        if status < 200 or one is None:
            return
        self._one = None
        was_free, self._free_since = self._free_since <= one.due, perf_counter()
        one.step.end(one, status, was_free)
        if self._parser.should_keep_alive():
            self._driver.give_back(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        one, self._one = self._one, None
        if one:
            one.step.end(one, NO_ANSWER, was_free=False)
        self._driver.lose(self)

    def close(self) -> None:
        self._transport.abort()

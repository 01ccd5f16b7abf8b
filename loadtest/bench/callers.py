"""Callers over HTTP beside sockets, in the same event loop, so that one clock times both.

A call is timed from the moment at which it was due. wrk and Locust, which drive the rows without
sockets, cannot say when a notice was caused.
"""

import asyncio
import random
import time
from array import array
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from loadtest.bench.calls import Calls
from loadtest.bench.machine import BenchError
from loadtest.bench.population import CallFile
from loadtest.bench.processes import HttpServer

TICK_S = 0.001  # the event loop keeps time no more exactly
LAST_ANSWERS_S = 30.0
FOREVER = float("inf")

OnCall = Callable[[int, float], None]  # the position of the call, when it was due


class _Caller(asyncio.Protocol):
    """One connection. It makes one call at a time."""

    __slots__ = ("_answer", "_callers", "due", "transport")

    def __init__(self, callers: "Callers") -> None:
        self._callers = callers
        self._answer = b""
        self.due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        answer = self._answer + data if self._answer else data
        if answer.endswith(b"}"):  # all answers are JSON objects
            self._answer = b""
            self._callers.on_answer(self, answer[9:12] == b"200")
        else:
            self._answer = answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._callers.on_lost()


class Callers:
    """What became of the calls of one stretch: `answers_s`, `ended_at`, `failed`, `given_up`.

    Times are those of `time.perf_counter`.
    """

    def __init__(self, call_file: CallFile, on_call: OnCall) -> None:
        self._file = call_file
        self._calls = Calls(call_file.path, call_file.position, call_file.client_key)
        self._on_call = on_call
        self._free: deque[_Caller] = deque()
        self._all: list[_Caller] = []
        self._lost = 0
        self._is_closed_load = False
        self._ends_at = 0.0
        self._waiting: deque[float] = deque()  # when calls were due for which no connection was free
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.answers_s, self.ended_at = array("d"), array("d")
        self.failed = self.given_up = 0

    async def connect(self, server: HttpServer, count: int) -> None:
        """Open so many connections."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, caller = await loop.create_connection(lambda: _Caller(self), server.host, server.port)
            self._all.append(caller)
            self._free.append(caller)

    async def closed(self, seconds: float, connections: int) -> float:
        """So many connections make the next call when the last was answered. Returns the rate."""
        self.forget()
        begun = time.perf_counter()
        self._ends_at, self._is_closed_load = begun + seconds, True
        for caller in [self._free.popleft() for _ in range(connections)]:
            self._send(caller, begun)
        await self._until_answered(seconds)
        self._is_closed_load = False
        return len(self.answers_s) / (self.ended_at[-1] - begun)

    async def open(self, rate: float, seconds: float, patience_s: float = FOREVER) -> None:
        """`rate` calls a second at random moments.

        A call for which no connection is free within `patience_s` is given up.
        """
        chance, begun = random.Random(1), time.perf_counter()
        due, ends_at = begun + chance.expovariate(rate), begun + seconds
        while (now := time.perf_counter()) < ends_at:
            while due <= now:
                self._waiting.append(due)
                due += chance.expovariate(rate)
            while self._waiting and self._waiting[0] < now - patience_s:
                self._waiting.popleft()
                self.given_up += 1
            while self._free and self._waiting:
                self._waiting.popleft()
                self._send(self._free.popleft(), now)
            await asyncio.sleep(TICK_S)
        if patience_s < FOREVER:
            self.given_up += len(self._waiting)
            self._waiting.clear()

    async def finish(self) -> None:
        """Wait until all calls are answered."""
        await self._until_answered(0)
        if self._lost:
            raise BenchError(f"{self._lost} connections of callers were closed")

    def close(self) -> None:
        for caller in self._all:
            if caller.transport is not None:
                caller.transport.abort()

    def on_answer(self, caller: _Caller, is_ok: bool) -> None:
        """A call was answered."""
        now = time.perf_counter()
        self.answers_s.append(now - caller.due)
        self.ended_at.append(now)
        self.failed += not is_ok
        if self._is_closed_load and now < self._ends_at:
            self._send(caller, now)
        elif self._waiting:
            # Timed from when it was due: it had to wait for a connection.
            self._send(caller, self._waiting.popleft())
        else:
            self._free.append(caller)

    def on_lost(self) -> None:
        """A connection was closed, by either side."""
        self._lost += 1

    def _send(self, caller: _Caller, due: float) -> None:
        caller.due = due
        self._on_call(self._calls.position, due)
        assert caller.transport is not None
        caller.transport.write(self._calls.next())
        self._file.position = self._calls.position

    async def _until_answered(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds + LAST_ANSWERS_S
        await asyncio.sleep(seconds)
        while len(self._free) < len(self._all):
            if time.monotonic() > deadline:
                raise BenchError(f"{len(self._all) - len(self._free)} calls were not answered")
            await asyncio.sleep(0.005)


@asynccontextmanager
async def callers(
    server: HttpServer, call_file: CallFile, connections: int, on_call: OnCall = lambda position, due: None
) -> AsyncIterator[Callers]:
    """Connections that make the calls of `call_file` from its position on."""
    ours = Callers(call_file, on_call)
    try:
        await ours.connect(server, connections)
        yield ours
    finally:
        ours.close()

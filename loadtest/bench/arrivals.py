"""What Locust runs for the benchmark: the calls of a file, at fixed moments (open) or without pause
(closed).

Open: arrivals are a Poisson stream. Each takes a free connection at its moment. When all are busy,
arrivals wait. That waiting counts, because a call is timed from its fixed moment.
`loadtest.bench.locust_run` starts it and says in the environment what to do:

  BENCH_CALLS, BENCH_POSITION, BENCH_CLIENT_KEY   the calls, where to begin, the key of the app
  BENCH_RATE       arrivals per second; 0: closed
  BENCH_WARM_S, BENCH_SECONDS                    how long without and how long with being counted
  BENCH_RESULT     where the result goes, as JSON

Each of Locust's users opens a connection and lends it to Connections, which works in callbacks of
gevent's loop. A switch between greenlets and an entry in Locust's statistics for every call would
take longer than the service does. Locust gets the calls at the end.
"""

import gc
import json
import os
import random
import re
import socket
from array import array
from collections import deque
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import gevent
import psutil
from gevent import monkey
from gevent.event import Event
from locust import User, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest.bench.calls import Calls
from readstate.bench.percentiles import percentiles

RATE = float(os.environ["BENCH_RATE"])
WARM_S = float(os.environ["BENCH_WARM_S"])
SECONDS = float(os.environ["BENCH_SECONDS"])
NEVER = float("inf")
LONGEST_WAIT_S = 0.01  # so that Locust's own timers have their turn
_READABLE = 1
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_select = monkey.get_original("select", "select")


class Clock:
    """Gives the moments of the arrivals and collects what became of them."""

    def __init__(self, seed: int) -> None:
        self.latencies_s, self.lags_s = array("d"), array("d")
        self.failed = 0
        self.last_done = 0.0
        self._chance = random.Random(seed)

    def start(self) -> None:
        # A pause of the driver to look for garbage would count as the service's.
        gc.collect()
        gc.disable()
        self._due = perf_counter()
        self.counted_from = self._due + WARM_S
        self.ends_at = self.counted_from + SECONDS
        self._idle_from_s, self._begun = idle_seconds(), perf_counter()

    def next_due(self) -> float:
        """The moment of the next arrival; NEVER when there are no more."""
        if RATE:
            self._due += self._chance.expovariate(RATE)
            due = self._due
        else:
            due = max(self._due, perf_counter())
        return due if due < self.ends_at else NEVER

    def note(self, due: float, sent: float, done: float, status: int, was_free: bool) -> None:
        """`was_free`: a connection waited for the moment, so the driver itself was late."""
        if due < self.counted_from:
            return
        self.latencies_s.append(done - due)
        if was_free:
            self.lags_s.append(sent - due)
        self.failed += status != 200
        self.last_done = done

    def result(self) -> dict[str, Any]:
        return {
            "calls": len(self.latencies_s),
            "seconds": self.last_done - self.counted_from,
            "failed": self.failed,
            "latency_ms": percentiles(self.latencies_s),
            "lag_ms": percentiles(self.lags_s),
            "core_busy": 1 - (idle_seconds() - self._idle_from_s) / (perf_counter() - self._begun),
        }


def idle_seconds() -> float:
    """Seconds for which the driver's core has been idle; a mean where it may use several."""
    each = psutil.cpu_times(percpu=True)
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(each))
    idle = [each[core].idle + getattr(each[core], "iowait", 0.0) for core in ours]
    return float(sum(idle) / len(idle))


class Connections:
    """The connections, and which of them makes the next call.

    It begins when `size` have come and ends when all calls are answered.
    """

    size = 0

    def __init__(self, calls: Calls, clock: Clock) -> None:
        self.calls = calls
        self.clock = clock
        self.over = Event()
        self._free: deque[Connection] = deque()
        self._busy = 0
        self._loop = gevent.get_hub().loop
        self._idle = self._loop.idle()

    def join(self, connection: "Connection") -> None:
        self._free.append(connection)
        if len(self._free) == self.size:
            self.clock.start()
            self._due = self.clock.next_due()
            self._idle.start(self._wait)

    def back(self, connection: "Connection | None", now: float) -> None:
        """A call has ended; None: and its connection with it."""
        self._busy -= 1
        if connection:
            self._free.append(connection)
        self._hand_out(now)

    def _hand_out(self, now: float) -> None:
        """Send what is due, as far as connections are free."""
        while self._free and self._due <= now:
            due, self._due = self._due if RATE else now, self.clock.next_due()
            self._busy += 1
            now = self._free.popleft().send(self.calls.next(), due)
        if not self._busy and (self._due == NEVER or self._due <= now):
            self._idle.stop()
            self.over.set()

    def _wait(self) -> None:
        """Sleep until an answer comes or the next arrival is due.

        The loop itself would sleep for too long, since it counts in whole milliseconds.
        """
        left_s = self._due - perf_counter() if self._free else LONGEST_WAIT_S
        if left_s > 0:
            _select([self._loop.fileno()], (), (), min(left_s, LONGEST_WAIT_S))
        self._hand_out(perf_counter())


class Connection:
    """One kept-alive connection with one call at a time.

    A general HTTP client would cost more than the service it measures.
    """

    def __init__(self, url: str, connections: Connections) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 80), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._connections = connections
        self._answer = b""
        self._under_way = False
        self._free_since = perf_counter()
        self._watcher = gevent.get_hub().loop.io(self._socket.fileno(), _READABLE)
        self._watcher.start(self._read)

    def send(self, request: bytes, due: float) -> float:
        """Send the call that was due at that moment; the moment at which it is sent."""
        self._under_way, self._due, self._sent = True, due, perf_counter()
        try:
            # It goes out whole: nothing else is under way, and the system's buffer is larger.
            self._socket.send(request)
        except OSError:
            self._break()
        return self._sent

    def _read(self) -> None:
        try:
            more = self._socket.recv(65_536)
        except OSError:
            more = b""
        if not more:
            self._break()
            return
        self._answer += more
        end = self._answer.find(b"\r\n\r\n")
        if end >= 0:
            length = _LENGTH.search(self._answer, 0, end)
            if length is None or len(self._answer) >= end + 4 + int(length[1]):
                status, self._answer = int(self._answer[9:12]), b""
                self._end(status)

    def _break(self) -> None:
        """Make no more calls. One that is under way has failed."""
        self._watcher.stop()
        self._socket.close()
        if self._under_way:
            self._end(0)

    def _end(self, status: int) -> None:
        was_free, self._free_since = self._free_since <= self._due, perf_counter()
        self._under_way = False
        self._connections.clock.note(self._due, self._sent, self._free_since, status, was_free)
        self._connections.back(self if status else None, self._free_since)


CLOCK = Clock(int(os.environ["BENCH_POSITION"]))
CONNECTIONS = Connections(
    Calls(Path(os.environ["BENCH_CALLS"]), int(os.environ["BENCH_POSITION"]), os.environ["BENCH_CLIENT_KEY"]), CLOCK
)


class ConnectionUser(User):
    """One connection."""

    @task
    def lend(self) -> None:
        CONNECTIONS.join(Connection(self.host or "", CONNECTIONS))
        CONNECTIONS.over.wait()
        raise StopUser


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def start(environment: Environment, **_: Any) -> None:
    CONNECTIONS.size = environment.parsed_options.num_users  # type: ignore[union-attr]
    gevent.spawn(_end_with_the_connections, environment.runner)


def _end_with_the_connections(runner: Any) -> None:
    CONNECTIONS.over.wait()
    runner.quit()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def report(environment: Environment, **_: Any) -> None:
    """Write the result, and give the calls to Locust's statistics."""
    Path(os.environ["BENCH_RESULT"]).write_text(
        json.dumps(CLOCK.result() | {"position": CONNECTIONS.calls.position}), encoding="utf-8"
    )
    for latency_s in CLOCK.latencies_s:
        environment.stats.log_request("HTTP", "calls", latency_s * 1000, 0)  # type: ignore[arg-type]  # fractions are kept
    for _failed in range(CLOCK.failed):
        environment.stats.log_error("HTTP", "calls", "not answered with 200")

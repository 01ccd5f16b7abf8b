"""What Locust runs for the benchmark: calls of a walk, at moments that were fixed before (open) or as fast as they go (closed).

Open: arrivals are a Poisson stream. Each of the users takes the next arrival, waits for its moment and sends it; when all are busy,
arrivals wait, and that waiting counts, because a call is timed from the moment that was fixed. `loadtest.bench.locust_run` starts it and
says in the environment what to do:

  BENCH_WALK, BENCH_POSITION, BENCH_CLIENT_KEY   the calls, where to begin, the header that names the app
  BENCH_RATE       arrivals per second; 0: closed
  BENCH_WARM_S, BENCH_SECONDS                    how long without and how long with being counted
  BENCH_RESULT     where the result goes, as JSON
"""

import gc
import json
import os
import random
import re
import socket
from array import array
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import gevent  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
from locust import User, constant, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtest.bench.calls import Calls, percentiles

RATE = float(os.environ["BENCH_RATE"])
WARM_S = float(os.environ["BENCH_WARM_S"])
SECONDS = float(os.environ["BENCH_SECONDS"])
BEGIN_IN_S = 0.5  # until all users are there
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Clock:
    """Gives the arrivals and collects what became of them."""

    def __init__(self) -> None:
        self.calls = Calls(Path(os.environ["BENCH_WALK"]), int(os.environ["BENCH_POSITION"]), os.environ["BENCH_CLIENT_KEY"])
        self.latencies_s, self.lags_s = array("d"), array("d")
        self.failed = self.walking = 0
        self.last_done = 0.0
        self._chance = random.Random(self.calls.position)

    def start(self) -> None:
        # A pause of the driver to look for garbage would count as the service's.
        gc.collect()
        gc.disable()
        self._due = perf_counter() + BEGIN_IN_S
        self.counted_from = self._due + WARM_S
        self.ends_at = self.counted_from + SECONDS
        self._idle_from_s, self._begun = idle_seconds(), perf_counter()

    def next_due(self) -> float | None:
        """The moment of the next arrival; None when there are no more."""
        if RATE:
            self._due += self._chance.expovariate(RATE)
            due = self._due
        else:
            due = max(self._due, perf_counter())
        return due if due < self.ends_at else None

    def note(self, due: float, sent: float, done: float, status: int, was_free: bool) -> None:
        """`was_free`: somebody waited for the moment, so that being late is the driver's own doing."""
        if due < self.counted_from:
            return
        self.latencies_s.append(done - due)
        if was_free:
            self.lags_s.append(sent - due)
        self.failed += status != 200
        self.last_done = max(self.last_done, done)

    def result(self) -> dict[str, Any]:
        return {
            "calls": len(self.latencies_s),
            "seconds": self.last_done - self.counted_from,
            "failed": self.failed,
            "position": self.calls.position,
            "latency_ms": percentiles(self.latencies_s),
            "lag_ms": percentiles(self.lags_s),
            "core_busy": 1 - (idle_seconds() - self._idle_from_s) / (perf_counter() - self._begun),
        }


def idle_seconds() -> float:
    """For how long the driver's core has had nothing to do so far; the mean of its cores where it is not held on one."""
    each = psutil.cpu_times(percpu=True)
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(each))
    idle = [each[core].idle + getattr(each[core], "iowait", 0.0) for core in ours]
    return float(sum(idle) / len(idle))


CLOCK = Clock()


class Connection:
    """One kept-alive connection with one call at a time. A general HTTP client would cost more than the service it measures."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 80), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, request: bytes) -> int:
        """Send a call, take its whole answer, return the status."""
        self._socket.sendall(request)
        answer = b""
        while True:
            more = self._socket.recv(65_536)
            if not more:
                raise ConnectionError("the service closed the connection")
            answer += more
            end = answer.find(b"\r\n\r\n")
            if end >= 0:
                length = _LENGTH.search(answer, 0, end)
                if length is None or len(answer) >= end + 4 + int(length[1]):
                    return int(answer[9:12])


class Caller(User):
    """Takes the next arrival, again and again."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.connection = Connection(self.host or "")
        CLOCK.walking += 1

    @task
    def walk(self) -> None:
        fire: Any = self.environment.events.request.fire
        while (due := CLOCK.next_due()) is not None:
            wait_s = due - perf_counter()
            if wait_s > 0:
                gevent.sleep(wait_s)
            request = CLOCK.calls.next()
            sent = perf_counter()
            status = self._send(request)
            done = perf_counter()
            CLOCK.note(due, sent, done, status, wait_s > 0)
            failure = None if status == 200 else ConnectionError(f"answered with {status}")
            fire(request_type="HTTP", name="walk", response_time=(done - due) * 1000, response_length=0, exception=failure, context={})
        CLOCK.walking -= 1
        if not CLOCK.walking:
            # Not before: what Locust does at its end would hold up the last answers.
            runner: Any = self.environment.runner
            gevent.spawn(runner.quit)
        raise StopUser

    def _send(self, request: bytes) -> int:
        """The status of the answer; 0 when there was none, and then the next call has a new connection."""
        try:
            return self.connection.call(request)
        except OSError:
            self.connection = Connection(self.host or "")
            return 0


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def start(**_: Any) -> None:
    CLOCK.start()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def tell(environment: Environment, **_: Any) -> None:
    Path(os.environ["BENCH_RESULT"]).write_text(json.dumps(CLOCK.result()), encoding="utf-8")

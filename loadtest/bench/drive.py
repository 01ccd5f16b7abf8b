"""Closed load: each connection sends its next call as soon as the last was answered.

It finds the capacity.

wrk does it, on one thread. Where wrk is missing Locust does, which takes more of its core: then the
figures say so.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import locust_run
from loadtest.bench.machine import DRIVER_CORE, BenchError, cpu_seconds, on_core, tool
from loadtest.bench.population import CallFile
from loadtest.bench.processes import HttpServer

CONNECTIONS = 64
LOCUST_ONLY = (
    "wrk is not installed, so Locust drove the load: a figure near its own speed shows the driver, not the service"
)
_SCRIPT = Path(__file__).with_name("call_file.lua")


@dataclass(frozen=True)
class Sample:
    """What one server did in one uninterrupted stretch of load."""

    calls: int
    seconds: float
    worker_cpu_s: float
    p50_us: float  # until the answer

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def busy(self) -> float:
        """Share of a core that the workers used. Well below 1, they waited for something else."""
        return self.worker_cpu_s / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the workers' CPU per call."""
        return self.worker_cpu_s / self.calls * 1e6


@dataclass(frozen=True)
class DriverReport:
    """What the driver says after a sample."""

    calls: int
    seconds: float
    refused: int  # answered with another status than 200
    broken: int  # not answered
    position: int  # in the file
    p50_us: float


def drive(
    server: HttpServer, call_file: CallFile, seconds: int, *, goes_on: bool = True, connections: int = CONNECTIONS
) -> Sample:
    """Send calls for `seconds`. With `goes_on` the next sample begins where this one ends.

    Raises BenchError unless every call is answered with 200.
    """
    workers = server.workers()
    before = cpu_seconds(workers)
    report = (_wrk if tool("wrk") else _locust)(server, call_file, seconds, connections)
    spent = cpu_seconds(workers) - before
    if report.refused or report.broken:
        raise BenchError(f"of {report.calls} calls {report.refused} were refused and {report.broken} not answered")
    if not report.calls:
        raise BenchError("no call was answered")
    if goes_on:
        call_file.position = report.position
    return Sample(report.calls, report.seconds, spent, report.p50_us)


def _wrk(server: HttpServer, call_file: CallFile, seconds: int, connections: int) -> DriverReport:
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT), server.url]
    with on_core(DRIVER_CORE):
        done = subprocess.run(
            ["wrk", *options, "--", str(call_file.path), str(call_file.position), call_file.client_key],
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return DriverReport(**json.loads(lines[-1]))


def _locust(server: HttpServer, call_file: CallFile, seconds: int, connections: int) -> DriverReport:
    found = locust_run.closed(server, call_file, seconds, connections)
    p50_us = found.latency_ms.get("50", 0.0) * 1000
    return DriverReport(found.calls, found.seconds, found.failed, 0, found.position, p50_us)

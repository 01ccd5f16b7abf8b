"""Starts Locust on `arrivals.py`, on the driver's core."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.machine import DRIVER_CORE, BenchError, on_core
from loadtest.bench.population import CallFile
from loadtest.bench.processes import ROOT, HttpServer

OPEN_CONNECTIONS = 128  # calls that may be under way at once; further arrivals wait, and the waiting counts


@dataclass(frozen=True)
class LocustResult:
    """What a run of Locust found.

    Percentiles are in milliseconds, by their name ("50", "90", "99", "99.9").
    """

    calls: int
    seconds: float
    failed: int
    position: int
    latency_ms: dict[str, float]  # from the moment that was fixed for a call to its answer
    lag_ms: dict[str, float]  # of that, until it was sent, when a connection was free: the driver's own lateness
    core_busy: float  # share of the time for which the driver's core had something to do

    @property
    def rate(self) -> float:
        return self.calls / self.seconds if self.seconds > 0 else 0.0


def closed(server: HttpServer, call_file: CallFile, seconds: float, connections: int) -> LocustResult:
    """Each connection sends its next call when the last was answered."""
    return _run(server, call_file, 0.0, 0.0, seconds, connections)


def at_rate(server: HttpServer, call_file: CallFile, rate: float, warm_s: float, seconds: float) -> LocustResult:
    """Open arrivals, `rate` a second, counted after `warm_s`."""
    return _run(server, call_file, rate, warm_s, seconds, OPEN_CONNECTIONS)


def _run(
    server: HttpServer, call_file: CallFile, rate: float, warm_s: float, seconds: float, users: int
) -> LocustResult:
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        result = Path(directory, "result.json")
        environ = {
            "BENCH_CALLS": str(call_file.path),
            "BENCH_POSITION": str(call_file.position),
            "BENCH_CLIENT_KEY": call_file.client_key,
            "BENCH_RATE": str(rate),
            "BENCH_WARM_S": str(warm_s),
            "BENCH_SECONDS": str(seconds),
            "BENCH_RESULT": str(result),
        }
        options = [
            "--headless",
            "--only-summary",
            "--loglevel",
            "WARNING",
            "--users",
            str(users),
            "--spawn-rate",
            str(users),
        ]
        options += [
            "--locustfile",
            str(Path(__file__).with_name("arrivals.py")),
            "--host",
            server.url,
            "--stop-timeout",
            "5",
        ]
        options += ["--run-time", f"{warm_s + seconds + 30:.0f}s"]
        with on_core(DRIVER_CORE):
            done = subprocess.run(
                [sys.executable, "-m", "locust", *options],
                cwd=ROOT,
                env=os.environ | environ,
                capture_output=True,
                text=True,
                check=False,
            )
        if not result.exists():
            raise BenchError(f"Locust ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return LocustResult(**json.loads(result.read_text(encoding="utf-8")))

"""The machine: what it is, which core runs what, how busy it was, and how much CPU was used."""

import os
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil

from readstate.process.embedded import find_server

SERVER_CORE = 0
DRIVER_CORE = 1
PACKAGES = ("readstate", "litestar", "uvicorn", "uvloop", "httptools", "redis", "hiredis", "msgspec", "locust")
# Before anything is pinned.
_ALLOWED: frozenset[int] = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


class BenchError(Exception):
    """A measurement cannot be taken or means nothing; the message is one sentence that says why."""


def can_pin() -> bool:
    """Whether processes can be held on a core: on Linux with two cores."""
    return {SERVER_CORE, DRIVER_CORE} <= _ALLOWED


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Hold the threads and processes that this thread starts in the block on `core`.

    Does nothing where the system cannot.
    """
    if not can_pin():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tool(name: str) -> bool:
    """Whether a command is installed."""
    return shutil.which(name) is not None


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that these processes have used so far."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return float(sum(time.user + time.system for time in times))


def exact_cpu_seconds(pids: Iterable[int]) -> float:
    """The same to the nanosecond, for short stretches; where the system does not tell, as above."""
    pids = list(pids)
    try:
        tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, IndexError):
        return cpu_seconds(pids)


def cores() -> int:
    return os.cpu_count() or 1


class CpuAccount:
    """Who used the cores since it was made. Ask when every process of the benchmark has ended."""

    def __init__(self) -> None:
        self._begun, self._busy_s, self._stolen_s, self._ours_s = (
            time.monotonic(),
            _busy_seconds(),
            _stolen_seconds(),
            _our_seconds(),
        )

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begun

    def others_share(self) -> float:
        """Share of all cores' time that processes outside the benchmark used."""
        others_s = (_busy_seconds() - self._busy_s) - (_our_seconds() - self._ours_s)
        return max(0.0, others_s) / (self.elapsed_s * cores())

    def stolen_share(self) -> float:
        """Share of all cores' time that the host gave to other virtual machines."""
        return (_stolen_seconds() - self._stolen_s) / (self.elapsed_s * cores())


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _stolen_seconds() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def _our_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def load_average() -> float:
    """Processes that wanted a core, averaged over the last minute."""
    return os.getloadavg()[0]


def facts() -> list[tuple[str, str]]:
    """What a figure depends on, as (name, value)."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return [
        ("processor", f"{_processor()}, {cores()} cores, {memory_gib:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        ("store", f"{Path(find_server()).name} {_version(find_server())}"),
        (
            "drivers",
            ", ".join(
                f"{name} {_version(name)}" if tool(name) else f"{name} missing" for name in ("wrk", "redis-benchmark")
            ),
        ),
    ]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _version(command: str) -> str:
    """The first number in what a command says about its version."""
    words = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return next((word.rpartition("/")[2].removeprefix("v=") for word in words if any(map(str.isdigit, word))), "")

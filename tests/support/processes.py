"""The service as a process, started as an operator does and seen from outside."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from tests.support.servers import short_directory
from tests.support.waiting import wait_until_now

READY_S = 60.0


def clean_environ(settings: Mapping[str, object] | None = None) -> dict[str, str]:
    """This process's environment with no READSTATE_ variable but `settings`, which are named in
    lower case without the prefix.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("READSTATE_")}
    return ours | {f"READSTATE_{name.upper()}": str(value) for name, value in (settings or {}).items()}


def run_command(
    *arguments: str, settings: Mapping[str, object] | None = None, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run `readstate ARGUMENTS` to its end."""
    command = [sys.executable, "-m", "readstate", *arguments]
    return subprocess.run(
        command, env=clean_environ(settings), capture_output=True, text=True, timeout=timeout_s, check=False
    )


class ServiceProcess:
    """`readstate serve` with settings given by their lower-case names.

    A free port and its own data directory are up to the caller.

    As a context manager it is ready inside the block and stopped in an orderly way after it.
    """

    def __init__(
        self,
        data_dir: Path,
        command: Sequence[str] = (sys.executable, "-m", "readstate", "serve"),
        /,
        **settings: object,
    ) -> None:
        self.data_dir = data_dir
        self._command = list(command)
        self.environ = clean_environ({"host": "127.0.0.1", "port": 0, "data_dir": data_dir, **settings})
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._announced = threading.Event()
        self.printed: list[str] = []
        self.logged: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the service was not started"
        return self._process.pid

    @property
    def url(self) -> str:
        return self._announcement(r"listens on (\S+)")

    @property
    def client_key(self) -> str:
        return self._announcement(r"client key\s+(\S+)$")

    @property
    def api_key(self) -> str:
        return self._announcement(r"API key\s+(\S+)$")

    def start(self) -> None:
        """Start it and wait until it announces that it is ready.

        Fails with its own words when it does not.
        """
        self.launch()
        if not self._announced.wait(READY_S) or self._process is None:
            self.kill()
        if not self.printed:
            raise AssertionError(f"the service did not start:\n{''.join(self.logged)}")

    def launch(self) -> None:
        """Start it without waiting for anything."""
        self._process = subprocess.Popen(
            self._command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # what Ctrl-C at a terminal would reach
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.printed), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.logged), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def stop(self, timeout_s: float = 40.0) -> int:
        """Tell it to stop (SIGTERM), wait until it has, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """End the supervisor as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)

    def wait(self, timeout_s: float = 40.0) -> int:
        """Its exit code, once it has ended and all it wrote has been read."""
        assert self._process is not None, "the service was not started"
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"the service did not end within {timeout_s} s:\n{''.join(self.logged)}") from None
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def _announcement(self, pattern: str) -> str:
        found = re.search(pattern, "".join(self.printed), re.MULTILINE)
        assert found is not None, f"no {pattern!r} in what the service printed: {self.printed}"
        return found[1]

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line)
                if "API key" in line and lines is self.printed:
                    self._announced.set()
        self._announced.set()


def children_of(pid: int) -> set[int]:
    """Process ids of all descendants of `pid` (Linux)."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found, grew = {pid}, True
    while grew:
        more = {child for child, parent in parents.items() if parent in found} - found
        grew = bool(more)
        found |= more
    return found - {pid}


def is_running(pid: int) -> bool:
    """Whether the process lives; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def command_of(pid: int) -> str:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def workers_of(service: ServiceProcess) -> set[int]:
    """Its workers: the children of the process from which they are forked."""
    forked = {pid for pid in children_of(service.pid) if "multiprocessing.forkserver" in command_of(pid)}
    return set().union(*(children_of(pid) for pid in forked)) & forked


@contextmanager
def own_service(**settings: object) -> Iterator[ServiceProcess]:
    """A service with a data directory of its own, for the time of the block."""
    with short_directory() as directory, ServiceProcess(directory / "data", **settings) as process:
        yield process


def first_answer_s(service: ServiceProcess) -> float:
    """How long it takes until a call is answered."""
    began = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(service.url + "/readyz", timeout=60) as response:
                assert response.status == 200
                return time.monotonic() - began
        except OSError:
            time.sleep(0.005)


def logged(service: ServiceProcess, text: str) -> list[str]:
    """The lines of its log that have `text` in them."""
    return [line["message"] for line in map(json.loads, list(service.logged)) if text in line["message"]]


def serving(service: ServiceProcess) -> set[int]:
    """Its workers, once each of them has served for a moment."""
    wait_until_now(lambda: service.get("/readyz")[0] == 200, "it to be ready", timeout_s=30)
    time.sleep(0.5)
    return workers_of(service)

"""A PostgreSQL on a temporary directory, with durable settings, run by a user of few rights."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from loadtest.bench.machine import SERVER_CORE, BenchError, exact_cpu_seconds, on_core
from readstate.process.parent_watch import die_with_parent

START_S = 30.0
UNPRIVILEGED = ("postgres", "nobody")  # the first that exists: it refuses to run as root
# Nothing is given up for speed: pages are whole after a crash, and commits are on disk when they
# are answered, unless `commit` says otherwise. Memory is that of a small server.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_connections": "40",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server. It listens on a socket in `directory`."""

    directory: str
    process: int

    def cpu_s(self) -> float:
        """Seconds of CPU of all its processes, those that have ended included."""
        postmaster = psutil.Process(self.process)
        ended = postmaster.cpu_times()
        running = [self.process, *(one.pid for one in postmaster.children())]
        return float(ended.children_user + ended.children_system) + exact_cpu_seconds(running)

    def memory(self) -> int:
        """Bytes of all its processes, shared memory counted once."""
        postmaster = psutil.Process(self.process)
        return sum(int(one.memory_full_info().pss) for one in (postmaster, *postmaster.children()))


def find_postgres() -> Path | None:
    """The folder with initdb and postgres; None where it is not installed."""
    # Debian keeps the servers off the path, in a folder for each version.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True)
    places = [place for place in debian if (place / "initdb").exists()]
    on_path = shutil.which("initdb")
    return places[0] if places else Path(on_path).parent if on_path else None


def postgres_version() -> str:
    """Of the servers that are found; "" where there are none."""
    binaries = find_postgres()
    if binaries is None:
        return ""
    said = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2]


@contextmanager
def postgres_server(commit: str) -> Iterator[PostgresServer]:
    """An empty server on the server's core. `commit`: its `synchronous_commit`.

    Raises BenchError when it is not installed, or does not start.
    """
    binaries = find_postgres()
    if binaries is None:
        raise BenchError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        runs_as = _runs_as()
        if runs_as:
            shutil.chown(directory, runs_as["user"], runs_as["group"])
        data, log = str(Path(directory, "data")), Path(directory, "log")
        made = ["--auth=trust", "--username=readstate", "--encoding=UTF8", "--locale=C", "--no-sync", data]
        with log.open("wb") as output, on_core(SERVER_CORE):
            start: dict[str, Any] = {"cwd": directory, "stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            done = subprocess.run([str(binaries / "initdb"), *made], check=False, **start, **runs_as)
            if done.returncode:
                raise BenchError(f"initdb ended with {done.returncode}: {log.read_text()[-300:]}")
            settings = {**SETTINGS, "synchronous_commit": commit, "unix_socket_directories": directory}
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", data, *options],
                process_group=0,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGQUIT),
                **start,
                **runs_as,
            )
        try:
            _wait_until_ready(binaries, directory, process, log)
            yield PostgresServer(directory, process.pid)
        finally:
            process.send_signal(signal.SIGINT)  # without waiting for its clients
            process.wait()


def _runs_as() -> dict[str, Any]:
    """For a subprocess: the user that runs it, if this is root."""
    if os.geteuid():
        return {}
    users = [user for user in pwd.getpwall() if user.pw_name in UNPRIVILEGED]
    if not users:
        raise BenchError("PostgreSQL does not run as root, and there is no user without privileges")
    user = min(users, key=lambda one: UNPRIVILEGED.index(one.pw_name))
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _wait_until_ready(binaries: Path, directory: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if not subprocess.run([str(binaries / "pg_isready"), "-q", "-h", directory], check=False).returncode:
            return
        time.sleep(0.05)
    raise BenchError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-300:]}")

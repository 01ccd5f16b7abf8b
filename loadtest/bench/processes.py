"""A Valkey and HTTP servers to measure, each on its core and in a temporary directory."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from loadtest.bench.machine import BenchError, on_core
from readstate.process import parent_watch
from readstate.process.embedded import EmbeddedServer
from readstate.replay.temporary import ServiceFailed, free_port, stop, wait_until_ready
from readstate.store.scripts import PREFIX

ROOT = Path(__file__).resolve().parents[2]
UNLIMITED = {f"READSTATE_{name}_RATE_LIMIT": "0" for name in ("USER", "APP", "BACKEND", "ADDRESS")}
QUIET_S = 120.0
NOTED_US = 10  # no post and no forward move takes less
NOTED_CALLS = 1_000_000
SUBSCRIBED_AT_ONCE = 500


class Store:
    """What the service keeps its data in: one server, or the primaries of a cluster."""

    def __init__(self, url: str, clients: Sequence[redis.Redis]) -> None:
        self.url = url
        self._clients = clients  # of each server

    def forget_counts(self) -> None:
        """Begin the counts and times of commands anew."""
        for client in self._clients:
            client.config_resetstat()

    def counts(self, command: str) -> tuple[int, float]:
        """How often `command` ran since `forget_counts`, and for how many microseconds.

        Raises BenchError when one of them failed.
        """
        nothing = {"calls": 0, "usec": 0, "failed_calls": 0}
        found = [client.info("commandstats").get(f"cmdstat_{command}", nothing) for client in self._clients]
        calls, usec, failed = (sum(one[name] for one in found) for name in nothing)
        if failed:
            raise BenchError(f"{failed} of {calls} calls of {command} failed")
        return int(calls), float(usec)

    def cpu_s(self) -> float:
        """Seconds of CPU that the servers have used so far."""
        return sum(self.each("cpu", "used_cpu_user")) + sum(self.each("cpu", "used_cpu_sys"))

    def each(self, section: str, name: str) -> list[float]:
        """A number that each server gives of itself."""
        return [float(client.info(section)[name]) for client in self._clients]


class Valkey(Store):
    """The embedded server with its own configuration, as `readstate serve` starts it."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self.socket = server.url.removeprefix("unix://")
        self._client = redis.Redis.from_url(server.url, protocol=2)
        super().__init__(server.url, [self._client])

    @property
    def pid(self) -> int:
        if self._server.pid is None:
            raise BenchError("the embedded server ended during a measurement")
        return self._server.pid

    def ask(self, *parts: str | int) -> Any:
        """The reply to one command."""
        return self._client.execute_command(*parts)  # type: ignore[no-untyped-call]

    def info(self, section: str) -> dict[str, Any]:
        return dict(self._client.info(section))

    def note_calls(self) -> None:
        """Have the server keep what longer calls take; `noted_calls` reads it.

        Shorter ones are not kept: the commands of a script would be among them, and keeping so many
        takes longer than many a script.
        """
        self.ask("CONFIG", "SET", "slowlog-max-len", NOTED_CALLS)
        self.ask("CONFIG", "SET", "slowlog-log-slower-than", NOTED_US)
        self.ask("SLOWLOG", "RESET")

    def noted_calls(self) -> dict[str, list[int]]:
        """Microseconds of each longer call of each script, by its name, since `note_calls`."""
        self.ask("CONFIG", "SET", "slowlog-log-slower-than", -1)
        noted: dict[str, list[int]] = {}
        for _, _, took_us, parts, *_ in self.ask("SLOWLOG", "GET", -1):
            if parts[0] == b"FCALL":
                name = parts[1].decode().removeprefix(PREFIX).rpartition("_")[0]
                noted.setdefault(name, []).append(took_us)
        self.ask("SLOWLOG", "RESET")
        return noted

    def used_memory(self) -> int:
        """Bytes in use, once they have stopped changing."""
        self.wait_until_quiet()
        return int(self.info("memory")["used_memory"])

    def wait_until_quiet(self) -> None:
        """Wait until memory stands still and the append-only file is not being rewritten."""
        deadline, before = time.monotonic() + QUIET_S, -1
        while time.monotonic() < deadline:
            used = int(self.info("memory")["used_memory"])
            if abs(used - before) < 0.0005 * used and not self.info("persistence")["aof_rewrite_in_progress"]:
                return
            before = used
            time.sleep(0.5)
        raise BenchError(f"the embedded server was not quiet after {QUIET_S:.0f} s")

    @contextmanager
    def subscribed(self, channels: Sequence[str]) -> Iterator[None]:
        """A connection that is subscribed to all of these, as sharded channels."""
        with self._client.pubsub() as listener:  # type: ignore[no-untyped-call]
            for start in range(0, len(channels), SUBSCRIBED_AT_ONCE):
                listener.ssubscribe(*channels[start : start + SUBSCRIBED_AT_ONCE])
                for _ in channels[start : start + SUBSCRIBED_AT_ONCE]:
                    listener.get_sharded_message(timeout=5)
            yield

    def close(self) -> None:
        self._client.close()


@contextmanager
def valkey(core: int) -> Iterator[Valkey]:
    """An empty Valkey on `core`."""
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        server = EmbeddedServer(Path(directory, "data"), lambda sentence: print(f"  {sentence}", file=sys.stderr))
        with on_core(core):
            server.start()
        try:
            ours = Valkey(server)
            yield ours
            ours.close()
        finally:
            server.stop()


@dataclass(frozen=True)
class HttpServer:
    """A supervisor and its workers."""

    host: str
    port: int
    supervisor: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def workers(self) -> list[int]:
        """Process ids of the workers: the children of the process from which they are forked."""
        children = psutil.Process(self.supervisor).children()
        forked = [child for child in children if "multiprocessing.forkserver" in " ".join(child.cmdline())]
        return [worker.pid for child in forked for worker in child.children()]


@contextmanager
def http_server(application: str, environ: Mapping[str, str], core: int) -> Iterator[HttpServer]:
    """A ready server on `core`: `readstate serve`, or one of `applications` by its name."""
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("READSTATE_")}
        command = ["readstate", "serve"] if application == "readstate" else ["loadtest.bench.applications", application]
        log = Path(directory, "log")
        with log.open("wb") as output, on_core(core):
            process = subprocess.Popen(
                # It ends with this process, however that ends.
                [
                    sys.executable,
                    "-I",
                    "-S",
                    parent_watch.__file__,
                    str(os.getpid()),
                    str(Path(directory, "lock")),
                    sys.executable,
                    "-m",
                    *command,
                ],
                cwd=ROOT,
                env=inherited | UNLIMITED | {"READSTATE_PORT": str(port)} | dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        try:
            server = HttpServer("127.0.0.1", port, process.pid)
            try:
                wait_until_ready(server.url, process, log)
            except ServiceFailed as error:
                raise BenchError(str(error)) from None
            yield server
        finally:
            stop(process)


def ask(
    server: HttpServer, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> int:
    """The status that one call is answered with; 0 when it is not answered."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()

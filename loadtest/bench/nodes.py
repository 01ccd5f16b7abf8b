"""Servers over TCP: one, or a cluster of several, so that the two can be compared."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from loadtest.bench.machine import BenchError, on_core
from loadtest.bench.processes import Store
from readstate.process import parent_watch
from readstate.process.embedded import find_server
from readstate.replay.temporary import free_port, stop
from readstate.store.keys import SLOTS

WAIT_S = 30.0
# What costs time or memory is as in the configuration of the embedded server.
_OPTIONS = {
    "bind": "127.0.0.1",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "auto-aof-rewrite-min-size": "512mb",
    "maxmemory-policy": "noeviction",
    "busy-reply-threshold": "200",
    "hash-max-listpack-entries": "64",
    "hash-max-listpack-value": "512",
    "zset-max-listpack-entries": "128",
}


@contextmanager
def nodes(core: int, primaries: int) -> Iterator[Store]:
    """An empty cluster of so many primaries on `core`; of one: a single server."""
    clustered = primaries > 1
    with ExitStack() as stack:
        clients = [stack.enter_context(_node(core, clustered=clustered)) for _ in range(primaries)]
        if clustered:
            _join(clients)
        yield Store(f"redis://127.0.0.1:{_port(clients[0])}", clients)


@contextmanager
def _node(core: int, *, clustered: bool) -> Iterator[redis.Redis]:
    """A server, and a client of it."""
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        port = free_port()
        options = _OPTIONS | {"dir": directory, "port": str(port)}
        if clustered:
            options |= {"cluster-enabled": "yes", "cluster-port": str(free_port())}
        command = [find_server(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        # It ends with this process, however that ends.
        watch = [sys.executable, "-I", "-S", parent_watch.__file__, str(os.getpid()), str(Path(directory, "lock"))]
        with on_core(core), Path(directory, "log").open("wb") as log:
            process = subprocess.Popen(
                [*watch, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        client = redis.Redis(port=port, protocol=2)
        try:
            _wait_until(lambda: bool(client.ping()), "a server to answer")
            yield client
        finally:
            client.close()
            stop(process)


def _join(clients: list[redis.Redis]) -> None:
    """Share the slots among these servers, and wait until each knows that of all others."""
    share = -(-SLOTS // len(clients))
    for number, client in enumerate(clients):
        _ask(client, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        _ask(client, "CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)
        for other in clients[:number]:
            _ask(client, "CLUSTER MEET", "127.0.0.1", _port(other), _bus_port(other))
    _wait_until(lambda: all(_sees_all(client, len(clients)) for client in clients), "the nodes to agree")


def _sees_all(client: redis.Redis, nodes: int) -> bool:
    info = _ask(client, "CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == nodes)


def _port(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def _bus_port(client: redis.Redis) -> int:
    return int(_ask(client, "CONFIG GET", "cluster-port")["cluster-port"])


def _ask(client: redis.Redis, *parts: str | int):  # type: ignore[no-untyped-def]  # each command has its own reply
    return client.execute_command(*parts)  # type: ignore[no-untyped-call]


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if condition():
                return
        except redis.ConnectionError:
            pass
        if time.monotonic() > deadline:
            raise BenchError(f"waited {WAIT_S:.0f} s in vain for {what}")
        time.sleep(0.05)

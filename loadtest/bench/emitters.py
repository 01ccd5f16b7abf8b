"""What sends the same frames into the same rooms: the service, and two servers of Socket.IO.

The service hears of it from the store, as of any read; the others from a socket.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

import redis.asyncio as redis

from loadtest.bench.crowd import Socket
from loadtest.bench.machine import SERVER_CORE, BenchError, cpu_seconds, on_core, tool
from loadtest.bench.population import APP
from loadtest.bench.processes import HttpServer
from loadtest.frames import text_frame
from readstate.domain.notices import CursorMoved, encode_notice
from readstate.process import parent_watch
from readstate.replay.temporary import ServiceFailed, free_port, stop, wait_until_ready
from readstate.store.keys import Keys

NODE = Path(__file__).with_name("emitter")
INSTALL_S = 240
# Nothing that a package brings is run while it is installed.
_NPM_CI = ("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")

Read = tuple[str, str, str]  # room, member, message


class Emitter(Protocol):
    """Sends `lastRead` into rooms."""

    async def emit(self, reads: Sequence[Read]) -> None: ...


class StoreEmitter:
    """Publishes notices, as the script of a read does."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    async def emit(self, reads: Sequence[Read]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for room, member, message in reads:
            notice = encode_notice(CursorMoved(room, member, message, 1))
            pipeline.execute_command("SPUBLISH", Keys.room(APP, room), notice)
        await pipeline.execute()


@asynccontextmanager
async def store_emitter(url: str) -> AsyncIterator[StoreEmitter]:
    """Publishes on the server at `url`."""
    async with redis.Redis.from_url(url, protocol=2) as client:
        yield StoreEmitter(client)


class SocketEmitter:
    """Asks a server of Socket.IO to emit."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def emit(self, reads: Sequence[Read]) -> None:
        self._socket.send_frame(text_frame("42" + json.dumps(["notices", reads], separators=(",", ":"))))


class NodeServer(HttpServer):
    """Node's server, one process."""

    def workers(self) -> list[int]:
        return [self.supervisor]


@contextmanager
def node_server() -> Iterator[NodeServer]:
    """Node's `socket.io` on the server's core; the first time it is installed.

    Raises BenchError where Node is missing, or its package cannot be had.
    """
    _install()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="readstate-bench-") as directory:
        log, lock = Path(directory, "log"), str(Path(directory, "lock"))
        # It ends with this process, however that ends.
        watch = [sys.executable, "-I", "-S", parent_watch.__file__, str(os.getpid()), lock]
        command = [shutil.which("node") or "node", str(NODE / "server.mjs"), str(port)]
        with log.open("wb") as output, on_core(SERVER_CORE):
            process = subprocess.Popen(
                [*watch, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
            )
        try:
            server = NodeServer("127.0.0.1", port, process.pid)
            wait_until_ready(server.url, process, log)
            yield server
        except ServiceFailed as error:
            raise BenchError(str(error)) from None
        finally:
            stop(process)


def _install() -> None:
    if not (tool("node") and tool("npm")):
        raise BenchError("Node.js is not installed")
    if (NODE / "node_modules" / "socket.io").is_dir():
        return
    done = subprocess.run(_NPM_CI, cwd=NODE, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        raise BenchError(f"npm cannot install socket.io: {done.stderr.strip()[-300:]}")


def cpu_s(server: HttpServer) -> float:
    """Seconds of CPU that a server's workers have used so far."""
    return cpu_seconds(server.workers())

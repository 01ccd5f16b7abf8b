"""Moves a connection from one worker to another, with the request that was read from it.

The system gives a new connection to any worker. The requests of a long-polling client must be
answered by the worker that has its session, and so must its upgrade to a websocket. So a worker
passes the connection on, as a descriptor over a Unix socket, with what it has read. The connection
stays where it has come to: what follows on it costs nothing more.

Each worker has a pair of such sockets. The supervisor makes all pairs and keeps them, so what is
sent to a worker that has just died waits for the one that takes its place.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from uvicorn import Config

from readstate.process.transport import GatheringTransport
from readstate.tasks import Tasks

# The head of a request, its body (64 KiB), and something for what the system adds. It takes a
# message in one piece or not at all.
BUFFER_BYTES = 512 * 1024
PATIENCE_S = 2.0  # for a worker that does not adopt what waits for it
RETRY_S = 0.005
AT_ONCE = 16  # connections that are adopted in one turn of the event loop

_FRAMING = (b"content-length", b"transfer-encoding", b"expect")


@dataclass
class Neighbours:
    """The workers of a service as one of them sees them.

    `number`: its own. `sending`: a socket to each worker, none when there is only one. `receiving`:
    the other end of its own.
    """

    number: int = 0
    sending: Sequence[socket.socket] = ()
    receiving: socket.socket | None = None
    _adopting: Tasks = field(default_factory=Tasks)

    def has(self, number: int) -> bool:
        """Whether there is another worker of this number."""
        return number != self.number and 0 <= number < len(self.sending)

    async def move(self, number: int, transport: GatheringTransport, request: bytes) -> bool:
        """Pass a connection on, with a request that came on it. Returns False when it stays."""
        if transport.get_write_buffer_size():
            return False  # an answer to an earlier request is not sent yet
        transport.pause_reading()
        deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not transport.is_closing():
            try:
                socket.send_fds(self.sending[number], [request], [transport.get_extra_info("socket").fileno()])
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline_s:
                    break
                await asyncio.sleep(RETRY_S)
            except OSError:
                break  # longer than a message may be, or too many descriptors are on their way
            else:
                transport.abort()  # the other worker has a descriptor of its own
                return True
        else:
            return True
        transport.resume_reading()
        return False

    def receive(self, adopt: Callable[[socket.socket, bytes], Any]) -> None:
        """Begin to adopt connections: `adopt`, a coroutine function, gets each with its request."""
        if self.receiving is not None:
            asyncio.get_running_loop().add_reader(self.receiving, self._on_readable, self.receiving, adopt)

    def _on_readable(self, receiving: socket.socket, adopt: Callable[[socket.socket, bytes], Any]) -> None:
        for _ in range(AT_ONCE):
            try:
                request, descriptors, _, _ = socket.recv_fds(receiving, BUFFER_BYTES, 1)
            except OSError:
                return  # none is left, or this worker has no descriptor left
            for descriptor in descriptors:
                self._adopting.start(_adopt(descriptor, request, adopt))


async def _adopt(descriptor: int, request: bytes, adopt: Callable[[socket.socket, bytes], Any]) -> None:
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return
    connection.setblocking(False)
    try:
        await adopt(connection, request)
    except OSError:
        connection.close()  # the client has gone


_ALONE = Neighbours()


def neighbours_of(config: Config) -> Neighbours:
    """The workers beside the one with this configuration; none beside a server of another kind."""
    known: Neighbours = getattr(config, "neighbours", _ALONE)
    return known


def make_pairs(workers: int) -> list[tuple[socket.socket, socket.socket]]:
    """For each worker the sockets to send and to receive with; none when there is only one."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers if workers > 1 else 0)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return pairs


def written_again(scope: Any, body: bytes | None) -> bytes:
    """A request as a client may have sent it. `body` None: of a kind that has none."""
    method = scope.get("method", "GET")
    path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    lines = [b"%b %b HTTP/%b" % (method.encode(), path, scope["http_version"].encode())]
    lines += [b"%b: %b" % header for header in scope["headers"] if header[0].lower() not in _FRAMING]
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")

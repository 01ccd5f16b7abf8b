"""Thousands of sockets in one process that costs little: it counts what they hear.

A socket looks at nothing but the bytes of an event's name, unless notices are timed. It answers
pings.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from loadtest.bench.machine import BenchError
from loadtest.bench.processes import HttpServer
from loadtest.frames import close_frame, text_frame, upgrade_request

IN_FLIGHT = 128  # sockets that are being connected
# Clients come from many addresses; one address may have half of a worker's descriptors at most.
_ADDRESSES = cycle(f"127.0.0.{last}" for last in range(2, 18))
CONNECT_S = 60.0
SETTLED_S, STILL_S = 30.0, 0.3

_HEARD = b'["lastRead",'
_OPENED, _CONNECTED, _REFUSED = b'0{"sid"', b"40{", b"44{"
_PING, _PONG = b"\x81\x012", text_frame("3")
_NOTICE = re.compile(rb'"roomID":"([^"]+)","memberID":"([^"]+)","messageID":"([^"]+)"')
_LONGEST = 512  # bytes of one event

OnNotice = Callable[[tuple[bytes, bytes, bytes], float], None]  # (room, member, message), when


class Socket(asyncio.Protocol):
    """One socket: connected with a token, or with none to a server that asks for none."""

    __slots__ = ("_crowd", "_tail", "_token", "is_in", "ready", "transport")

    def __init__(self, crowd: "Crowd", token: str) -> None:
        self._crowd = crowd
        self._token: str | None = token
        self._tail = b""
        self.is_in = False  # connected to the namespace, and authenticated
        self.ready: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        if pings := data.count(_PING):
            self.send_frame(pings * _PONG)
            data = data.replace(_PING, b"")
        if self.is_in:
            self._hear(data)
        else:
            self._tail = data
            self._begin(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.on_lost(self)
        self._end_wait(BenchError(f"a socket was closed before it was connected: {self._tail[-100:]!r}"))

    def send(self, event: str, *content: object) -> None:
        """Send an event."""
        self.send_frame(text_frame("42" + json.dumps([event, *content])))

    def send_frame(self, frame: bytes) -> None:
        """Send a finished frame."""
        assert self.transport is not None
        self.transport.write(frame)

    def leave(self, *, abruptly: bool = False) -> None:
        """Close it, with a close frame or without."""
        if self.transport is None or self.transport.is_closing():
            return
        if abruptly:
            self.transport.abort()
        else:
            self.transport.write(close_frame())

    def _begin(self, data: bytes) -> None:
        """What comes until the socket is in."""
        if _CONNECTED in data:
            self.is_in = True
            self._end_wait(None)
            self._hear(data[data.index(_CONNECTED) :])
        elif _REFUSED in data or not data.startswith(b"HTTP/1.1 101"[: len(data)]):
            self._end_wait(BenchError(f"a socket was refused: {data[-200:]!r}"))
        elif _OPENED in data and self._token is not None:
            self.send_frame(text_frame("40" + json.dumps({"token": self._token} if self._token else {})))
            self._token = None

    def _hear(self, data: bytes) -> None:
        crowd = self._crowd
        if crowd.on_notice is None:
            crowd.heard += data.count(_HEARD)
            self._tail = data[1 - len(_HEARD) :]
            return
        now, end = time.perf_counter(), 0
        for found in _NOTICE.finditer(data):
            crowd.heard += 1
            crowd.on_notice(found.groups(), now)  # type: ignore[arg-type]  # three groups
            end = found.end()
        self._tail = data[max(end, len(data) - _LONGEST) :]

    def _end_wait(self, error: BenchError | None) -> None:
        if self.ready is not None and not self.ready.done():
            if error is None:
                self.ready.set_result(None)
            else:
                self.ready.set_exception(error)


class Crowd:
    """Sockets to one server.

    `heard` counts the `lastRead` events of all; with `on_notice` each is read, too.
    """

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.request = upgrade_request(f"{server.host}:{server.port}")
        self.sockets: list[Socket] = []
        self.heard = 0
        self.lost = 0  # closed, and not by `leave`
        self.on_notice: OnNotice | None = None
        self._is_over = False

    async def connect(self, token: str = "") -> Socket:
        """A socket that is connected and, with a token, authenticated. Raises BenchError."""
        socket = Socket(self, token)
        assert socket.ready is not None
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: socket, self.server.host, self.server.port, local_addr=(next(_ADDRESSES), 0)
                )
                await socket.ready
        except (OSError, TimeoutError) as error:
            raise BenchError(f"a socket could not be connected: {error!r}") from None
        finally:
            if not socket.is_in:
                socket.leave(abruptly=True)
        socket.ready = None
        self.sockets.append(socket)
        return socket

    async def connect_all(self, tokens: Iterable[str], in_flight: int = IN_FLIGHT) -> float:
        """Connect one socket for each token, `in_flight` at a time. Returns the seconds."""
        waiting, began = iter(tokens), time.perf_counter()

        async def connect_in_turn() -> None:
            for token in waiting:
                await self.connect(token)

        await asyncio.gather(*(connect_in_turn() for _ in range(in_flight)))
        return time.perf_counter() - began

    def on_lost(self, socket: Socket) -> None:
        """A socket is closed, by either side."""
        if socket.is_in and not self._is_over:
            self.lost += 1

    async def until_heard(self, expected: int, within_s: float) -> float:
        """Wait until so many notices were heard. Returns the seconds, at most `within_s`."""
        begun = time.perf_counter()
        while True:
            elapsed = time.perf_counter() - begun
            if self.heard >= expected or elapsed > within_s:
                return elapsed
            await asyncio.sleep(0.002)

    async def settled(self, expected: int) -> int:
        """Wait until so many notices were heard, and no more come. Returns how many were.

        After SETTLED_S without, it waits no longer.
        """
        await self.until_heard(expected, SETTLED_S)
        before = -1
        while self.heard != before:
            before = self.heard
            await asyncio.sleep(STILL_S)
        return self.heard

    async def leave(self) -> None:
        """Close all sockets at once."""
        self._is_over = True
        for socket in self.sockets:
            socket.leave(abruptly=True)
        self.sockets.clear()
        await asyncio.sleep(0)


@asynccontextmanager
async def crowd(server: HttpServer, tokens: Sequence[str]) -> AsyncIterator[Crowd]:
    """A socket for each token, all connected."""
    ours = Crowd(server)
    try:
        await ours.connect_all(tokens)
        yield ours
    finally:
        await ours.leave()

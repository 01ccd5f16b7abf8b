"""Clients that a service must stand beside honest ones. Each comes again when it was cut off."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from loadtest.bench.processes import HttpServer
from loadtest.frames import text_frame, upgrade_request

AGAIN_S = 1.0
DRIP_S = 0.2  # between two bytes of a slow handshake
HUGE_BYTES = 1024 * 1024
FLOOD = text_frame('42["nothing"]') * 64


class Hostile(asyncio.Protocol):
    """Opens connections, one at a time, until it is stopped."""

    def __init__(self, server: HttpServer, token: str) -> None:
        self._server, self._token = server, token
        self._request = upgrade_request(f"{server.host}:{server.port}")
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._begun = False
        self.is_taken = True  # what is written goes out
        self.transport: asyncio.Transport | None = None

    async def start(self) -> None:
        """Open a connection, if the service takes one."""
        if self._is_over:
            return
        try:
            await self._loop.create_connection(lambda: self, self._server.host, self._server.port)
        except OSError:
            self._again()

    def stop(self) -> None:
        """Close it for good."""
        self._is_over = True
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self.transport, self._begun, self.is_taken = transport, False, True
        transport.set_write_buffer_limits(high=0)
        self.greet(transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if b'0{"sid"' in data:
            self.transport.write(text_frame(f'40{{"token":"{self._token}"}}'))
        elif b"40{" in data and not self._begun:
            self._begun = True
            self.act(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._again()

    def pause_writing(self) -> None:
        self.is_taken = False

    def resume_writing(self) -> None:
        self.is_taken = True
        if self._begun and self.transport is not None:
            self.act(self.transport)

    # What each does

    def greet(self, transport: asyncio.Transport) -> None:
        """Say what comes first."""
        transport.write(self._request)

    def act(self, transport: asyncio.Transport) -> None:
        """Do harm, authenticated."""

    def _again(self) -> None:
        if not self._is_over:
            self._loop.call_later(AGAIN_S, lambda: asyncio.ensure_future(self.start()))


class NeverReads(Hostile):
    """Is a member of busy rooms and reads nothing."""

    def act(self, transport: asyncio.Transport) -> None:
        transport.pause_reading()


class Floods(Hostile):
    """Sends events as fast as they are taken."""

    def act(self, transport: asyncio.Transport) -> None:
        while self.is_taken and not transport.is_closing():
            transport.write(FLOOD)


class SendsHugeFrames(Hostile):
    """Sends what is far too large."""

    FRAME: ClassVar[bytes] = text_frame("42" + "x" * HUGE_BYTES)

    def act(self, transport: asyncio.Transport) -> None:
        if self.is_taken:
            transport.write(self.FRAME)


class HalfOpen(Hostile):
    """Opens a websocket and says no more."""

    def data_received(self, data: bytes) -> None:
        pass


class SlowHandshake(Hostile):
    """Sends its request byte by byte."""

    def greet(self, transport: asyncio.Transport) -> None:
        self._drip(transport, 0)

    def _drip(self, transport: asyncio.Transport, at: int) -> None:
        if at < len(self._request) - 4 and not transport.is_closing():
            transport.write(self._request[at : at + 1])
            self._loop.call_later(DRIP_S, self._drip, transport, at + 1)


KINDS: Sequence[type[Hostile]] = (NeverReads, Floods, SendsHugeFrames, HalfOpen, SlowHandshake)


class HostileCrowd:
    """As many of each kind."""

    def __init__(self, server: HttpServer, tokens: Sequence[str]) -> None:
        self._all = [KINDS[number % len(KINDS)](server, token) for number, token in enumerate(tokens)]

    async def __aenter__(self) -> None:
        for hostile in self._all:
            await hostile.start()

    async def __aexit__(self, *_: object) -> None:
        for hostile in self._all:
            hostile.stop()

"""A receiver of webhooks: a real HTTP server that records requests and misbehaves as told."""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, cast

HANG = "hang"  # take the request and say nothing
RESET = "reset"  # close with a reset
CUT = "cut"  # announce a body and close in the middle of it
STREAM = "stream"  # send a body that never ends


@dataclass
class Call:
    """One request as it came."""

    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Reply:
    """The answer.

    `how` is "" or a way to misbehave, with this status where there is one.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    how: str = ""

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Whatever", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


OK = Reply()
Behaviour = Callable[[Call], Reply]


class Receiver:
    """Serves on a free port of the loopback as an async context manager.

    `answer` may be replaced at any time.
    """

    def __init__(self, answer: Behaviour = lambda call: OK, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.connections = 0
        self._tls = tls
        self._open: set[_Connection] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in list(self._open):
            connection.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hook"

    def of(self, member: str, room: str = "r") -> list[Call]:
        """Calls in the native form about one member of one room, in the order in which they
        came.
        """
        return [
            call for call in self.calls if call.json["data"]["member"] == member and call.json["data"]["room"] == room
        ]


class _Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1: requests with a Content-Length, one after the other."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._streaming: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclasses
        self._receiver.connections += 1
        self._receiver._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._receiver._open.discard(self)
        if self._streaming:
            self._streaming.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return False
        self._buffer = rest[length:]
        call = Call(request.split(" ")[1], headers, rest[:length])
        self._receiver.calls.append(call)
        self._reply(self._receiver.answer(call))
        return True

    def _reply(self, reply: Reply) -> None:
        if reply.how == RESET:
            self._transport.abort()
        elif reply.how == CUT:
            self._transport.write(b"HTTP/1.1 %d Whatever\r\ncontent-length: 1000\r\n\r\n{" % reply.status)
            self._transport.close()
        elif reply.how == STREAM:
            self._transport.write(b"HTTP/1.1 %d Whatever\r\ntransfer-encoding: chunked\r\n\r\n" % reply.status)
            self._stream()
        elif not reply.how:
            self._transport.write(reply.encoded())

    def _stream(self) -> None:
        self._transport.write(b"400\r\n" + b" " * 1024 + b"\r\n")
        self._streaming = asyncio.get_running_loop().call_later(0.01, self._stream)

"""The handshake of a WebSocket, as ASGI has it: until the application takes the connection over.

ASGI keeps an application's call running for as long as the connection lasts. Its task, its
coroutines and its messages would be 5 KiB of each socket. So the application attaches a handler to
the connection (the extension FRAMES), and its call returns.
"""

import asyncio
import base64
import binascii
import hashlib
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import ClientDisconnected

from readstate.dialects.http.frame_writer import FRAMES

logger = logging.getLogger(__name__)

Headers = Iterable[tuple[bytes, bytes]]

_ACCEPTED = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_KEY_BYTES = 16
_VERSION = b"13"


class BadHandshake(Exception):
    """A request that opens no WebSocket. Its text says why."""

    def __init__(self, reason: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, more: Headers = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.more = more


class Upgrading(Protocol):
    """The connection, as the handshake needs it."""

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...
    def go_on(self) -> None: ...
    @property
    def is_attached(self) -> bool: ...
    @property
    def is_closing(self) -> bool: ...


def accept_key(method: str, http_version: str, headers: Headers) -> bytes:
    """What an answer to this request says to accept it. Raises BadHandshake."""
    if method != "GET" or http_version != "1.1":
        raise BadHandshake("A WebSocket handshake is a GET with HTTP/1.1.")
    keys, versions = [], []
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
            raise BadHandshake("A WebSocket handshake has no body.")
        if name == b"sec-websocket-key":
            keys.append(value.strip())
        elif name == b"sec-websocket-version":
            versions.append(value.strip())
    if versions != [_VERSION]:
        more = ((b"upgrade", b"websocket"), (b"sec-websocket-version", _VERSION))
        raise BadHandshake("Sec-WebSocket-Version must be 13.", HTTPStatus.UPGRADE_REQUIRED, more)
    if len(keys) != 1 or not _is_key(keys[0]):
        raise BadHandshake("There must be one Sec-WebSocket-Key, of 16 bytes in base64.")
    digest = hashlib.sha1(keys[0] + _ACCEPTED.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest)


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def scope_of(request: dict[str, Any], url: bytes, scheme: str, root_path: str) -> dict[str, Any]:
    """The scope of ASGI for the handshake: that of its request (HTTP), with what is different.

    Raises BadHandshake.
    """
    try:
        target = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        raise BadHandshake("The address cannot be read.") from None
    path = target.path or b"/"
    scope = request | {
        "type": "websocket",
        "asgi": request["asgi"] | {"spec_version": "2.4"},
        "scheme": scheme,
        "path": root_path + unquote(path.decode("ascii")),
        "raw_path": root_path.encode("ascii") + path,
        "query_string": target.query or b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    del scope["method"]  # with one it would be taken for a request
    return scope


def response(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole answer, after which the connection is closed."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"%b%bcontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        STATUS_LINE[status],
        b"".join(lines),
        len(body),
        body,
    )


class Handshake:
    """`frame_writer.MessageHandler` until the application attaches another.

    `default_headers` are those of every answer.
    """

    __slots__ = ("_accept", "_connection", "_default_headers", "_inbox", "_is_answered", "_refusal", "_scope")

    def __init__(self, connection: Upgrading, scope: dict[str, Any], accept: bytes, default_headers: Headers) -> None:
        scope["extensions"][FRAMES] = connection
        self._connection = connection
        self._scope = scope
        self._accept = accept
        self._default_headers = default_headers
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "websocket.connect"})
        self._is_answered = False
        self._refusal: tuple[int, Headers] | None = None

    async def run(self, application: Any) -> None:
        """Call the application, and close the connection unless it has attached a handler."""
        try:
            await application(self._scope, self._receive, self._send)
        except ClientDisconnected:
            pass
        except Exception:
            logger.exception("a WebSocket handshake failed")
        finally:
            self._scope["extensions"].pop(FRAMES, None)  # a cycle of references
        self.refuse(500, b"Internal Server Error")
        if not self._connection.is_attached:
            self._connection.close()

    def refuse(self, status: int, reason: bytes) -> None:
        """Answer so, unless it is answered."""
        if not self._is_answered:
            self._answer(response(status, ((b"content-type", b"text/plain; charset=utf-8"),), reason))

    # What comes over the connection meanwhile

    def on_message(self, text: str | None) -> bool:
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})
        return True

    def on_writable(self) -> None: ...
    def on_unwritable(self) -> None: ...

    def on_closed(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})

    # ASGI

    async def _receive(self) -> dict[str, Any]:
        if self._inbox.empty():
            self._connection.go_on()
        return await self._inbox.get()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._connection.is_closing:
            raise ClientDisconnected
        match message["type"]:
            case "websocket.accept" if not self._is_answered:
                lines = [b"%b: %b\r\n" % header for header in (*self._default_headers, *message.get("headers", ()))]
                self._answer(
                    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                    b"sec-websocket-accept: %b\r\n%b\r\n" % (self._accept, b"".join(lines))
                )
            case "websocket.http.response.start" if not self._is_answered:
                self._refusal = (message["status"], (*self._default_headers, *message.get("headers", ())))
            case "websocket.http.response.body" if self._refusal and not self._is_answered:
                self._answer(response(*self._refusal, message.get("body", b"")))
            case "websocket.close" if not self._is_answered:
                self._answer(response(403, self._default_headers, b""))
            case other:
                # Messages go over a handler that the application attaches.
                raise RuntimeError(f"{other} cannot be sent here")

    def _answer(self, answer: bytes) -> None:
        self._is_answered = True
        self._connection.write(answer)

"""The IMKit envelope as bytes on their way out (docs.imkit.io, Response Format)."""

from typing import Any, Literal

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from msgspec import Struct

JSON = b"application/json; charset=utf-8"


class Ok(Struct, frozen=True, kw_only=True):
    """`{"RC": 0, "RM": "OK", "result": ...}`"""

    RC: Literal[0] = 0
    RM: str = "OK"
    result: Any


class Error(Struct, frozen=True):
    """What went wrong; `code` is stable, `message` is for people."""

    code: str
    message: str


class Failure(Struct, frozen=True):
    """`{"RC": 404, "RM": "Not Found", "error": {"code": ..., "message": ...}}`; RC is the HTTP status."""

    RC: int
    RM: str
    error: Error


encode = msgspec.json.Encoder().encode


class Reply(ASGIResponse):
    """A finished answer. Litestar passes it on as it is, so nothing is computed twice.

    `code` is the outcome for metrics and logs: "ok" or the error's code.
    """

    __slots__ = ("code", "payload", "raw_headers", "status")

    def __init__(
        self, payload: bytes, status: int = 200, code: str = "ok", headers: tuple[tuple[bytes, bytes], ...] = (), media_type: bytes = JSON
    ) -> None:
        self.payload = payload
        self.status = status
        self.code = code
        self.raw_headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(payload)), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.payload, "more_body": False})

    def to_asgi_response(self, *_: Any, **__: Any) -> "Reply":
        """What Litestar asks of the answer of an exception handler."""
        return self


def ok(result: Any) -> Reply:
    """A success with `result`."""
    return Reply(encode(Ok(result=result)))


def failure(status: int, rm: str, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """An error; `RC` is the HTTP status."""
    return Reply(encode(Failure(status, rm, Error(code, message))), status, code, headers)

"""Answers as bytes on their way out, the same for every dialect."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

JSON = b"application/json; charset=utf-8"
# Answers are for their caller alone: no cache keeps them, and no browser takes them for anything but what they say they are.
PRIVATE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

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
        self.raw_headers = [(b"content-length", b"%d" % len(payload)), (b"content-type", media_type), *PRIVATE, *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.payload, "more_body": False})

    def to_asgi_response(self, *_: Any, **__: Any) -> "Reply":
        """What Litestar asks of the answer of an exception handler."""
        return self

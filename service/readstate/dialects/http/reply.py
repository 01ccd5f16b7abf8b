"""Finished answers as bytes, the same for every dialect."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

JSON = b"application/json; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
# Answers are for their caller only: no cache may keep them, and no browser may guess another type.
PRIVATE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))

REQUEST_ID = b"x-request-id"

Headers = tuple[tuple[bytes, bytes], ...]

encode = msgspec.json.Encoder().encode


def retry_after(seconds: int) -> Headers:
    """The header that says in how many seconds a call may be repeated."""
    return ((b"retry-after", b"%d" % seconds),)


class WholeReplySender:
    """A connection that can send a whole answer at once. ASGI needs two messages and a list of
    headers.
    """

    __slots__ = ()

    def send_whole_reply(self, status: int, media_type: bytes, headers: Headers, body: bytes) -> bool:
        """Send an answer, with PRIVATE. False when it has to be sent by ASGI instead."""
        return False


class Reply(ASGIResponse):
    """A finished answer. Litestar passes it on unchanged, so nothing is computed twice.

    `code` is the outcome in metrics and logs: "ok" or the error's code. `more_headers` are sent
    beside its length, its type, PRIVATE and the request's id (`request_id.py`).
    """

    __slots__ = ("code", "media_type", "more_headers", "payload", "status")

    def __init__(
        self, payload: bytes, status: int = 200, code: str = "ok", more_headers: Headers = (), media_type: bytes = JSON
    ) -> None:
        self.payload = payload
        self.status = status
        self.code = code
        self.more_headers = more_headers
        self.media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = self.more_headers
        if "request_id" in scope:
            more = (*more, (REQUEST_ID, scope["request_id"]))  # type: ignore[typeddict-item]
        connection: Any = getattr(send, "__self__", None)
        if isinstance(connection, WholeReplySender) and connection.send_whole_reply(
            self.status, self.media_type, more, self.payload
        ):
            return
        length = (b"content-length", b"%d" % len(self.payload))
        headers = [length, (b"content-type", self.media_type), *PRIVATE, *more]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.payload, "more_body": False})

    def to_asgi_response(self, *_: Any, **__: Any) -> "Reply":
        """What Litestar calls on the answer of an exception handler."""
        return self

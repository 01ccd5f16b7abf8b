"""The IMKit envelope (docs.imkit.io, Response Format)."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from readstate.dialects.http.reply import Reply, encode


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
    """`{"RC": 404, "RM": "Not Found", "error": {"code": ..., "message": ...}}`; RC is the HTTP status.

    `retryAfter`, only with 429: seconds.
    """

    RC: int
    RM: str
    error: Error
    retryAfter: int | UnsetType = UNSET  # noqa: N815 - as it is on the wire


def ok(result: Any) -> Reply:
    """A success with `result`."""
    return Reply(encode(Ok(result=result)))


def failure(
    status: int,
    rm: str,
    code: str,
    message: str,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    retry_after_s: int | UnsetType = UNSET,
) -> Reply:
    """An error; `RC` is the HTTP status."""
    return Reply(encode(Failure(status, rm, Error(code, message), retry_after_s)), status, code, headers)

"""The IMKit envelope (docs.imkit.io, Response Format)."""

from typing import Any, Literal

from msgspec import Struct

from service.wire.reply import Reply, encode


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


def ok(result: Any) -> Reply:
    """A success with `result`."""
    return Reply(encode(Ok(result=result)))


def failure(status: int, rm: str, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """An error; `RC` is the HTTP status."""
    return Reply(encode(Failure(status, rm, Error(code, message))), status, code, headers)

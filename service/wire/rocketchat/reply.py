"""Answers of this dialect as bytes: no envelope but `success` among the fields, and nothing that a cache may keep."""

from msgspec import Struct

from service.wire.reply import Reply, encode

Headers = tuple[tuple[bytes, bytes], ...]

_NEVER_CACHED: Headers = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


def reply(body: Struct, status: int = 200, code: str = "ok", headers: Headers = ()) -> Reply:
    """`body` as the answer; `code` is the outcome for metrics and logs."""
    return Reply(encode(body), status, code, (*_NEVER_CACHED, *headers))

"""Answers of this dialect as bytes: no envelope but `success` among the fields."""

from msgspec import Struct

from readstate.dialects.http.reply import Reply, encode

Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"  # without a charset: Rocket.Chat's own tests compare the whole value
_PRAGMA = (b"pragma", b"no-cache")  # as Rocket.Chat says it to caches of old


def reply(body: Struct, status: int = 200, code: str = "ok", headers: Headers = ()) -> Reply:
    """`body` as the answer; `code` is the outcome for metrics and logs."""
    return Reply(encode(body), status, code, (_PRAGMA, *headers), JSON)

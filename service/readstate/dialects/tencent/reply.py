"""The envelope of Tencent's REST API (Tencent Cloud Chat, RESTful API Overview). The HTTP status is always 200."""

from typing import Any, Literal

from msgspec import Struct

from readstate.dialects.http.reply import Reply, encode
from readstate.dialects.tencent.codes import Code
from readstate.domain.limits import new_id


class Ok(Struct, frozen=True):
    """A success; results have further fields."""

    ActionStatus: Literal["OK"] = "OK"
    ErrorInfo: Literal[""] = ""
    ErrorCode: Literal[0] = 0


class Fail(Struct, frozen=True, kw_only=True):
    """A failure: clients go by `ErrorCode`; `ErrorInfo` is for people."""

    ActionStatus: Literal["FAIL"] = "FAIL"
    ErrorInfo: str
    ErrorCode: int


def ok(result: Ok | None = None) -> Reply:
    """A success."""
    return _reply(result or Ok(), "ok", new_id())


def fail(code: Code, info: str = "", *, request_id: str = "", retry_after_s: int | None = None) -> Reply:
    """A failure, in the words of `info` or else of `code`; with Retry-After, in seconds, if given."""
    reply = _reply(Fail(ErrorInfo=info or code.info, ErrorCode=code.number), str(code.number), request_id or new_id())
    if retry_after_s is not None:
        reply.more_headers += ((b"retry-after", b"%d" % retry_after_s),)
    return reply


def _reply(envelope: Any, outcome: str, request_id: str) -> Reply:
    return Reply(encode(envelope), code=outcome, more_headers=((b"x-request-id", request_id.encode()),))

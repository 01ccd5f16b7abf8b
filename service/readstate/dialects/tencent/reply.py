"""The envelope of Tencent's REST API (Tencent Cloud Chat, RESTful API Overview).

The HTTP status is always 200.
"""

from typing import Any, Literal

from msgspec import Struct

from readstate.dialects.http.reply import Reply, encode, retry_after
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


class Problem(Struct, frozen=True):
    """One documented error code. Where `info` is empty, the error itself says what is wrong."""

    code: int
    info: str = ""

    def reply(self, info: str = "", *, request_id: str = "", retry_after_s: int | None = None) -> Reply:
        """The failure, with `info` or else its own text, and with Retry-After (s) if given."""
        failure = Fail(ErrorInfo=info or self.info, ErrorCode=self.code)
        reply = _reply(failure, str(self.code), request_id or new_id())
        if retry_after_s is not None:
            reply.more_headers += retry_after(retry_after_s)
        return reply


def ok(result: Ok | None = None) -> Reply:
    """A success."""
    return _reply(result or Ok(), "ok", new_id())


def _reply(envelope: Any, outcome: str, request_id: str) -> Reply:
    return Reply(encode(envelope), code=outcome, more_headers=((b"x-request-id", request_id.encode()),))

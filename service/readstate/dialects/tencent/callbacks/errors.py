"""Answers to callbacks (Tencent Cloud Chat, Webhook Overview).

The status says whether the sender should send again: 200 no, 503 yes. The body says whether the
callback was understood.
"""

from typing import Any

from litestar.exceptions import MethodNotAllowedException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Struct

from readstate.dialects.base import ProblemError, log_failure
from readstate.dialects.http.body import BadBody
from readstate.dialects.http.reply import Headers, Reply, encode, retry_after
from readstate.dialects.tencent.reply import Fail, Ok
from readstate.domain.limits import MAX_BATCH_BODY_BYTES
from readstate.errors import Refusal, TooManyRequests, Unavailable, UnknownOutcome

PATH = "/tencent/callbacks"
OK = Reply(encode(Ok()))


class Problem(Struct, frozen=True):
    """Why a callback is not taken. The ErrorCode is 1, the only one that callbacks have."""

    outcome: str  # in metrics and logs
    status: int = 200

    def reply(self, info: str, headers: Headers = ()) -> Reply:
        return Reply(encode(Fail(ErrorInfo=info, ErrorCode=1)), self.status, self.outcome, headers)


UNSIGNED = Problem("UNSIGNED", 401)
FOREIGN_APP = Problem("FOREIGN_APP")
INVALID_BODY = Problem("INVALID_BODY")
TOO_LARGE = Problem("PAYLOAD_TOO_LARGE")
NOT_ALLOWED = Problem("METHOD_NOT_ALLOWED", 405)
TOO_OFTEN = Problem("TOO_MANY_REQUESTS", 503)
UNAVAILABLE = Problem("SERVICE_UNAVAILABLE", 503)


def owns(path: str) -> bool:
    """Whether a path is that of callbacks."""
    return path in (PATH, f"{PATH}/")


def answer(scope: Any, error: Exception) -> Reply:
    """The answer to an error of a callback; also its outcome in metrics and logs."""
    reply = _explain(error)
    if reply is None:
        log_failure(scope, error)
        reply = UNAVAILABLE.reply("Something failed on our side; send it again")
    scope["outcome"] = reply.code
    return reply


def _explain(error: Exception) -> Reply | None:
    """The answer to an error; None for a defect.

    A callback may be sent twice, so one that failed halfway may be sent again.
    """
    match error:
        case ProblemError():
            raised: Problem = error.problem
            return raised.reply(error.text)
        case BadBody():
            return INVALID_BODY.reply(str(error))
        case TooManyRequests():
            return TOO_OFTEN.reply(f"{error}, and send it again", retry_after(error.retry_after_s))
        case Refusal():
            return Problem(error.code).reply(str(error))
        case Unavailable() | UnknownOutcome():
            info = str(error) if error.for_callers else "The store is out of reach; send it again"
            return UNAVAILABLE.reply(info, retry_after(error.retry_after_s))
        case RequestEntityTooLarge():
            return TOO_LARGE.reply(f"A body must have at most {MAX_BATCH_BODY_BYTES} bytes")
        case MethodNotAllowedException():
            return NOT_ALLOWED.reply("Callbacks are sent by POST", ((b"allow", b"POST"),))
    return None

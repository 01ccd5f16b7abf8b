"""What a callback is answered (Tencent Cloud Chat, Webhook Overview).

The status tells the sender whether to send again: 200 never, 503 yes. Whether it was understood is in the body.
"""

from typing import Any

from litestar.exceptions import MethodNotAllowedException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from readstate.dialects.base import log_failure
from readstate.dialects.http.body import BadBody
from readstate.dialects.http.reply import Reply, encode
from readstate.dialects.tencent.callbacks.auth import ForeignApp, Unsigned
from readstate.dialects.tencent.reply import Fail, Ok
from readstate.domain.limits import MAX_BATCH_BODY_BYTES
from readstate.errors import Refusal, StoreFull, TooManyRequests, Unavailable, UnknownOutcome

PATH = "/tencent/callbacks"
UNAVAILABLE = "SERVICE_UNAVAILABLE"

OK = Reply(encode(Ok()))


def owns(path: str) -> bool:
    """Whether a path is that of callbacks."""
    return path in (PATH, f"{PATH}/")


def answer(scope: Any, error: Exception) -> Reply:
    """The answer to an error of a callback; also its outcome in metrics and logs."""
    reply = _explain(error)
    if reply is None:
        log_failure(scope, error)
        reply = _fail("Something failed on our side; send it again", UNAVAILABLE, 503)
    scope["outcome"] = reply.code
    return reply


def _explain(error: Exception) -> Reply | None:
    """None for what nobody expected. Everything may be sent twice, so it does not matter how far one got that is to be sent again."""
    match error:
        case Unsigned():
            return _fail(str(error), "UNSIGNED", 401)
        case ForeignApp():
            return _fail(str(error), "FOREIGN_APP")
        case BadBody():
            return _fail(str(error), "INVALID_BODY")
        case TooManyRequests():
            return _fail(
                f"{error}, and send it again", "TOO_MANY_REQUESTS", 503, (b"retry-after", b"%d" % error.retry_after_s)
            )
        case Refusal():
            return _fail(str(error), error.code)
        case Unavailable() | UnknownOutcome():
            info = str(error) if isinstance(error, StoreFull) else "The store is out of reach; send it again"
            return _fail(info, UNAVAILABLE, 503, (b"retry-after", b"%d" % error.retry_after_s))
        case RequestEntityTooLarge():
            return _fail(f"A body must have at most {MAX_BATCH_BODY_BYTES} bytes", "PAYLOAD_TOO_LARGE")
        case MethodNotAllowedException():
            return _fail("Callbacks are sent by POST", "METHOD_NOT_ALLOWED", 405, (b"allow", b"POST"))
    return None


def _fail(info: str, code: str, status: int = 200, *headers: tuple[bytes, bytes]) -> Reply:
    """ErrorCode 1, the only one that callbacks know. `code` is the outcome for metrics and logs."""
    return Reply(encode(Fail(ErrorInfo=info, ErrorCode=1)), status, code, headers)

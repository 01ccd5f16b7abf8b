"""Refusals and faults in Rocket.Chat's words: HTTP status, `error`, `errorType` and `details`.

A coded error has its code in brackets after `error` and again in `errorType`: clients read either.
Errors of a request's schema have the code in `errorType` only, and some failures have none at all.
Clients depend on these differences of the original. Texts that the original does not have (a wrong
path or method, a body too large, our own faults) are marked as ours below.
"""

from typing import Any

from litestar.exceptions import HTTPException
from msgspec import field

from readstate import errors
from readstate.dialects import base
from readstate.dialects.base import ProblemError, log_failure, own_operation
from readstate.dialects.http.body import ClientGone
from readstate.dialects.http.reply import Reply, retry_after
from readstate.dialects.rocketchat.reply import Problem, Problems
from readstate.domain.limits import MAX_BODY_BYTES

NOT_LOGGED_IN = Problem(401, "unauthorized", "You must be logged in to do this.", old=True)
LOGIN_FAILED = Problem(401, "unauthorized", "Unauthorized", old=True)
FORBIDDEN = Problem(403, "forbidden", "unauthorized")  # the original's word
INVALID_QUERY = Problem(400, "error-invalid-params", "", typed=True)
INVALID_BODY = Problem(400, "invalid-params", "", typed=True)
MESSAGE_REQUIRED = Problem(400, "error-param-required", "The required 'messageId' param is missing.")
ROOM_REQUIRED = Problem(400, "error-param-required", "The 'roomId' param is required")
INVALID_DATE = Problem.coded("error-roomId-param-invalid", 'The "lastUpdate" query parameter must be a valid date.')
INVALID_SUBSCRIPTION = Problem(400, "error-invalid-subscription", "error-invalid-subscription")
TOO_MANY_REQUESTS = Problem(429, "error-too-many-requests", "")
SLOW_DOWN = (
    "Error, too many requests. Please slow down. "
    "You must wait {} seconds before trying this endpoint again. [error-too-many-requests]"
)
NOT_FOUND = Problem(404, "not-found", "API endpoint does not exist")  # ours
NOT_ALLOWED = Problem(405, "method-not-allowed", "Method not allowed; the Allow header names those that are")  # ours
TOO_LARGE = Problem(413, "too-large", f"The body must have at most {MAX_BODY_BYTES} bytes")  # ours
NOT_SERVED = Problem(400, "bad-request", "The request is not understood")  # ours
INTERNAL_ERROR = Problem(500, "INTERNAL_ERROR", "Internal server error")
UNAVAILABLE = Problem(503, "SERVICE_UNAVAILABLE", "Service unavailable: nothing was done; try again")  # ours
UNKNOWN_OUTCOME = Problem(  # ours
    503,
    "SERVICE_UNAVAILABLE",
    "Service unavailable: it is unknown whether this was done; ask for the present state before you repeat it",
)

# Unless a call has its own words for a refusal. Refusals that are not here have their own texts.
PROBLEMS: Problems = {
    errors.RoomUnknown: Problem.coded("error-invalid-room", "Invalid room"),
    errors.NotMember: Problem.coded("error-invalid-room", "Invalid room"),
    errors.MessageUnknown: Problem.coded("error-invalid-message", "Invalid message"),
    errors.UserUnknown: Problem.coded("error-invalid-user", "Invalid user"),
    errors.TokenUnknown: NOT_LOGGED_IN,
    errors.TokenConflict: NOT_LOGGED_IN,
}


class Operation(base.Operation, frozen=True, kw_only=True):
    """A call of this dialect."""

    signed_in: bool = True
    problems: Problems = field(default_factory=dict)  # the call's own words for refusals


NO_OPERATION = Operation(name="")  # an error outside the calls

FAILURES = frozenset({INTERNAL_ERROR.code, UNAVAILABLE.code})

_FRAMEWORK = {404: NOT_FOUND, 405: NOT_ALLOWED, 413: TOO_LARGE}


def owns(path: str) -> bool:
    """Whether a path is this dialect's: all of /api, of which /api/v1 has something."""
    return path == "/api" or path.startswith("/api/")


def answer(scope: Any, error: Exception) -> Reply:
    """The answer to an error of a call; also its outcome in metrics and logs."""
    found = _answer(own_operation(scope, NO_OPERATION), error)
    scope["outcome"] = found.code
    # A call that was counted shows where the count stands, also when it failed.
    found.more_headers += scope.get("rate_headers", ())
    if found.status == 500:
        log_failure(scope, error)
    return found


def _answer(operation: Operation, error: Exception) -> Reply:
    if isinstance(error, ProblemError):
        raised: Problem = error.problem
        return raised.reply(error.text, error.headers)
    if isinstance(error, errors.TooManyRequests):
        wait_s = error.retry_after_s
        return TOO_MANY_REQUESTS.reply(SLOW_DOWN.format(wait_s), retry_after(wait_s))
    if isinstance(error, errors.Refusal):
        problem = operation.problems.get(type(error)) or PROBLEMS.get(type(error), INVALID_BODY)
        return problem.reply("" if problem.error else str(error))
    if isinstance(error, errors.Unavailable | errors.UnknownOutcome):
        problem = UNAVAILABLE if isinstance(error, errors.Unavailable) else UNKNOWN_OUTCOME
        text = str(error) if error.for_callers else ""
        return problem.reply(text, retry_after(error.retry_after_s))
    if isinstance(error, ClientGone):
        return NOT_SERVED.reply()  # the client does not read it
    if isinstance(error, HTTPException) and error.status_code < 500:
        headers = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
        return _FRAMEWORK.get(error.status_code, NOT_SERVED).reply(headers=headers)
    return INTERNAL_ERROR.reply()

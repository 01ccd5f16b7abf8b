"""Refusals and faults as IMKit's errors: HTTP status, `RC`, `RM`, `error.code`, `error.message`
(docs.imkit.io, Error Handling).

`error.code` is the stable part. Codes that the documentation does not have (a missing route, a body
too large, faults of the service) are marked as ours.
"""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException

from readstate import errors
from readstate.dialects.base import ProblemError, log_failure, own_operation
from readstate.dialects.http.body import BadBody, ClientGone, Wrong
from readstate.dialects.http.hints import PATH
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.operation import NO_OPERATION, Operation
from readstate.dialects.imkit.reply import Problem, Problems

INVALID_TOKEN = Problem(401, "INVALID_TOKEN", "Invalid or expired token")
NO_TOKEN = Problem(
    401,
    "INVALID_TOKEN",
    "No token was sent: clients send IM-CLIENT-KEY and IM-Authorization with the user's token, backends IM-API-KEY",
)
NO_TOKEN_TO_END = Problem(
    401, "INVALID_TOKEN", "A token ends by the call that carries it: send it in IM-Authorization, without IM-API-KEY"
)
INVALID_API_KEY = Problem(401, "INVALID_API_KEY", "Invalid or missing API key")
NO_API_KEY = Problem(401, "INVALID_API_KEY", "This call is for backends: send the API key in IM-API-KEY")
NO_API_KEY_FOR_CLIENTS = Problem(401, "INVALID_API_KEY", "clients is for backends: send IM-API-KEY, or give tokens")
INVALID_CLIENT_KEY = Problem(403, "INVALID_CLIENT_KEY", "Invalid or missing client key")
NO_CLIENT_KEY = Problem(403, "INVALID_CLIENT_KEY", "No client key was sent: send it in IM-CLIENT-KEY")
INVALID_USER_ID = Problem(400, "INVALID_USER_ID")
MISSING_PARAMETER = Problem(400, "MISSING_PARAMETER")
INVALID_BODY = Problem(400, "INVALID_BODY")
INVALID_QUERY = Problem(400, "INVALID_QUERY")
INVALID_REQUEST = Problem(400, "INVALID_REQUEST")
INVALID_PATH = Problem(400, "INVALID_PATH", "The path must be percent-encoded UTF-8 without control characters")  # ours
INVALID_ROOM_TAGS = Problem(400, "INVALID_ROOM_TAGS", "Room tags must be valid strings", words="Invalid parameters")
SEVERAL_ROOM_TAGS = Problem(
    400,
    "INVALID_ROOM_TAGS",
    "roomTags holds one tag: for several repeat it (roomTags=a&roomTags=b). "
    "A tag with a comma or in brackets is sent as roomTags[]",
    words="Invalid parameters",
)
INVALID_TAGS = Problem(400, "INVALID_TAGS", "Tags must be an array of strings", words="Invalid parameters")
NOT_ROOM_MEMBER = Problem(403, "NOT_ROOM_MEMBER", "You are not a member of this room")
INSUFFICIENT_PERMISSIONS = Problem(403, "INSUFFICIENT_PERMISSIONS", "Only the owner or a manager may do this")
INSUFFICIENT_PERMISSION = Problem(
    403, "INSUFFICIENT_PERMISSION", "Only the owner or a manager may do this", words="Permission denied"
)
ROOM_NOT_FOUND = Problem(404, "ROOM_NOT_FOUND", "Room not found", words="Room not found")
ROOM_TO_READ_NOT_FOUND = Problem(
    404, "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
)
MESSAGE_TO_READ_NOT_FOUND = Problem(
    404, "ROOM_NOT_FOUND", "Room or message not found: the room has no such message, or no longer remembers it"
)
MESSAGE_NOT_FOUND = Problem(404, "MESSAGE_NOT_FOUND", "Message not found")
NO_SUCH_POINT = Problem(
    404,
    "MESSAGE_NOT_FOUND",
    "before must be the id of a message that is remembered, an ISO-8601 time or 13 digits of Unix milliseconds",
)  # ours
ROOM_TOO_LARGE = Problem(400, "ROOM_TOO_LARGE")  # ours
LIMIT_REACHED = Problem(400, "LIMIT_REACHED")  # ours
MEMBER_NOT_FOUND = Problem(404, "CLIENT_NOT_FOUND", "The room has no such member")
CLIENT_NOT_FOUND = Problem(404, "CLIENT_NOT_FOUND", "Client not found")
TOKEN_NOT_FOUND = Problem(404, "TOKEN_NOT_FOUND", "Token not found")
TOKEN_CONFLICT = Problem(409, "TOKEN_CONFLICT", "The token belongs to another client")
PAYLOAD_TOO_LARGE = Problem(413, "PAYLOAD_TOO_LARGE", words="Request Entity Too Large")  # ours
RATE_LIMIT_EXCEEDED = Problem(429, "RATE_LIMIT_EXCEEDED")
NOT_FOUND = Problem(404, "NOT_FOUND", "No such path")  # ours
INTERNAL_ERROR = Problem(500, "INTERNAL_ERROR", "Something went wrong on our side")  # ours
SERVICE_UNAVAILABLE = Problem(503, "SERVICE_UNAVAILABLE", "Nothing was done; try again")  # ours
UNAVAILABLE_BECAUSE = Problem(503, "SERVICE_UNAVAILABLE")  # ours
UNKNOWN_OUTCOME = Problem(
    503, "SERVICE_UNAVAILABLE", "It is unknown whether this was done; ask for the present state before you repeat it"
)  # ours

FAILURES = frozenset({INTERNAL_ERROR.code, SERVICE_UNAVAILABLE.code})  # faults of the service, not of the caller

# A call may have its own problem for a refusal.
PROBLEMS: Problems = {
    errors.Invalid: INVALID_BODY,
    errors.RoomUnknown: ROOM_NOT_FOUND,
    errors.MessageUnknown: MESSAGE_NOT_FOUND,
    errors.NotMember: NOT_ROOM_MEMBER,
    errors.RoomTooLarge: ROOM_TOO_LARGE,
    errors.UserUnknown: CLIENT_NOT_FOUND,
    errors.TokenUnknown: TOKEN_NOT_FOUND,
    errors.TokenConflict: TOKEN_CONFLICT,
    errors.LimitReached: LIMIT_REACHED,
    errors.TooManyRequests: RATE_LIMIT_EXCEEDED,
}

Explained = errors.ReadStateError | BadBody | ProblemError

_FRAMEWORK_CODES = {404: NOT_FOUND.code, 405: "METHOD_NOT_ALLOWED"}
_MISSING_FIELD = re.compile(r"missing required field `(\w+)`")

# Calls of IMKit that are not offered, on paths of other calls: 404 instead of 405.
# docs/imkit.md lists all calls that are not offered.
_NOT_OFFERED = re.compile(
    r"GET /rooms/[^/]+/messages(/[^/]+)?"  # a room's history, also as messages/v3, and the messages around one
    r"|GET /messages"
    r"|POST /me"
    r"|GET /admin/clients"
)


def answer(scope: Any, error: Exception) -> Reply:
    """The answer to an error of a call; also its outcome in metrics and logs."""
    operation = own_operation(scope, NO_OPERATION)
    if isinstance(error, MethodNotAllowedException) and _is_not_offered(scope["method"], scope["path"]):
        error = NotFoundException()
    reply = _answer(operation, error)
    scope["outcome"] = reply.code
    if reply.status == 500:
        log_failure(scope, error)
    return reply


def explain(error: Explained, problems: Problems = PROBLEMS, bad_body: Problem | None = None) -> tuple[Problem, str]:
    """The problem for an error, and the text to send.

    `problems` and `bad_body` are the call's own (see Operation).
    """
    if isinstance(error, ProblemError):
        raised: Problem = error.problem
        return raised, raised.text or error.text
    if isinstance(error, BadBody):
        return _explain_body(error, bad_body)
    if isinstance(error, errors.Refusal):
        problem = problems.get(type(error)) or PROBLEMS[type(error)]
        return problem, problem.text or str(error)
    if isinstance(error, errors.Fault) and error.for_callers:
        return UNAVAILABLE_BECAUSE, str(error)
    problem = UNKNOWN_OUTCOME if isinstance(error, errors.UnknownOutcome) else SERVICE_UNAVAILABLE
    return problem, problem.text


def _explain_body(error: BadBody, bad_body: Problem | None) -> tuple[Problem, str]:
    """The same for a body that cannot be decoded. The text of `bad_body` is used for wrong
    values only.
    """
    text = str(error)
    missing = _MISSING_FIELD.search(text)
    problem = bad_body or (MISSING_PARAMETER if missing else INVALID_BODY)
    if problem.text and error.wrong is Wrong.VALUE:
        return problem, problem.text
    if error.wrong is Wrong.FIELD and not missing:
        path = PATH.search(text)
        return problem, error.hint + (path[0] if path else "")
    said = f"{missing[1]} is required" if missing else text
    return problem, f"{said}; {error.hint}" if error.hint else said


def _answer(operation: Operation, error: Exception) -> Reply:
    if isinstance(error, Explained):
        problem, text = explain(error, operation.problems, operation.bad_body)
        return problem.reply_to(error, text)
    if isinstance(error, ClientGone):
        return INVALID_BODY.reply("The body is not complete")  # the client is gone and does not read it
    if isinstance(error, ValidationException):
        return _invalid_parameter(operation, error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _framework_error(operation, error)
    return INTERNAL_ERROR.reply()


def _invalid_parameter(operation: Operation, error: ValidationException) -> Reply:
    """A missing body, or a query parameter of the wrong type."""
    details = error.extra if isinstance(error.extra, list) else []
    if any(detail.get("key") == "data" for detail in details):
        return _answer(operation, BadBody("A JSON body is required"))
    known = operation.query or ()
    wrong = "; ".join(f"{_as_sent(str(detail.get('key')), known)}: {detail['message']}" for detail in details)
    return INVALID_QUERY.reply(f"Invalid query parameter: {wrong}" if wrong else error.detail)


def _as_sent(name: str, known: Collection[str]) -> str:
    """A parameter's name as clients write it, one of `known`: updatedAfter for updated_after."""
    return next((one for one in known if one.casefold() == name.replace("_", "")), name)


def _framework_error(operation: Operation, error: HTTPException) -> Reply:
    if isinstance(error, NotFoundException):
        return NOT_FOUND.reply()
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PAYLOAD_TOO_LARGE.reply(f"The body must have at most {operation.max_body_bytes} bytes")
    phrase = HTTPStatus(error.status_code).phrase
    said = error.detail or phrase
    if allow := (error.headers or {}).get("allow"):
        said = f"This path takes {', '.join(sorted(allow.split(', ')))}"
    code = _FRAMEWORK_CODES.get(error.status_code, phrase.upper().replace(" ", "_").replace("-", "_"))
    allowed = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
    return Problem(error.status_code, code, said).reply(headers=allowed)


def _is_not_offered(method: str, path: str) -> bool:
    """Whether IMKit has this call and this service does not."""
    return _NOT_OFFERED.fullmatch(f"{method} {path.rstrip('/')}") is not None

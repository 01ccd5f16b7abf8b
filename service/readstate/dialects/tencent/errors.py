"""What is answered to whatever went wrong on the way of a call."""

import re
from collections.abc import Mapping
from typing import Any

from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException

from readstate.dialects.base import log_failure, own_operation
from readstate.dialects.http.body import BadBody, ClientGone
from readstate.dialects.http.reply import Reply
from readstate.dialects.tencent.codes import (
    ACCOUNT_NOT_TEXT,
    BODY_TOO_LARGE,
    FAMILIES,
    NO_SUCH_PATH,
    TOO_OFTEN,
    UNREADABLE_REQUEST,
    Code,
    Family,
    Refused,
    TooManyFailures,
    code_of,
)
from readstate.dialects.tencent.naming import MAX_ACCOUNT_BYTES
from readstate.dialects.tencent.operation import MAX_BODY_BYTES, NO_OPERATION, Operation
from readstate.dialects.tencent.reply import fail
from readstate.domain.limits import new_id
from readstate.errors import ReadStateError, StoreFull, TooManyRequests

_PATH = re.compile(r"/v4(?:/.*)?|/v\d+/(?:openim|group_open_http_svc)(?:/.*)?", re.ASCII | re.DOTALL)
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")
_INDEX = re.compile(r"\[[^]]*]")


def owns(path: str) -> bool:
    """Whether a path is this dialect's: all of /v4, and its services under other versions, which are refused in its words."""
    return _PATH.fullmatch(path) is not None


def answer(scope: Any, error: Exception) -> Reply:
    """The answer to an error of a call; also its outcome in metrics and logs."""
    operation = own_operation(scope, NO_OPERATION)
    code, info = _explain(scope, operation, error)
    request_id = new_id()
    if code is None:
        code, info = operation.family.failed, ""
        log_failure(scope, error, request_id=request_id)
    reply = fail(code, info, request_id=request_id, retry_after_s=_retry_after_s(error))
    scope["outcome"] = reply.code
    return reply


def _retry_after_s(error: Exception) -> int | None:
    """In how many seconds a call that was one too many may be made again."""
    if isinstance(error, TooManyRequests | TooManyFailures):
        return error.retry_after_s
    return 1 if isinstance(error, Refused) and error.code is TOO_OFTEN else None


def _explain(scope: Any, operation: Operation, error: Exception) -> tuple[Code | None, str]:
    """The code of an error, and what to say if not the code's own words; None for what nobody expected."""
    family = operation.family
    if isinstance(error, Refused):
        return error.code, str(error)
    if isinstance(error, ReadStateError):
        code = code_of(error, family)
        return code, "" if code.info and not isinstance(error, StoreFull) else str(error)
    if isinstance(error, BadBody):
        return _explain_body(str(error), family, operation.blames)
    if isinstance(error, ValidationException | ClientGone):
        return family.body_unreadable, ""  # there is no body at all, or not the whole of it
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _explain_routing(scope, error)
    return None, ""


def _explain_routing(scope: Any, error: HTTPException) -> tuple[Code, str]:
    if scope["method"] != "POST" or isinstance(error, MethodNotAllowedException):
        return UNREADABLE_REQUEST, ""
    if isinstance(error, NotFoundException):
        _, version, service, *command = f"{scope['path']}/".split("/")
        family = FAMILIES.get(service) if version == "v4" and any(command) else None
        return (family.no_such_command if family else NO_SUCH_PATH), ""
    if error.status_code == 413:
        return BODY_TOO_LARGE, f"The JSON body must have at most {MAX_BODY_BYTES} bytes"
    return UNREADABLE_REQUEST, ""


def _explain_body(text: str, family: Family, blames: Mapping[str, Code]) -> tuple[Code, str]:
    """The code of a body that could not be decoded: of its innermost field that has one, else the family's."""
    place, missing = _PLACE.search(text), _MISSING.search(text)
    names = _INDEX.sub("", place[1]).split(".") if place and place[1] else []
    if missing:
        names.append(missing[1])
    if not names:
        return family.body_unreadable, ""
    code = next((blames[name] for name in reversed(names) if name in blames), family.illegal)
    is_item = place is not None and place[1].endswith("]")
    if missing or ("got `null`" in text and not is_item):
        return code, f"{names[-1]} is required"
    if "regex" in text:
        return code, f"{names[-1]} must have 1 to {MAX_ACCOUNT_BYTES} characters of printable ASCII, and not be . or .."
    if names[-1].endswith("_Account") and "got `" in text:
        return ACCOUNT_NOT_TEXT, text
    return code, text

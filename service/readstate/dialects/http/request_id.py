"""The id that a caller gives a request: it stands in the answer and in the lines of the log.

`X-Request-Id` is any visible ASCII text, and is sent back. Of `traceparent` (W3C Trace Context) the
id of the trace goes into the log. A request without them costs nothing for it.
"""

import re
from typing import Any, Final

from readstate.dialects.http.reply import REQUEST_ID

TRACE: Final = b"traceparent"

_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACE: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def note_request_id(scope: Any) -> None:
    """Remember the id of a request, so that its answer has it."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            note(scope, value)


def note(scope: Any, value: bytes) -> None:
    """Remember this value of the header. One that is no id is passed over."""
    if _ID.fullmatch(value):
        scope["request_id"] = value


def for_log(scope: Any) -> dict[str, str]:
    """What the log says of a request: its id, and that of its trace, as far as they are given.

    A call that is traced has its own in `scope["trace_id"]`, which may be another than that of the
    header.
    """
    said = {"trace_id": scope["trace_id"]} if "trace_id" in scope else {}
    for name, value in scope.get("headers", ()):
        if name == REQUEST_ID and _ID.fullmatch(value):
            said["request_id"] = value.decode("ascii")
        elif name == TRACE and (found := _TRACE.fullmatch(value)):
            said.setdefault("trace_id", found[1].decode("ascii"))
    return said

"""The path of a request, changed into one that can be routed."""

from urllib.parse import unquote_to_bytes

from litestar.types import Scope

from readstate.dialects.base import ProblemError
from readstate.dialects.imkit.auth import SLASH_STANDS_IN
from readstate.dialects.imkit.errors import INVALID_PATH
from readstate.domain.limits import has_control_characters


def restore_encoded_slashes(scope: Scope) -> None:
    """Change the path into one that can be routed. Raises ProblemError for a malformed one.

    An id may contain a slash, which clients percent-encode. The server has decoded the path
    already, so such a path is split again as it was sent. SLASH_STANDS_IN, which no id contains,
    replaces the slash until routing is over.
    """
    path, raw = scope["path"], scope.get("raw_path") or b""
    if "%2" in path or b"%" in raw:
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"?")[0].split(b"/")]
        except UnicodeDecodeError:
            raise ProblemError(INVALID_PATH) from None
        if any(map(has_control_characters, segments)):
            raise ProblemError(INVALID_PATH)
        path = "/".join(segment.replace("/", SLASH_STANDS_IN) for segment in segments)
    elif has_control_characters(path):
        raise ProblemError(INVALID_PATH)
    if "//" in path:
        path = f"/{SLASH_STANDS_IN}"  # an empty id is no id: the same 404 as any unknown path
    scope["path"] = path

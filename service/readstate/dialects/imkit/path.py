"""The path of a request, made one that can be routed."""

from urllib.parse import unquote_to_bytes

from litestar.types import Scope

from readstate.dialects.imkit.auth import SLASH_STANDS_IN

NOWHERE = f"/{SLASH_STANDS_IN}"  # leads to the same 404 as any unknown path


def restore_encoded_slashes(scope: Scope) -> bool:
    """Make the path one that can be routed; False when it is malformed.

    An id may hold a slash, which clients percent-encode. The server has decoded the path by now, so where that happened it is split
    again as it was sent, and a character that no id holds stands for the slash until routing is over.
    """
    path, raw = scope["path"], scope.get("raw_path") or b""
    if "%2" in path or b"%" in raw:
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"?")[0].split(b"/")]
        except UnicodeDecodeError:
            return False
        if any(map(_has_control_characters, segments)):
            return False
        path = "/".join(segment.replace("/", SLASH_STANDS_IN) for segment in segments)
    elif _has_control_characters(path):
        return False
    if "//" in path:
        path = NOWHERE  # an empty id is no id, and must not lead to another call
    scope["path"] = path
    return True


def _has_control_characters(text: str) -> bool:
    return not text.isprintable() and any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text)

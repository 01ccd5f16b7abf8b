"""The longest path and query of a request. They are checked before anything reads them, because
reading costs time in proportion to their length, for any sender.
"""

import re
from typing import Final

PATH: Final = 2 * 1024  # two ids of 128 bytes, each byte percent-encoded, and words
PLAIN: Final = 2 * 1024  # a query without long parameters
MEDIUM: Final = 8 * 1024  # parameters of Rocket.Chat; a UserSig and an account
LONG: Final = 64 * 1024  # conditions, a hundred tags or messages, the name of a page

HEADERS: Final = 128

_LONG = re.compile(rb"/rooms/?|/rooms/[^/]+/receipts/?|/rooms/[^/]+/messages/[^/]+/receipts/?|/me/badge/?")
_MEDIUM = (b"/api/", b"/v4/", b"/tencent/")


def query_limit(path: bytes) -> int:
    """The most bytes that the query of a request to `path` may have."""
    if path.startswith(_MEDIUM):
        return MEDIUM
    return LONG if _LONG.fullmatch(path) else PLAIN


def why_too_long(url: bytes) -> str:
    """Why the target of a request is too long; "" when it is not."""
    if len(url) <= PLAIN:
        return ""
    path, _, query = url.partition(b"?")
    if len(path) > PATH:
        return f"A path must have at most {PATH} bytes."
    limit = query_limit(path)
    return f"The query of this path must have at most {limit} bytes." if len(query) > limit else ""

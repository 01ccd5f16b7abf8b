"""IMKit's calls that are not offered here, where another call has the same path: 404 like all others, and not 405.

docs/imkit.md has the list of all that are not offered.
"""

import re

_CALLS = re.compile(
    r"GET /rooms/[^/]+/messages(/[^/]+)?"  # a room's history, also as messages/v3, and the messages around one
    r"|GET /messages"
    r"|POST /me"
    r"|GET /admin/clients"
)


def is_not_offered(method: str, path: str) -> bool:
    """Whether IMKit has such a call and this service has not."""
    return _CALLS.fullmatch(f"{method} {path.rstrip('/')}") is not None

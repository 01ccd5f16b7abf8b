"""One-to-one conversations: rooms of two whose id derives from the pair, the same in every dialect."""

import hashlib
from collections.abc import Collection, Mapping

from readstate.domain.limits import MAX_ID_BYTES, check_room_tags
from readstate.domain.profiles import said

TAG = "direct"  # carried by every such room, so that unread over all of them is a badge like any other
DIRECT_TAGS = check_room_tags("roomTags", [TAG])
PREFIX = "direct:"

# What else makes a room one of two: profile fields of the dialects, with the values that do.
_FIELDS = {"roomType": "direct", "t": "d"}


def direct_room(one: str, other: str) -> str:
    """The id of the conversation of two users, in whatever order they are named."""
    room = _named(*sorted((one, other)))
    if len(room.encode()) <= MAX_ID_BYTES:
        return room
    return PREFIX + hashlib.sha256(room.encode()).hexdigest()


def direct_pair(room: str) -> tuple[str, str] | None:
    """The two users of such an id; None for any other, and where long ids had to be hashed."""
    # Anything may come as an id: it is measured before its digits are read as a number.
    if not room.startswith(PREFIX) or len(room.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        return None
    length, _, rest = room.removeprefix(PREFIX).partition(":")
    if not (length.isascii() and length.isdecimal()):
        return None
    first, second = rest[: int(length)], rest[int(length) + 1 :]
    return (first, second) if first <= second and _named(first, second) == room else None


def is_direct(room: str, tags: Collection[str], profile: Mapping[str, bytes]) -> bool:
    """Whether a room is one of two: by its id, the tag `direct`, or its profile in any dialect's words."""
    return (
        room.startswith(PREFIX) or TAG in tags or any(said(profile, name) == value for name, value in _FIELDS.items())
    )


def _named(first: str, second: str) -> str:
    return f"{PREFIX}{len(first)}:{first}:{second}"

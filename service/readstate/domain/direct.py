"""One-to-one conversations: rooms whose id derives from their two users, in every dialect."""

import hashlib
from collections.abc import Collection, Mapping

from readstate.domain.limits import MAX_ID_BYTES, RoomTags, Tags
from readstate.domain.profiles import profile_value

TAG = "direct"  # carried by every such room, so that unread over all of them is a badge like any other
DIRECT_TAGS = RoomTags(Tags((TAG,)))
PREFIX = "direct:"

# Profile fields of the dialects, with the values that make a room one-to-one.
_FIELDS = {"roomType": "direct", "t": "d"}


def direct_room(one: str, other: str) -> str:
    """The id of the conversation of two users; their order does not matter."""
    room = _named(*sorted((one, other)))
    if len(room.encode()) <= MAX_ID_BYTES:
        return room
    return PREFIX + hashlib.sha256(room.encode()).hexdigest()


def peers_of(room: str) -> tuple[str, str] | None:
    """The two users of such an id; None for any other id, and if long ids had to be hashed."""
    # Any text may come as an id: it is measured before its digits are read as a number.
    if not room.startswith(PREFIX) or len(room.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        return None
    length, _, rest = room.removeprefix(PREFIX).partition(":")
    if not (length.isascii() and length.isdecimal()):
        return None
    first, second = rest[: int(length)], rest[int(length) + 1 :]
    return (first, second) if first <= second and _named(first, second) == room else None


def is_direct(room: str, tags: Collection[str], profile: Mapping[str, bytes]) -> bool:
    """Whether a room is one-to-one: by its id, the tag `direct`, or its profile."""
    return (
        room.startswith(PREFIX)
        or TAG in tags
        or any(profile_value(profile, name) == value for name, value in _FIELDS.items())
    )


def _named(first: str, second: str) -> str:
    return f"{PREFIX}{len(first)}:{first}:{second}"

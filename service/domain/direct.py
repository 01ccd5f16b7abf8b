"""One-to-one conversations: rooms of two whose id derives from the pair, the same in every dialect."""

import hashlib

from service.domain.limits import MAX_ID_BYTES

TAG = "direct"  # carried by every such room, so that unread over all of them is a badge like any other
_PREFIX = "direct:"


def direct_room(one: str, other: str) -> str:
    """The id of the conversation of two users, in whatever order they are named."""
    first, second = sorted((one, other))
    room = f"{_PREFIX}{len(first)}:{first}:{second}"
    if len(room.encode()) <= MAX_ID_BYTES:
        return room
    return _PREFIX + hashlib.sha256(room.encode()).hexdigest()


def direct_pair(room: str) -> tuple[str, str] | None:
    """The two users of such an id; None for any other, and where long ids had to be hashed."""
    length, _, rest = room.removeprefix(_PREFIX).partition(":")
    if not room.startswith(_PREFIX) or not length.isdecimal():
        return None
    first, second = rest[: int(length)], rest[int(length) + 1 :]
    return (first, second) if direct_room(first, second) == room else None

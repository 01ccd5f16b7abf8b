"""Rooms as one user finds them, the same for every dialect."""

from readstate.domain.client_rules import ClientRules
from readstate.domain.direct import PREFIX, direct_pair, is_direct
from readstate.domain.profiles import is_foreign_group, said
from readstate.domain.rooms import Room, Rooms, RoomSummary
from readstate.errors import RoomUnknown

# Begins the ids of rooms in which a dialect keeps something. Such rooms exist, so the name in it
# stays.
RESERVED = "tencent·"

_OPENED = (1, "1", "true")  # what the profile field `opening` may be; True is 1
_CLOSED = (0, "0", "false")


def may_take(room: str, user: str) -> bool:
    """Whether an id is free for a user to make or join: no conversation of others, and none that a
    dialect keeps.

    Such ids can be worked out, and who came in first would be there when the two, or the dialect,
    come.
    """
    if room.startswith(PREFIX):
        return user in (direct_pair(room) or ())
    return not room.startswith(RESERVED)


def is_private(room: Room | RoomSummary) -> bool:
    """Whether the room is what Rocket.Chat calls a private group."""
    return said(room.profile, "t") == "p"


def is_open(room: Room, rules: ClientRules) -> bool:
    """Whether every user may come in by the room's id, and every member bring others: if it says
    `opening`.

    Conversations of two and Rocket.Chat's private groups are closed whatever is said. With
    `rules.rooms_open` a room is open unless it says that it is closed, or is another system's group
    and says nothing.
    """
    if room.room.startswith(RESERVED) or is_direct(room.room, room.tags, room.profile) or is_private(room):
        return False
    if not rules.rooms_open:
        return said(room.profile, "opening") in _OPENED
    if "opening" in room.profile:
        return said(room.profile, "opening") not in _CLOSED
    return not is_foreign_group(room.profile)


def may_join(room: Room, user: str, rules: ClientRules) -> bool:
    """Whether a stranger may join by themselves: an open room, when invited, and as one of the two
    of an id.
    """
    if is_direct(room.room, room.tags, room.profile):
        return room.room.startswith(PREFIX) and may_take(room.room, user)
    return may_take(room.room, user) and (room.invited or is_open(room, rules))


async def find_room(rooms: Rooms, *, app: str, room: str, user: str) -> Room | None:
    """The room, with the state of `user` if they are in it; None when there is no such room."""
    try:
        return await rooms.room(app=app, room=room, user=user)
    except RoomUnknown:
        return None

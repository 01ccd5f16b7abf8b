"""Rules for entering rooms, the same in every dialect."""

from readstate.domain.client_rules import ClientRules
from readstate.domain.direct import PREFIX, is_direct, peers_of
from readstate.domain.profiles import is_foreign_group, profile_value
from readstate.domain.rooms import Room, Rooms, RoomSummary
from readstate.errors import RoomUnknown

# The prefix of rooms that a dialect keeps for itself. Such rooms are stored, so it must not change.
RESERVED = "tencent·"

_OPENED = (1, "1", "true")  # values of the profile field `opening`; True equals 1
_CLOSED = (0, "0", "false")


def may_claim_id(room: str, user: str) -> bool:
    """Whether a user may create or join a room with this id.

    Not the room of two other users, and not a room that a dialect keeps for itself. Such ids can be
    guessed, and a user who took one first would be in the room before its real members.
    """
    if room.startswith(PREFIX):
        return user in (peers_of(room) or ())
    return not room.startswith(RESERVED)


def is_private(room: Room | RoomSummary) -> bool:
    """Whether the room is a private group of Rocket.Chat."""
    return profile_value(room.profile, "t") == "p"


def is_open(room: Room, rules: ClientRules) -> bool:
    """Whether every user may enter the room by its id, and every member may add others.

    The profile field `opening` decides. Rooms of two and Rocket.Chat's private groups are always
    closed. With `rules.rooms_open` a room without the field is open, unless it is another system's
    group.
    """
    if room.room.startswith(RESERVED) or is_direct(room.room, room.tags, room.profile) or is_private(room):
        return False
    if not rules.rooms_open:
        return profile_value(room.profile, "opening") in _OPENED
    if "opening" in room.profile:
        return profile_value(room.profile, "opening") not in _CLOSED
    return not is_foreign_group(room.profile)


def may_join(room: Room, user: str, rules: ClientRules) -> bool:
    """Whether a user who is not a member may join by themselves.

    They may join an open room, a room that they are invited to, and a room of two whose id names
    them.
    """
    if is_direct(room.room, room.tags, room.profile):
        return room.room.startswith(PREFIX) and may_claim_id(room.room, user)
    return may_claim_id(room.room, user) and (room.invited or is_open(room, rules))


async def find_room(rooms: Rooms, *, app: str, room: str, user: str) -> Room | None:
    """The room, with the state of `user` if they are a member; None when there is no such room."""
    try:
        return await rooms.room(app=app, room=room, user=user)
    except RoomUnknown:
        return None

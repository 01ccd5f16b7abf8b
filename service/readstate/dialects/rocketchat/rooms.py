"""What a room is in this dialect's words: its kind and its name, and which room a request means.

Kinds. Rooms are one thing here, so a room is what it says itself: `d` (direct) as `domain.direct` says,
by its id, the tag `direct`, or the profile field `roomType` "direct" or `t` "d"; else `p` (private group)
with `t` "p", else `c` (channel). channels.counters serves `c` alone, groups.counters `p` alone and
im.counters `d` alone, as the original does. Whatever the kind, only members see into a room.

Names. A direct room is called after the other member, whatever it says itself; any other room by its
profile field `name`, else by its id.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from readstate.batches import in_batches
from readstate.dialects.access import costs
from readstate.dialects.access import rooms as wire_rooms
from readstate.dialects.access.rooms import is_private
from readstate.dialects.rocketchat.people import person, text
from readstate.dialects.services import Services
from readstate.domain import direct
from readstate.domain.identity import Session, User
from readstate.domain.types import Room, RoomSummary

Kind = Literal["c", "p", "d"]

_FIELDS = ("roomType", "t", "name")  # of the profile, of which a kind and a name are made


class Name(Struct, frozen=True):
    """What a room is called, shortly and in full."""

    name: str
    full: str


def kind(room: Room | RoomSummary) -> Kind:
    """The room's kind."""
    if direct.is_direct(room.room, room.tags, room.profile):
        return "d"
    return "p" if is_private(room) else "c"


def own_name(room: Room | RoomSummary) -> str:
    """The name that the room itself has."""
    return text(room.profile, "name") or room.room


async def find_room(services: Services, session: Session, room: str) -> Room | None:
    """The room, with the caller's state if they are in it; None when there is no such room."""
    return await wire_rooms.find_room(services.read_state, app=session.app, room=room, user=session.user)


async def find_summaries(services: Services, session: Session, rooms: Sequence[str]) -> list[RoomSummary]:
    """Those of `rooms` that the caller is in, in the same order."""
    found = await services.read_state.room_summary_each(
        app=session.app, rooms=rooms, user=session.user, tags=True, fields=_FIELDS
    )
    return [room for room in found if room is not None]


async def find_by_name(services: Services, session: Session, name: str, wanted: Kind) -> Room | None:
    """The caller's room of this kind and name; of several the one with the lowest id. Rooms of others are not looked at.

    O(own rooms), for which the caller pays.
    """
    own = sorted(await services.read_state.rooms(app=session.app, user=session.user))
    limits = services.rate_limits
    limits.charge(session.app, session.user, costs.of_list(len(own)))
    with limits.at_once(session.app, session.user, costs.LIST):
        for batch in in_batches(own):
            for room in await find_summaries(services, session, batch):
                if kind(room) == wanted and own_name(room) == name:
                    return await find_room(services, session, room.room)
    return None


async def names(services: Services, session: Session, rooms: Sequence[RoomSummary]) -> list[Name]:
    """The name of each of `rooms`, for the caller."""
    others = await _others(services, session, [room.room for room in rooms if kind(room) == "d"])
    known = await services.people.find(session.app, set(others.values()) - {""})
    return [_name(room, others.get(room.room), known) for room in rooms]


def _name(room: RoomSummary, other: str | None, known: Mapping[str, User | None]) -> Name:
    """`other`: the other member of a direct room, "" without one; None for any other room."""
    if not other:
        name = own_name(room) if other is None else room.room
        return Name(name, name)
    somebody = person(other, known.get(other))
    return Name(somebody.username, somebody.name)


async def _others(services: Services, session: Session, rooms: Sequence[str]) -> dict[str, str]:
    """The other member of each of these direct rooms; "" when there is no other."""
    pairs: dict[str, Sequence[str] | None] = {room: direct.direct_pair(room) for room in rooms}
    asked = [room for room, pair in pairs.items() if pair is None]
    for room, members in zip(
        asked, await services.read_state.members_each(app=session.app, rooms=asked, limit=2), strict=True
    ):
        pairs[room] = [state.member for state in members]
    return {room: next((member for member in pair or () if member != session.user), "") for room, pair in pairs.items()}

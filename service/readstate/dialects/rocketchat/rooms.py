"""Finds the room that a request means: by its id, by its name, or by one of its messages.

A direct room has the name of the other member, whatever its profile says; any other room has its
profile field `name` as its name, else its id.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from readstate.batches import in_batches
from readstate.dialects.access import costs
from readstate.dialects.access import rooms as wire_rooms
from readstate.dialects.base import Services
from readstate.dialects.rocketchat.reply import Problem, Problems
from readstate.dialects.rocketchat.views import FIELDS, Kind, Name, kind, own_name, person
from readstate.domain import direct
from readstate.domain.identity import Session, User
from readstate.domain.rooms import MemberState, Room, RoomSummary
from readstate.errors import MessageUnknown, NotMember, RoomUnknown


async def find_room(services: Services, session: Session, room: str) -> Room | None:
    """The room, with the caller's state if they are in it; None when there is no such room."""
    return await wire_rooms.find_room(services.rooms, app=session.app, room=room, user=session.user)


async def find_summaries(services: Services, session: Session, rooms: Sequence[str]) -> list[RoomSummary]:
    """Those of `rooms` that the caller is in, in the same order."""
    found = await services.rooms.room_summary_each(
        app=session.app, rooms=rooms, user=session.user, tags=True, fields=FIELDS
    )
    return [room for room in found if room is not None]


async def find_by_name(services: Services, session: Session, name: str, wanted: Kind) -> Room | None:
    """The caller's room of this kind and name; of several the one with the lowest id.

    O(own rooms), for which the caller pays.
    """
    own = sorted(await services.rooms.rooms_of(app=session.app, user=session.user))
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
    """`other`: the other member of a direct room, "" without one; None for a room that is not
    direct.
    """
    if not other:
        name = own_name(room) if other is None else room.room
        return Name(name, name)
    member = person(other, known.get(other))
    return Name(member.username, member.name)


async def _others(services: Services, session: Session, rooms: Sequence[str]) -> dict[str, str]:
    """The other member of each of these direct rooms; "" when there is no other."""
    peers: dict[str, Sequence[str] | None] = {room: direct.peers_of(room) for room in rooms}
    asked = [room for room, members in peers.items() if members is None]
    for room, members in zip(
        asked, await services.rooms.members_each(app=session.app, rooms=asked, limit=2), strict=True
    ):
        peers[room] = [state.member for state in members]
    return {
        room: next((member for member in members or () if member != session.user), "")
        for room, members in peers.items()
    }


class Visible(NamedTuple):
    """A room that the caller is in. Messages up to `me.joined` are unknown to them."""

    room: Room
    me: MemberState


def message_problems(method: str) -> Problems:
    """What `room_of_message` raises, in the words of the original's `method`.

    A message in a room of others is answered as one that does not exist.
    """
    invalid_message = Problem.coded("error-invalid-message", "Invalid message", method=method)
    # The messages of a deleted room are gone with it.
    return dict.fromkeys((MessageUnknown, RoomUnknown, NotMember), invalid_message)


async def room_of_message(services: Services, session: Session, message: str) -> Visible:
    """The caller's room that a message is in; a search of their rooms is charged to the caller.

    Raises MessageUnknown, RoomUnknown, NotMember.
    """

    def charge(rooms: int) -> None:
        services.rate_limits.charge(session.app, session.user, costs.of_list(rooms))

    name = await services.messages.find_message(app=session.app, user=session.user, message=message, searching=charge)
    room = await services.rooms.room(app=session.app, room=name, user=session.user)
    if room.me is None:
        raise NotMember(session.user)
    return Visible(room, room.me)

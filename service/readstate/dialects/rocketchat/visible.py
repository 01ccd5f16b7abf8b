"""Which message a request means, and whether the caller may know of it."""

from typing import NamedTuple

from readstate.dialects.access import costs
from readstate.dialects.rocketchat.errors import Problem, Refusals
from readstate.dialects.services import Services
from readstate.domain.identity import Session
from readstate.domain.types import MemberState, Room
from readstate.errors import MessageUnknown, NotMember, RoomUnknown


class Visible(NamedTuple):
    """A room that the caller is in. Messages up to `me.joined` are unknown to them."""

    room: Room
    me: MemberState


def refusals(method: str) -> Refusals:
    """What `room_of_message` raises, in the words of the original's `method`.

    What is not the caller's is as if it were not there.
    """
    invalid_message = Problem.coded("error-invalid-message", "Invalid message", method=method)
    # A room that was deleted has taken its messages along.
    return dict.fromkeys((MessageUnknown, RoomUnknown, NotMember), invalid_message)


async def room_of_message(services: Services, session: Session, message: str) -> Visible:
    """The caller's room that a message is in; they pay for a search of their rooms.

    Raises MessageUnknown, RoomUnknown, NotMember.
    """

    def pay(rooms: int) -> None:
        services.rate_limits.charge(session.app, session.user, costs.of_list(rooms))

    name = await services.read_state.find_message(app=session.app, user=session.user, message=message, searching=pay)
    room = await services.read_state.room(app=session.app, room=name, user=session.user)
    if room.me is None:
        raise NotMember(session.user)
    return Visible(room, room.me)

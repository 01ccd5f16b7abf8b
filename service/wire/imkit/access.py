"""Who may see and change a room."""

from service.domain.types import Room
from service.wire.imkit.call import Caller
from service.wire.imkit.errors import INSUFFICIENT_PERMISSIONS, NOT_ROOM_MEMBER, Problem, Refused
from service.wire.imkit.views import is_closed, is_superuser
from service.wire.rooms import may_come_in


def check_member(caller: Caller, room: Room) -> None:
    """Members and the backend only. Raises Refused."""
    if not caller.backend and room.me is None:
        raise Refused(NOT_ROOM_MEMBER)


def check_superuser(caller: Caller, room: Room, problem: Problem = INSUFFICIENT_PERMISSIONS) -> None:
    """The owner, the managers and the backend only. Raises Refused."""
    if not caller.backend and not is_superuser(room, caller.user):
        raise Refused(problem)


def check_may_come_in(caller: Caller, room: str) -> None:
    """Whom nobody has brought, into a room of this id. Raises Refused."""
    if not caller.backend and not may_come_in(room, caller.user):
        raise Refused(NOT_ROOM_MEMBER)


def check_open(caller: Caller, room: Room) -> None:
    """A closed room (`opening` 0) takes in only whom its owner, its managers or the backend bring. Raises Refused."""
    if is_closed(room):
        check_superuser(caller, room)

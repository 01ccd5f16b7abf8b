"""Who may see and change a room, and whom a client may name.

Strangers learn nothing: a room that is not the caller's is answered like one that does not exist,
unless IMKit documents otherwise.
"""

from collections.abc import Sequence

from readstate.dialects.access.rooms import is_open
from readstate.dialects.base import ProblemError
from readstate.dialects.imkit.errors import INSUFFICIENT_PERMISSIONS, NOT_ROOM_MEMBER
from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.reply import Problem
from readstate.dialects.imkit.views import is_superuser
from readstate.dialects.services import Services
from readstate.domain.client_rules import Made
from readstate.domain.direct import is_direct, peers_of
from readstate.domain.rooms import Room
from readstate.errors import Invalid, LimitReached, RoomUnknown

UNKNOWN_NAMED = 5  # unknown users in the message of a refusal


def check_may_view(principal: Principal, room: Room) -> None:
    """Only members and the backend may view a room. Raises ProblemError, with IMKit's error for
    this call.
    """
    if not principal.backend and room.me is None:
        raise ProblemError(NOT_ROOM_MEMBER)


def check_member(principal: Principal, room: Room) -> None:
    """Only members and the backend. Raises RoomUnknown."""
    if not principal.backend and room.me is None:
        raise RoomUnknown(room.room)


def check_superuser(principal: Principal, room: Room, problem: Problem = INSUFFICIENT_PERMISSIONS) -> None:
    """Only the owner and the managers, while they are members, and the backend.

    Raises RoomUnknown, ProblemError.
    """
    check_member(principal, room)
    if not principal.backend and not is_superuser(room, principal.user):
        raise ProblemError(problem)


def check_may_add(services: Services, principal: Principal, room: Room) -> None:
    """Any member may add users to an open room; otherwise its owner, its managers and the backend.

    Raises RoomUnknown, ProblemError.
    """
    check_member(principal, room)
    if not is_open(room, services.client_rules):
        check_superuser(principal, room)


def check_people_limit(services: Services, principal: Principal, field: str, people: Sequence[str]) -> None:
    """Limit how many users one call of a client names. Raises LimitReached."""
    limit = services.client_rules.people_limit
    if not principal.backend and len(people) > limit:
        raise LimitReached(
            f"{field} must name at most {limit} people; send the rest in further calls, or let the backend do it"
        )


def check_tag_limit(services: Services, principal: Principal, tags: Sequence[str]) -> None:
    """Limit how many tags a client's room has. Raises LimitReached."""
    limit = services.client_rules.tag_limit
    if not principal.backend and len(tags) > limit:
        raise LimitReached(f"roomTags must hold at most {limit} tags; send fewer, or let the backend set them")


async def check_known(services: Services, principal: Principal, field: str, people: Sequence[str]) -> None:
    """A client may name only users that the backend has created. Raises Invalid."""
    if principal.backend:
        return
    known = await services.directory.known(app=principal.app, users=people)
    unknown = [user for user in people if user not in known]
    if unknown:
        more = f" and {len(unknown) - UNKNOWN_NAMED} more" if len(unknown) > UNKNOWN_NAMED else ""
        raise Invalid(
            field,
            f"{field} must name users that the backend has created; "
            f"unknown: {', '.join(unknown[:UNKNOWN_NAMED])}{more}",
        )


def check_direct_members(principal: Principal, room: str, people: Sequence[str]) -> None:
    """A client's direct room is for the caller and one other user, or for the two users in its id.

    Raises Invalid.
    """
    peers = peers_of(room)
    if not principal.backend and not (set(people) <= set(peers) if peers else len({principal.user, *people}) == 2):
        raise Invalid("members", "a direct room is for two: name exactly one other person")


def check_stays_direct(principal: Principal, before: Room, after: Room) -> None:
    """A client may make only a room with two members a direct one, and may not undo it.

    Raises Invalid.
    """
    was, is_now = (is_direct(room.room, room.tags, room.profile) for room in (before, after))
    if not principal.backend and was != is_now and (was or before.member_count != 2):
        raise Invalid(
            "roomType", "a direct room stays one" if was else "a direct room is for two: the room must have two members"
        )


def known_since(principal: Principal, room: Room) -> int:
    """The seq at which the member joined. Messages up to it are unknown to them. 0 for the backend,
    which knows all.
    """
    return room.me.joined if room.me and not principal.backend else 0


def seen(principal: Principal, room: Room) -> Made:
    """The condition for a change: the room must still be in the hands in which the caller's right
    was found.
    """
    return Made.ANYHOW if principal.backend else room.made

"""Who may see and change a room, and whom a client may name.

Strangers learn nothing: a room that is not the caller's is answered as one that does not exist,
unless IMKit documents otherwise.
"""

from collections.abc import Sequence

from readstate.dialects.access.rooms import is_open
from readstate.dialects.base import ProblemError
from readstate.dialects.imkit.call import Principal
from readstate.dialects.imkit.errors import INSUFFICIENT_PERMISSIONS, NOT_ROOM_MEMBER
from readstate.dialects.imkit.reply import Problem
from readstate.dialects.imkit.views import is_superuser
from readstate.dialects.services import Services
from readstate.domain.client_rules import Made
from readstate.domain.direct import direct_pair, is_direct
from readstate.domain.rooms import Room
from readstate.errors import Invalid, LimitReached, RoomUnknown

UNKNOWN_NAMED = 5  # of unknown people in the message of a refusal


def check_shown(principal: Principal, room: Room) -> None:
    """Members and the backend only, in the words that IMKit has for the view of a room.

    Raises ProblemError.
    """
    if not principal.backend and room.me is None:
        raise ProblemError(NOT_ROOM_MEMBER)


def check_member(principal: Principal, room: Room) -> None:
    """Members and the backend only. Raises RoomUnknown."""
    if not principal.backend and room.me is None:
        raise RoomUnknown(room.room)


def check_superuser(principal: Principal, room: Room, problem: Problem = INSUFFICIENT_PERMISSIONS) -> None:
    """The owner and the managers, while they are members, and the backend only.

    Raises RoomUnknown, ProblemError.
    """
    check_member(principal, room)
    if not principal.backend and not is_superuser(room, principal.user):
        raise ProblemError(problem)


def check_may_bring(services: Services, principal: Principal, room: Room) -> None:
    """Any member brings people into an open room, else its owner, its managers and the backend.

    Raises RoomUnknown, ProblemError.
    """
    check_member(principal, room)
    if not is_open(room, services.client_rules):
        check_superuser(principal, room)


def check_people_limit(services: Services, principal: Principal, field: str, people: Sequence[str]) -> None:
    """How many people one call of a client names. Raises LimitReached."""
    limit = services.client_rules.people_limit
    if not principal.backend and len(people) > limit:
        raise LimitReached(
            f"{field} must name at most {limit} people; send the rest in further calls, or let the backend do it"
        )


def check_tag_limit(services: Services, principal: Principal, tags: Sequence[str]) -> None:
    """How many tags a room of a client's has. Raises LimitReached."""
    limit = services.client_rules.tag_limit
    if not principal.backend and len(tags) > limit:
        raise LimitReached(f"roomTags must hold at most {limit} tags; send fewer, or let the backend set them")


async def check_known(services: Services, principal: Principal, field: str, people: Sequence[str]) -> None:
    """Whom a client names must be a user whom the backend has created. Raises Invalid."""
    if principal.backend:
        return
    known = await services.directory.known(app=principal.app, users=people)
    unknown = [user for user in people if user not in known]
    if unknown:
        more = f" and {len(unknown) - UNKNOWN_NAMED} more" if len(unknown) > UNKNOWN_NAMED else ""
        raise Invalid(
            field,
            f"{field} must name users that the backend has created; unknown: {', '.join(unknown[:UNKNOWN_NAMED])}{more}",
        )


def check_pair(principal: Principal, room: str, people: Sequence[str]) -> None:
    """A direct room of a client is of the caller and one other, or of the two of its id.

    Raises Invalid.
    """
    pair = direct_pair(room)
    if not principal.backend and not (set(people) <= set(pair) if pair else len({principal.user, *people}) == 2):
        raise Invalid("members", "a direct room is for two: name exactly one other person")


def check_stays_direct(principal: Principal, before: Room, after: Room) -> None:
    """A client makes a room a direct one only if it has two members, and no direct one another.

    Raises Invalid.
    """
    was, is_now = (is_direct(room.room, room.tags, room.profile) for room in (before, after))
    if not principal.backend and was != is_now and (was or before.member_count != 2):
        raise Invalid(
            "roomType", "a direct room stays one" if was else "a direct room is for two: the room must have two members"
        )


def known_since(principal: Principal, room: Room) -> int:
    """The seq at which a member joined: messages up to it are unknown to them, and none to the
    backend.
    """
    return room.me.joined if room.me and not principal.backend else 0


def seen(principal: Principal, room: Room) -> Made:
    """For changes that need the room to be in the hands in which the caller's right was found."""
    return Made.ANYHOW if principal.backend else room.made

"""Who may see and change a room, and whom a client may name.

Strangers learn nothing: a room that is not the caller's is answered like one that does not exist,
unless IMKit documents otherwise.
"""

from collections.abc import Sequence

from readstate.dialects.access.rooms import is_open
from readstate.dialects.base import ProblemError
from readstate.dialects.imkit.errors import INSUFFICIENT_PERMISSIONS, NOT_ROOM_MEMBER
from readstate.dialects.imkit.operation import Call
from readstate.dialects.imkit.reply import Problem
from readstate.dialects.imkit.views import is_superuser
from readstate.domain.client_rules import Made
from readstate.domain.direct import is_direct, peers_of
from readstate.domain.rooms import Room
from readstate.errors import Invalid, LimitReached, RoomUnknown

UNKNOWN_NAMED = 5  # unknown users in the message of a refusal


def check_may_view(call: Call, room: Room) -> None:
    """Only members and the backend may view a room. Raises ProblemError, with IMKit's error for
    this call.
    """
    if not call.auth.backend and room.me is None:
        raise ProblemError(NOT_ROOM_MEMBER)


def check_member(call: Call, room: Room) -> None:
    """Only members and the backend. Raises RoomUnknown."""
    if not call.auth.backend and room.me is None:
        raise RoomUnknown(room.room)


def check_superuser(call: Call, room: Room, problem: Problem = INSUFFICIENT_PERMISSIONS) -> None:
    """Only the owner and the managers, while they are members, and the backend.

    Raises RoomUnknown, ProblemError.
    """
    check_member(call, room)
    if not call.auth.backend and not is_superuser(room, call.auth.user):
        raise ProblemError(problem)


def check_may_add(call: Call, room: Room) -> None:
    """Any member may add users to an open room; otherwise its owner, its managers and the backend.

    Raises RoomUnknown, ProblemError.
    """
    check_member(call, room)
    if not is_open(room, call.services.client_rules):
        check_superuser(call, room)


def check_people_limit(call: Call, field: str, people: Sequence[str]) -> None:
    """Limit how many users one call of a client names. Raises LimitReached."""
    limit = call.services.client_rules.people_limit
    if not call.auth.backend and len(people) > limit:
        raise LimitReached(
            f"{field} must name at most {limit} people; send the rest in further calls, or let the backend do it"
        )


def check_tag_limit(call: Call, tags: Sequence[str]) -> None:
    """Limit how many tags a client's room has. Raises LimitReached."""
    limit = call.services.client_rules.tag_limit
    if not call.auth.backend and len(tags) > limit:
        raise LimitReached(f"roomTags must hold at most {limit} tags; send fewer, or let the backend set them")


async def check_known(call: Call, field: str, people: Sequence[str]) -> None:
    """A client may name only users that the backend has created. Raises Invalid."""
    if call.auth.backend:
        return
    known = await call.services.directory.known(app=call.auth.app, users=people)
    unknown = [user for user in people if user not in known]
    if unknown:
        more = f" and {len(unknown) - UNKNOWN_NAMED} more" if len(unknown) > UNKNOWN_NAMED else ""
        raise Invalid(
            field,
            f"{field} must name users that the backend has created; "
            f"unknown: {', '.join(unknown[:UNKNOWN_NAMED])}{more}",
        )


def check_direct_members(call: Call, room: str, people: Sequence[str]) -> None:
    """A client's direct room is for the caller and one other user, or for the two users in its id.

    Raises Invalid.
    """
    peers = peers_of(room)
    if not call.auth.backend and not (set(people) <= set(peers) if peers else len({call.auth.user, *people}) == 2):
        raise Invalid("members", "a direct room is for two: name exactly one other person")


def check_stays_direct(call: Call, before: Room, after: Room) -> None:
    """A client may make only a room with two members a direct one, and may not undo it.

    Raises Invalid.
    """
    was, is_now = (is_direct(room.room, room.tags, room.profile) for room in (before, after))
    if not call.auth.backend and was != is_now and (was or before.member_count != 2):
        raise Invalid(
            "roomType", "a direct room stays one" if was else "a direct room is for two: the room must have two members"
        )


def known_since(call: Call, room: Room) -> int:
    """The seq at which the member joined. Messages up to it are unknown to them. 0 for the backend,
    which knows all.
    """
    return room.me.joined if room.me and not call.auth.backend else 0


def seen(call: Call, room: Room) -> Made:
    """The condition for a change: the room must still be in the hands in which the caller's right
    was found.
    """
    return Made.ANYHOW if call.auth.backend else room.made

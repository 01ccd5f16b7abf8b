"""Counts of a room (apidocs/get-channel-counters, get-dm-counters).

Counts are exact: `unreads` is every countable message after the caller's cursor, without the
caller's own, in rooms of every kind. Mentions are not known here, so `userMentions` is 0. `msgs` is
how many messages were ever posted.
"""

from readstate.dialects.access.rooms import is_open
from readstate.dialects.base import ProblemError
from readstate.dialects.rocketchat import schemas
from readstate.dialects.rocketchat.errors import FORBIDDEN
from readstate.dialects.rocketchat.operation import Call, operation
from readstate.dialects.rocketchat.reply import Problem
from readstate.dialects.rocketchat.rooms import find_by_name, find_room
from readstate.dialects.rocketchat.validation import NOT_ONE_OF
from readstate.dialects.rocketchat.views import Kind, kind, last_seen_ms, own_name
from readstate.domain.identity import Session
from readstate.domain.rooms import MemberState, Room, Status
from readstate.times import iso

_UNKNOWN = "error-room-not-found"
_BY_ID_OR_NAME = 'The required "roomId" or "roomName" param provided does not match any '

NO_CHANNEL = Problem.coded(_UNKNOWN, _BY_ID_OR_NAME + "channel")
NO_GROUP = Problem.coded(_UNKNOWN, _BY_ID_OR_NAME + "group")
NO_DIRECT = Problem.coded(_UNKNOWN, 'The required "roomId" param provided does not match any direct message')
NO_PARAMETER = Problem.coded("error-room-param-not-provided", 'The parameter "roomId" or "roomName" is required')


@operation("GET /channels.counters")
async def channel_counters(request: Call, given: schemas.ChannelCounters) -> schemas.CountersAnswer:
    """The caller's counts in a channel, found by id, or by name among the caller's own."""
    room = await _room(request, "c", NO_CHANNEL, room=given.room or "", name=given.name or "", user=given.user)
    return await _room_counters(request, room, "channel")


@operation("GET /groups.counters", unmatched=NOT_ONE_OF)
async def group_counters(
    request: Call, given: schemas.GroupCounters | schemas.NamedGroupCounters
) -> schemas.CountersAnswer:
    """The caller's counts in a private group, found by id, or by name among the caller's own."""
    room, name = (given.room, "") if isinstance(given, schemas.GroupCounters) else ("", given.name)
    if not room and not name:
        raise ProblemError(NO_PARAMETER)
    found = await _room(request, "p", NO_GROUP, room=room, name=name, user=given.user)
    return await _room_counters(request, found, "private group")


@operation("GET /im.counters")
async def im_counters(request: Call, given: schemas.DirectCounters) -> schemas.CountersAnswer:
    """The caller's counts in a direct room."""
    return await _direct_counters(request, given)


@operation("GET /dm.counters")
async def dm_counters(request: Call, given: schemas.DirectCounters) -> schemas.CountersAnswer:
    """The same as im.counters."""
    return await _direct_counters(request, given)


async def _room(request: Call, wanted: Kind, unknown: Problem, *, room: str, name: str, user: str) -> Room:
    """The room of the wanted kind, by its id or else by its name: the caller's own, or an open one.

    Raises ProblemError.
    """
    services, session = request.services, request.auth
    _check_user(session, user)
    found = None
    if room:
        found = await find_room(services, session, room)
    elif name:
        found = await find_by_name(services, session, name, wanted)
    if found is None or kind(found) != wanted or not (found.me or is_open(found, services.client_rules)):
        raise ProblemError(unknown)
    return found


async def _direct_counters(request: Call, given: schemas.DirectCounters) -> schemas.CountersAnswer:
    session = request.auth
    _check_user(session, given.user)
    room = await find_room(request.services, session, given.room)
    if room is None or kind(room) != "d" or room.me is None:
        raise ProblemError(NO_DIRECT)
    seen_ms = last_seen_ms(room.me) if room.last else 0
    return await _counters(request, room, room.me, seen_ms)


async def _room_counters(request: Call, room: Room, what: str) -> schemas.CountersAnswer:
    """The counts of a room. For a caller that is not a member, only that.

    A frozen room is an archived one here; only its members learn its name. Raises ProblemError.
    """
    if room.me is None:
        return schemas.CountersAnswer(joined=False)
    if room.status is Status.FROZEN:
        raise ProblemError(Problem.coded("error-room-archived", f"The {what}, {own_name(room)}, is archived"))
    return await _counters(request, room, room.me, last_seen_ms(room.me) or room.me.moved_ms)


async def _counters(request: Call, room: Room, me: MemberState, from_ms: int) -> schemas.CountersAnswer:
    """`from_ms`: from when on messages are unread; 0 for none."""
    return schemas.CountersAnswer(
        joined=True,
        members=room.member_count,
        unreads=me.unread,
        unreads_from=iso(from_ms) if from_ms else None,
        msgs=await request.services.messages.count_messages(app=request.auth.app, room=room.room),
        latest=iso(room.last.at_ms if room.last else room.created_ms),
        user_mentions=0,
    )


def _check_user(session: Session, user: str) -> None:
    """Refuse questions about other users: no token here has that permission.

    Raises ProblemError.
    """
    if user not in ("", session.user):
        raise ProblemError(FORBIDDEN)

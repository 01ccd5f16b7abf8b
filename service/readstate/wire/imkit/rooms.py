"""One room: seen, created, changed, deleted (docs.imkit.io, Room Management)."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from litestar import delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter, RawBody
from msgspec.structs import replace

from readstate.domain.direct import is_direct
from readstate.domain.limits import check_id, check_members, check_tags
from readstate.domain.types import Made, MemberState, Room, Status
from readstate.errors import Invalid, RoomUnknown
from readstate.wire import costs
from readstate.wire.desk import Desk
from readstate.wire.imkit.access import (
    check_known,
    check_member,
    check_pair,
    check_people_limit,
    check_shown,
    check_stays_direct,
    check_superuser,
    check_tag_limit,
    known_since,
    seen,
)
from readstate.wire.imkit.announcing import added, announce
from readstate.wire.imkit.body import free_fields
from readstate.wire.imkit.call import Call, Caller, Who
from readstate.wire.imkit.documented import documented
from readstate.wire.imkit.messages import CountResult, CreatedRoomResult, NewRoom, RoomChange, RoomDeletedResult, RoomResult
from readstate.wire.imkit.profiles import merged, room_profile
from readstate.wire.imkit.reply import ok
from readstate.wire.imkit.views import people_in, personal, room_view, with_me
from readstate.wire.reply import Reply, encode
from readstate.wire.rooms import find_room, may_join, may_take

NOT_OFFERED_OF_ROOMS = frozenset({"quitted"})  # calls of IMKit's, and no rooms
PATH_WORDS = NOT_OFFERED_OF_ROOMS | {"ids", "createAndJoin"}  # what follows /rooms/ in another call's path


@get("/rooms/{room:str}", **documented("room", Who.EITHER, RoomResult, statuses=(404,)))
async def room(request: Call, room: FromPath[str]) -> Reply:
    """The room with its members and their read state. For members and the backend."""
    if room in NOT_OFFERED_OF_ROOMS:
        raise NotFoundException
    present = await request.desk.read_state.room(app=request.auth.app, room=room, user=request.auth.user)
    check_shown(request.auth, present)
    request.charge(costs.of_members(present.member_count))
    return await shown(request.desk, request.auth, present)


@get("/rooms/{room:str}/count", **documented("count_messages", Who.EITHER, CountResult, statuses=(404,), query=("timeInMS",)))
async def count_messages(
    request: Call, room: FromPath[str], time_in_ms: Annotated[int, QueryParameter(name="timeInMS", ge=0, le=2**53)] = 0
) -> Reply:
    """How many messages were sent after `timeInMS` (Unix milliseconds), or without it all.

    Deleted ones are not counted.

    For the backend, and for members since they joined. By a time, and for members, the newest 10,000 are
    looked at, as far as the room remembers them. Edits do not count: of them no time is kept.
    """
    caller, read_state = request.auth, request.desk.read_state
    present = await read_state.room(app=caller.app, room=room, user=caller.user)
    check_member(caller, present)
    after = known_since(caller, present)
    if time_in_ms or after:
        request.charge(costs.of_count(present.seq - after))
    return ok(CountResult(await read_state.count_messages(app=caller.app, room=room, since_ms=time_in_ms, after=after)))


@post("/rooms", **documented("create_room", Who.BACKEND, CreatedRoomResult, optional_body=True, cost=costs.JOIN))
async def create_room(request: Call, body: RawBody, data: JSONBody[NewRoom | None] = None) -> Reply:
    """Create a room; only `members` are in it.

    One that exists is returned unchanged, with `members` added.

    A room that a client made is taken over: it becomes as the call says, and who is not named leaves.
    `created` says whether the room is new.
    """
    _check_fields(body, {"invitee": "members", "invitees": "members"})
    caller, desk, wanted = request.auth, request.desk, data or NewRoom()
    members = check_members("members", wanted.members or ())
    actor = Caller(caller.app, caller.user or (check_id("owner", wanted.owner) if wanted.owner else ""), True, None)
    room, created = await desk.read_state.create_room(
        app=caller.app, room=_id(wanted), tags=wanted.room_tags or (), profile=room_profile(body), members=members
    )
    if wanted.system_message and created and members:
        await announce(desk, actor, room, added(members), members)
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    states = await desk.read_state.members(app=caller.app, room=room)
    view = await _view(desk, caller, present, states)
    return ok({**view, "members": [state.member for state in states], "created": created})


@post("/rooms/createAndJoin", **documented("create_and_join", Who.CLIENT, RoomResult, statuses=(404,), optional_body=True, cost=costs.JOIN))
async def create_and_join(request: Call, body: RawBody, data: JSONBody[NewRoom | None] = None) -> Reply:
    """Create a room and be in it, with the invitees; its creator owns it.

    One that exists is joined as it is, as by `join`.

    A client names users that the backend has created. With `invitationRequired` they are members only
    when they join.
    """
    _check_fields(body, {"invitees": "invitee"})
    caller, desk, wanted = request.auth, request.desk, data or NewRoom()
    given = _id(wanted)
    profile = merged("a room", {"owner": encode(caller.user)}, room_profile(body))
    others = [user for user in check_members("invitee", [caller.user, *_invitees(wanted)]) if user != caller.user]
    tags = check_tags("roomTags", wanted.room_tags or ())
    check_people_limit(desk, caller, "invitee", others)
    check_tag_limit(desk, caller, tags)
    before = await find_room(desk.read_state, app=caller.app, room=given, user=caller.user) if given else None
    if before is not None:
        return await come_in(desk, caller, before, others if caller.backend else (), announced=wanted.system_message is True)
    if not caller.backend and not may_take(given, caller.user):
        raise RoomUnknown(given)
    direct = is_direct(given, tags, profile)
    if direct:
        check_pair(caller, given, others)
    await check_known(desk, caller, "invitee", others)
    asked = not direct and must_accept(desk, caller, wanted.invitation_required)
    members = [caller.user] if asked else [caller.user, *others]
    room, created = await desk.read_state.create_room(
        app=caller.app, room=given, tags=tags, profile=profile, members=members, by_client=not caller.backend
    )
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    if not created:  # another call was quicker
        return await come_in(desk, caller, present, (), announced=wanted.system_message is True)
    if asked and others:
        made = Made.ANYHOW if caller.backend else Made.BY_CLIENT
        await desk.read_state.invite(app=caller.app, room=room, users=others, made=made)
    if wanted.system_message:
        brought = members[1:]
        await announce(desk, caller, room, added(brought) if brought else "joinRoom", brought or members)
        present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    check_member(caller, present)  # a backend may have taken the room over meanwhile
    return await shown(desk, caller, present)


@put("/rooms/{room:str}", **documented("update_room", Who.EITHER, RoomResult, statuses=(404,), cost=costs.CHANGE))
async def update_room(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[RoomChange]) -> Reply:
    """Change tags, status and profile fields. For the owner, the managers and the backend."""
    caller, desk = request.auth, request.desk
    profile = room_profile(body)
    tags = None if data.room_tags is None else check_tags("roomTags", data.room_tags)
    check_tag_limit(desk, caller, tags or ())
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    check_superuser(caller, present)
    if tags is not None or data.status is not None:
        request.charge(costs.of_change(present, tags or ()))
    wanted = replace(present, profile=merged("a room", present.profile, profile), tags=present.tags if tags is None else tags)
    check_stays_direct(caller, present, wanted)
    made = seen(caller, present)
    if tags is not None:
        await desk.read_state.set_tags(app=caller.app, room=room, tags=tags, by_client=not caller.backend, made=made)
    if profile:
        await desk.read_state.set_profile(app=caller.app, room=room, profile=profile, made=made)
    if data.status is not None:
        await desk.read_state.set_status(app=caller.app, room=room, status=Status(data.status), made=made)
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))


@delete("/rooms/{room:str}", **documented("delete_room", Who.EITHER, RoomDeletedResult, statuses=(404,), cost=costs.CHANGE))
async def delete_room(request: Call, room: FromPath[str]) -> Reply:
    """Delete the room with its messages, for good. For the owner, the managers and the backend."""
    caller, desk = request.auth, request.desk
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    check_superuser(caller, present)
    if not await desk.read_state.delete_room(app=caller.app, room=room, made=seen(caller, present)):
        raise RoomUnknown(room)
    return ok(RoomDeletedResult(1, 1))


def check_may_come_in(desk: Desk, caller: Caller, room: Room) -> None:
    """Members, who may join by themselves, and the backend only. Raises RoomUnknown."""
    if not caller.backend and room.me is None and not may_join(room, caller.user, desk.client_rules):
        raise RoomUnknown(room.room)


async def come_in(desk: Desk, caller: Caller, room: Room, others: Sequence[str], *, announced: bool) -> Reply:
    """Let the caller into a room that exists, if they may come in by themselves. Raises RoomUnknown.

    `others` come along when a backend says so.
    """
    check_may_come_in(desk, caller, room)
    coming = [*others] if room.me else [caller.user, *others]
    if coming:
        joined = await desk.read_state.add_members(
            app=caller.app, room=room.room, members=coming, by_client=not caller.backend, made=seen(caller, room)
        )
        if joined and announced:
            brought = [user for user in joined if user != caller.user]
            await announce(desk, caller, room.room, added(brought) if brought else "joinRoom", brought or joined)
        room = await desk.read_state.room(app=caller.app, room=room.room, user=caller.user)
        check_member(caller, room)  # as above
    return await shown(desk, caller, room)


def must_accept(desk: Desk, caller: Caller, asked: bool | None) -> bool:
    """Whether people become members only by joining: when asked for, and as set up for those whom clients bring."""
    return asked is True or (desk.client_rules.invited_must_accept and not caller.backend)


async def shown(desk: Desk, caller: Caller, room: Room) -> Reply:
    """The room as `caller` sees it."""
    states = await desk.read_state.members(app=caller.app, room=room.room)
    return ok(await _view(desk, caller, room, states))


async def _view(desk: Desk, caller: Caller, room: Room, states: Sequence[MemberState]) -> dict[str, object]:
    states = with_me(room, states)
    people = await desk.people.find(caller.app, people_in(room, states))
    view = room_view(caller.app, room, states, people)
    return personal(view, room, caller.user) if caller.user else view


def _check_fields(body: bytes, others: Mapping[str, str]) -> None:
    """Raises Invalid for a field that this call passes over; `others` has the one that is meant instead."""
    fields = free_fields(body, ()) if body else {}
    for name, meant in {"id": "_id", **others}.items():
        if name in fields and meant not in fields:
            raise Invalid(name, f"{name} is no field of this call; did you mean {meant}?")


def _id(wanted: NewRoom) -> str:
    """The id asked for, "" for a fresh one. Raises Invalid."""
    if wanted.id in PATH_WORDS:
        raise Invalid("_id", f"_id must not be {wanted.id}: /rooms/{wanted.id} is another call")
    return check_id("_id", wanted.id) if wanted.id is not None else ""


def _invitees(wanted: NewRoom) -> list[str]:
    invitee = [wanted.invitee] if isinstance(wanted.invitee, str) else wanted.invitee or []
    return [*invitee, *(wanted.members or ())]

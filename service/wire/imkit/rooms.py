"""One room: seen, created, changed, deleted (docs.imkit.io, Room Management)."""

from collections.abc import Sequence

from litestar import delete, get, post, put
from litestar.params import FromPath, JSONBody, RawBody

from service.domain.limits import check_id, check_members, check_tags
from service.domain.types import MemberState, Room, Status
from service.errors import RoomUnknown
from service.wire import costs
from service.wire.desk import Desk
from service.wire.imkit.access import check_may_come_in, check_member, check_superuser
from service.wire.imkit.announcing import added, announce
from service.wire.imkit.call import Call, Caller, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.messages import CreatedRoomResult, NewRoom, RoomChange, RoomDeletedResult, RoomResult
from service.wire.imkit.profiles import merged, room_profile
from service.wire.imkit.reply import ok
from service.wire.imkit.views import is_closed, people_in, personal, room_view
from service.wire.reply import Reply, encode
from service.wire.rooms import find_room


@get("/rooms/{room:str}", **documented("room", Who.EITHER, RoomResult, statuses=(404,)))
async def room(request: Call, room: FromPath[str]) -> Reply:
    """The room with its members and their read state. For members and the backend."""
    present = await request.desk.read_state.room(app=request.auth.app, room=room, user=request.auth.user)
    check_member(request.auth, present)
    request.charge(costs.of_members(present.member_count))
    return await shown(request.desk, request.auth, present)


@post("/rooms", **documented("create_room", Who.BACKEND, CreatedRoomResult, optional_body=True, cost=costs.JOIN))
async def create_room(request: Call, body: RawBody, data: JSONBody[NewRoom | None] = None) -> Reply:
    """Create a room; nobody but `members` is in it. One that exists is returned unchanged, with `members` added."""
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
    return ok({**view, "members": [state.member for state in states]})


@post("/rooms/createAndJoin", **documented("create_and_join", Who.CLIENT, RoomResult, optional_body=True, cost=costs.JOIN))
async def create_and_join(request: Call, body: RawBody, data: JSONBody[NewRoom | None] = None) -> Reply:
    """Create a room and be in it, with the invitees; its creator owns it. One that exists is joined as it is."""
    caller, desk, wanted = request.auth, request.desk, data or NewRoom()
    profile = merged("a room", {"owner": encode(caller.user)}, room_profile(body))
    invitees = [] if wanted.invitation_required and profile.get("roomType") != b'"direct"' else _invitees(wanted)
    members = check_members("invitee", [caller.user, *invitees])
    check_tags("roomTags", wanted.room_tags or ())
    before = await find_room(desk.read_state, app=caller.app, room=wanted.id, user=caller.user) if wanted.id else None
    if wanted.id and (before is None or before.me is None):
        check_may_come_in(caller, wanted.id)
    if before is not None:
        await _check_open(desk, caller, before, members)
    room, created = await desk.read_state.create_room(
        app=caller.app, room=_id(wanted), tags=wanted.room_tags or (), profile=profile, members=members
    )
    if wanted.system_message and (created or before is None or before.me is None):
        others = members[1:]
        await announce(desk, caller, room, added(others) if others else "joinRoom", others or members)
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))


@put("/rooms/{room:str}", **documented("update_room", Who.EITHER, RoomResult, statuses=(404,), cost=costs.CHANGE))
async def update_room(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[RoomChange]) -> Reply:
    """Change tags, status and profile fields. For the owner, the managers and the backend."""
    caller, desk = request.auth, request.desk
    profile = room_profile(body)
    tags = None if data.room_tags is None else check_tags("roomTags", data.room_tags)
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    check_superuser(caller, present)
    if tags is not None or data.status is not None:
        request.charge(costs.of_change(present, tags or ()))
    merged("a room", present.profile, profile)
    if profile:
        await desk.read_state.set_profile(app=caller.app, room=room, profile=profile)
    if tags is not None:
        await desk.read_state.set_tags(app=caller.app, room=room, tags=tags)
    if data.status is not None:
        await desk.read_state.set_status(app=caller.app, room=room, status=Status(data.status))
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))


@delete("/rooms/{room:str}", **documented("delete_room", Who.EITHER, RoomDeletedResult, statuses=(404,), cost=costs.CHANGE))
async def delete_room(request: Call, room: FromPath[str]) -> Reply:
    """Delete the room with its messages, for good. For the owner, the managers and the backend."""
    caller, desk = request.auth, request.desk
    check_superuser(caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))
    if not await desk.read_state.delete_room(app=caller.app, room=room):
        raise RoomUnknown(room)
    return ok(RoomDeletedResult(1, 1))


async def shown(desk: Desk, caller: Caller, room: Room) -> Reply:
    """The room as `caller` sees it."""
    states = await desk.read_state.members(app=caller.app, room=room.room)
    return ok(await _view(desk, caller, room, states))


async def _view(desk: Desk, caller: Caller, room: Room, states: Sequence[MemberState]) -> dict[str, object]:
    people = await desk.people.find(caller.app, people_in(room, states))
    view = room_view(caller.app, room, states, people)
    return personal(view, room, caller.user) if caller.user else view


async def _check_open(desk: Desk, caller: Caller, room: Room, members: Sequence[str]) -> None:
    """Into a closed room nobody comes who is not in it already, unless by its owner or managers. Raises Refused."""
    others = set(members) - ({caller.user} if room.me else set())
    if others and is_closed(room):
        states = await desk.read_state.members(app=caller.app, room=room.room)
        if not others.issubset(state.member for state in states):
            check_superuser(caller, room)


def _id(wanted: NewRoom) -> str:
    """The id asked for, "" for a fresh one. Raises Invalid."""
    return check_id("_id", wanted.id) if wanted.id is not None else ""


def _invitees(wanted: NewRoom) -> list[str]:
    invitee = [wanted.invitee] if isinstance(wanted.invitee, str) else wanted.invitee or []
    return [*invitee, *(wanted.members or ())]

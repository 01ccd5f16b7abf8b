"""Coming and going: join, add and remove members (docs.imkit.io, Room Members)."""

from litestar import post
from litestar.params import FromPath, JSONBody

from service.domain.limits import check_members
from service.wire import costs
from service.wire.imkit.access import check_may_come_in, check_member, check_open
from service.wire.imkit.announcing import added, announce, removed
from service.wire.imkit.call import Call, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.messages import Invitees, JoinRoom, Leavers, RoomResult
from service.wire.imkit.rooms import shown
from service.wire.reply import Reply


@post("/rooms/{room:str}/join", **documented("join", Who.CLIENT, RoomResult, statuses=(404,), optional_body=True, cost=costs.JOIN))
async def join(request: Call, room: FromPath[str], data: JSONBody[JoinRoom | None] = None) -> Reply:
    """Be in the room from here on, with nothing unread. Harmless for a member."""
    caller, desk = request.auth, request.desk
    before = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    request.charge(costs.of_members(before.member_count))
    if before.me is None:
        check_may_come_in(caller, room)
        check_open(caller, before)
    joined = await desk.read_state.add_members(app=caller.app, room=room, members=[caller.user])
    if joined and data and data.system_message:
        await announce(desk, caller, room, "joinRoom", joined)
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))


@post("/rooms/{room:str}/members", **documented("add_members", Who.EITHER, RoomResult, statuses=(404,), cost=costs.JOIN))
async def add_members(request: Call, room: FromPath[str], data: JSONBody[Invitees]) -> Reply:
    """Bring people into the room. For members and the backend; those who must be invited first join by themselves."""
    caller, desk = request.auth, request.desk
    members = check_members("invitees", data.invitees)
    before = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    request.charge(costs.of_members(before.member_count))
    check_member(caller, before)
    check_open(caller, before)
    if not data.invitation_required or before.profile.get("roomType") == b'"direct"':
        joined = await desk.read_state.add_members(app=caller.app, room=room, members=members)
        if joined and data.system_message:
            await announce(desk, caller, room, added(joined), joined)
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))


@post("/rooms/{room:str}/delete/members", **documented("remove_members", Who.EITHER, RoomResult, statuses=(404,), cost=costs.JOIN))
async def remove_members(request: Call, room: FromPath[str], data: JSONBody[Leavers]) -> Reply:
    """Take people out of the room; the own id alone is to leave. For members and the backend; in a closed room others go by its owner."""
    caller, desk = request.auth, request.desk
    members = check_members("members", data.members)
    before = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    request.charge(costs.of_members(before.member_count))
    check_member(caller, before)
    if members != [caller.user]:
        check_open(caller, before)
    left = await desk.read_state.remove_members(app=caller.app, room=room, members=members)
    if left and data.system_message:
        await announce(desk, caller, room, removed(caller, left), left)
    return await shown(desk, caller, await desk.read_state.room(app=caller.app, room=room, user=caller.user))

"""Membership: join, add and remove members (docs.imkit.io, Room Members)."""

from litestar.params import FromPath, JSONBody, RawBody

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit import access
from readstate.dialects.imkit.body import by_plain_name, check_options
from readstate.dialects.imkit.errors import MEMBER_NOT_FOUND
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.rooms import added, announce, check_may_enter, enter, must_accept, removed, shown
from readstate.dialects.imkit.schemas.rooms import AddMember, Invitees, JoinRoom, Leavers, MemberResult, RoomResult
from readstate.domain.direct import is_direct, peers_of
from readstate.domain.limits import Members, check_members
from readstate.times import iso

_OPTIONS = by_plain_name(["systemMessage", "invitationRequired"])


@operation("POST /rooms/{room:str}/join", Access.CLIENT, RoomResult, cost=costs.JOIN)
async def join(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[JoinRoom | None] = None) -> Reply:
    """Be in the room from here on, with nothing unread.

    For the invited, and for every user if the room is open.

    Harmless for a member.
    """
    check_options(body, _OPTIONS)
    before = await request.room(room)
    check_may_enter(request, before)
    request.charge(costs.of_members(before.member_count))
    return await enter(request, before, (), announced=data is not None and data.system_message is True)


@operation("POST /rooms/{room:str}/members", Access.EITHER, RoomResult, cost=costs.JOIN)
async def add_members(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[Invitees]) -> Reply:
    """Bring people into the room: users that the backend has created.

    For its owner, its managers and the backend; if open, for members.

    With `invitationRequired` they are members only when they join by themselves.
    """
    check_options(body, _OPTIONS)
    options = AddMember(data.system_message, data.invitation_required)
    return await _add(request, room, check_members("invitees", data.invitees), options)


@operation("POST /rooms/{room:str}/members/{user:str}", Access.EITHER, RoomResult, cost=costs.JOIN)
async def add_member(
    request: Call, room: FromPath[str], user: FromPath[str], body: RawBody, data: JSONBody[AddMember | None] = None
) -> Reply:
    """Bring one user into the room, as `POST /rooms/:id/members` does."""
    check_options(body, _OPTIONS)
    return await _add(request, room, check_members("invitees", [user]), data or AddMember())


async def _add(request: Call, room: str, members: Members, options: AddMember) -> Reply:
    """Raises what the checks and the domain raise."""
    principal, services = request.auth, request.services
    access.check_people_limit(request, "invitees", members)
    before = await request.room(room)
    access.check_may_add(request, before)
    request.charge(costs.of_members(before.member_count))
    direct = is_direct(room, before.tags, before.profile)
    if direct and not principal.backend:
        # A direct room without two users in its id is for the members that it has.
        states = () if peers_of(room) else await services.rooms.members(app=principal.app, room=room)
        access.check_direct_members(request, room, [*members, *(state.member for state in states)])
    await access.check_known(request, "invitees", members)
    made = access.seen(request, before)
    if not direct and must_accept(request, options.invitation_required):
        await services.rooms.invite(app=principal.app, room=room, users=members, made=made)
    else:
        joined = await services.rooms.add_members(
            app=principal.app, room=room, members=members, by_client=not principal.backend, made=made
        )
        if joined and options.system_message:
            await announce(request, room, added(joined), joined)
    return await shown(request, await request.room(room))


@operation("POST /rooms/{room:str}/delete/members", Access.EITHER, RoomResult, cost=costs.JOIN)
async def remove_members(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[Leavers]) -> Reply:
    """Take people out of the room, or take back their invitations.

    For its owner, its managers and the backend.

    The own id alone is to leave, which every member may.
    """
    check_options(body, _OPTIONS)
    return await _remove(
        request, room, check_members("members", data.members), system_message=data.system_message is True
    )


@operation("DELETE /rooms/{room:str}/members/{user:str}", Access.EITHER, RoomResult, cost=costs.JOIN)
async def remove_member(request: Call, room: FromPath[str], user: FromPath[str]) -> Reply:
    """Take one user out of the room, as `POST /rooms/:id/delete/members` does."""
    return await _remove(request, room, check_members("members", [user]), system_message=False)


async def _remove(request: Call, room: str, members: Members, *, system_message: bool) -> Reply:
    """Raises what the checks and the domain raise."""
    principal, services = request.auth, request.services
    access.check_people_limit(request, "members", members)
    before = await request.room(room)
    access.check_member(request, before)
    if members != [principal.user]:
        access.check_superuser(request, before)
    request.charge(costs.of_members(before.member_count))
    left = await services.rooms.remove_members(
        app=principal.app, room=room, members=members, made=access.seen(request, before)
    )
    if left and system_message:
        await announce(request, room, removed(principal, left), left)
    return await shown(request, await request.room(room))


@operation("GET /rooms/{room:str}/members/{user:str}", Access.EITHER, MemberResult)
async def member(request: Call, room: FromPath[str], user: FromPath[str]) -> Reply:
    """How far one member has read, also in a room that shows only some of its members.

    For members and the backend.
    """
    principal, services = request.auth, request.services
    present = await request.room(room)
    access.check_member(request, present)
    if user != principal.user:
        present = await services.rooms.room(app=principal.app, room=room, user=user)
    state = present.me
    if state is None:
        raise ProblemError(MEMBER_NOT_FOUND)
    joined_at = None if state.has_read else iso(state.moved_ms)  # until the first read only joining moves the cursor
    return ok(MemberResult(user, state.unread, state.last_read, joined_at))

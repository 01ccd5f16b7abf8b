"""One room: view, create, change, delete (docs.imkit.io, Room Management)."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter, RawBody
from msgspec.structs import replace

from readstate.dialects.access import costs
from readstate.dialects.access.rooms import find_room, may_claim_id, may_join
from readstate.dialects.http.reply import Reply, encode
from readstate.dialects.imkit import access
from readstate.dialects.imkit.body import free_fields, merged, room_profile
from readstate.dialects.imkit.operation import Access, Call, Principal, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import rooms as schemas
from readstate.dialects.imkit.views import personal, room_view, users_in, with_me
from readstate.domain.client_rules import Made
from readstate.domain.direct import is_direct
from readstate.domain.limits import Id, Members, check_id, check_members, check_room_tags, check_tags, new_id
from readstate.domain.rooms import MemberState, Room, Status
from readstate.errors import Invalid, RoomUnknown

NOT_OFFERED_OF_ROOMS = frozenset({"quitted"})  # calls of IMKit's, and no rooms
PATH_WORDS = NOT_OFFERED_OF_ROOMS | {"ids", "createAndJoin"}  # what follows /rooms/ in another call's path


@operation("GET /rooms/{room:str}", Access.EITHER, schemas.RoomResult)
async def room(request: Call, room: FromPath[str]) -> Reply:
    """The room with its members and their read state. For members and the backend."""
    if room in NOT_OFFERED_OF_ROOMS:
        raise NotFoundException
    present = await request.room(room)
    access.check_may_view(request, present)
    request.charge(costs.of_members(present.member_count))
    return await shown(request, present)


@operation("GET /rooms/{room:str}/count", Access.EITHER, schemas.CountResult, query=("timeInMS",))
async def count_messages(
    request: Call, room: FromPath[str], time_in_ms: Annotated[int, QueryParameter(name="timeInMS", ge=0, le=2**53)] = 0
) -> Reply:
    """How many messages were sent after `timeInMS` (Unix milliseconds), or without it all.

    Deleted ones are not counted.

    For the backend, and for members since they joined. By a time, and for members, the newest
    10,000 are looked at, as far as the room remembers them. Edits do not count: of them no time is
    kept.
    """
    principal, services = request.auth, request.services
    present = await request.room(room)
    access.check_member(request, present)
    after = access.known_since(request, present)
    if time_in_ms or after:
        request.charge(costs.of_count(present.seq - after))
    count = await services.messages.count_messages(app=principal.app, room=room, since_ms=time_in_ms, after=after)
    return ok(schemas.CountResult(count))


@operation("POST /rooms", Access.BACKEND, schemas.CreatedRoomResult, cost=costs.JOIN)
async def create_room(request: Call, body: RawBody, data: JSONBody[schemas.NewRoom | None] = None) -> Reply:
    """Create a room; only `members` are in it.

    One that exists is returned unchanged, with `members` added.

    A room that a client made is taken over: it becomes as the call says, and who is not named
    leaves. `created` says whether the room is new.
    """
    _check_fields(body, {"invitee": "members", "invitees": "members"})
    principal, services, wanted = request.auth, request.services, data or schemas.NewRoom()
    members = check_members("members", wanted.members or ())
    actor = principal.user or (check_id("owner", wanted.owner) if wanted.owner else "")
    given, profile = _id(wanted), room_profile(body)
    room = given or new_id()
    created = await services.rooms.create_room(
        app=principal.app,
        room=room,
        tags=check_room_tags("roomTags", check_tags("roomTags", wanted.room_tags or ())),
        profile=profile,
        members=members,
    )
    if wanted.system_message and created and members:
        await announce(request, room, added(members), members, sender=actor)
    present = await request.room(room)
    states = await services.rooms.members(app=principal.app, room=room)
    view = await _view(request, present, states)
    return ok({**view, "members": [state.member for state in states], "created": created})


@operation("POST /rooms/createAndJoin", Access.CLIENT, schemas.RoomResult, statuses=(404,), cost=costs.JOIN)
async def create_and_join(request: Call, body: RawBody, data: JSONBody[schemas.NewRoom | None] = None) -> Reply:
    """Create a room and be in it, with the invitees; its creator owns it.

    One that exists is joined as it is, as by `join`.

    A client names users that the backend has created. With `invitationRequired` they are members
    only when they join.
    """
    _check_fields(body, {"invitees": "invitee"})
    principal, services, wanted = request.auth, request.services, data or schemas.NewRoom()
    given = _id(wanted)
    profile = merged("a room", {"owner": encode(principal.user)}, room_profile(body))
    everyone = check_members("invitee", [principal.user, *_invitees(wanted)])
    creator, others = Members(everyone[:1]), Members(everyone[1:])
    tags = check_tags("roomTags", wanted.room_tags or ())
    access.check_people_limit(request, "invitee", others)
    access.check_tag_limit(request, tags)
    before = await find_room(services.rooms, app=principal.app, room=given, user=principal.user) if given else None
    if before is not None:
        return await enter(
            request, before, others if principal.backend else (), announced=wanted.system_message is True
        )
    if not principal.backend and not may_claim_id(given or "", principal.user):
        raise RoomUnknown(given)
    direct = is_direct(given or "", tags, profile)
    if direct:
        access.check_direct_members(request, given or "", others)
    await access.check_known(request, "invitee", others)
    asked = not direct and must_accept(request, wanted.invitation_required)
    room, members = given or new_id(), creator if asked else everyone
    created = await services.rooms.create_room(
        app=principal.app,
        room=room,
        tags=check_room_tags("roomTags", tags),
        profile=profile,
        members=members,
        by_client=not principal.backend,
    )
    present = await request.room(room)
    if not created:  # another call created it first
        return await enter(request, present, (), announced=wanted.system_message is True)
    if asked and others:
        made = Made.ANYHOW if principal.backend else Made.BY_CLIENT
        await services.rooms.invite(app=principal.app, room=room, users=others, made=made)
    if wanted.system_message:
        brought = members[1:]
        await announce(request, room, added(brought) if brought else "joinRoom", brought or members)
        present = await request.room(room)
    access.check_member(request, present)  # the backend may have taken the room over since
    return await shown(request, present)


@operation("PUT /rooms/{room:str}", Access.EITHER, schemas.RoomResult, cost=costs.CHANGE)
async def update_room(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[schemas.RoomChange]) -> Reply:
    """Change tags, status and profile fields. For the owner, the managers and the backend."""
    principal, services = request.auth, request.services
    profile = room_profile(body)
    tags = None if data.room_tags is None else check_tags("roomTags", data.room_tags)
    access.check_tag_limit(request, tags or ())
    present = await request.room(room)
    access.check_superuser(request, present)
    if tags is not None or data.status is not None:
        request.charge(costs.of_change(present, tags or ()))
    wanted = replace(
        present, profile=merged("a room", present.profile, profile), tags=present.tags if tags is None else tags
    )
    access.check_stays_direct(request, present, wanted)
    made = access.seen(request, present)
    if tags is not None:
        await services.rooms.set_tags(
            app=principal.app,
            room=room,
            tags=check_room_tags("roomTags", tags),
            by_client=not principal.backend,
            made=made,
        )
    if profile:
        await services.rooms.set_profile(app=principal.app, room=room, profile=profile, made=made)
    if data.status is not None:
        await services.rooms.set_status(app=principal.app, room=room, status=Status(data.status), made=made)
    return await shown(request, await request.room(room))


@operation("DELETE /rooms/{room:str}", Access.EITHER, schemas.RoomDeletedResult, cost=costs.CHANGE)
async def delete_room(request: Call, room: FromPath[str]) -> Reply:
    """Delete the room with its messages, for good. For the owner, the managers and the backend."""
    present = await request.room(room)
    access.check_superuser(request, present)
    made = access.seen(request, present)
    if not await request.services.rooms.delete_room(app=request.auth.app, room=room, made=made):
        raise RoomUnknown(room)
    return ok(schemas.RoomDeletedResult(1, 1))


def check_may_enter(call: Call, room: Room) -> None:
    """Only members, users who may join by themselves, and the backend. Raises RoomUnknown."""
    if not call.auth.backend and room.me is None and not may_join(room, call.auth.user, call.services.client_rules):
        raise RoomUnknown(room.room)


async def enter(call: Call, room: Room, others: Sequence[str], *, announced: bool) -> Reply:
    """Let the caller into an existing room, if they may join by themselves. Raises RoomUnknown.

    `others` are added too when a backend says so.
    """
    check_may_enter(call, room)
    coming = [*others] if room.me else [call.auth.user, *others]
    if coming:
        joined = await call.services.rooms.add_members(
            app=call.auth.app,
            room=room.room,
            members=check_members("members", coming),
            by_client=not call.auth.backend,
            made=access.seen(call, room),
        )
        if joined and announced:
            brought = [user for user in joined if user != call.auth.user]
            await announce(call, room.room, added(brought) if brought else "joinRoom", brought or joined)
        room = await call.services.rooms.room(app=call.auth.app, room=room.room, user=call.auth.user)
        access.check_member(call, room)  # as above
    return await shown(call, room)


def must_accept(call: Call, asked: bool | None) -> bool:
    """Whether added users become members only when they join: if asked for, or by the setting for
    users whom clients add.
    """
    return asked is True or (call.services.client_rules.invited_must_accept and not call.auth.backend)


async def shown(call: Call, room: Room) -> Reply:
    """The answer with the room as the caller sees it."""
    states = await call.services.rooms.members(app=call.auth.app, room=room.room)
    return ok(await _view(call, room, states))


async def _view(call: Call, room: Room, states: Sequence[MemberState]) -> dict[str, object]:
    states = with_me(room, states)
    people = await call.services.people.find(call.auth.app, users_in(room, states))
    view = room_view(call.auth.app, room, states, people)
    return personal(view, room, call.auth.user) if call.auth.user else view


def _check_fields(body: bytes, others: Mapping[str, str]) -> None:
    """Raises Invalid for a field that this call does not take. `others` has the name of the right
    field.
    """
    fields = free_fields(body, ()) if body else {}
    for name, meant in {"id": "_id", **others}.items():
        if name in fields and meant not in fields:
            raise Invalid(name, f"{name} is no field of this call; did you mean {meant}?")


def _id(wanted: schemas.NewRoom) -> Id | None:
    """The id asked for; None: a new one is made. Raises Invalid."""
    if wanted.id in PATH_WORDS:
        raise Invalid("_id", f"_id must not be {wanted.id}: /rooms/{wanted.id} is another call")
    return check_id("_id", wanted.id) if wanted.id is not None else None


def _invitees(wanted: schemas.NewRoom) -> list[str]:
    invitee = [wanted.invitee] if isinstance(wanted.invitee, str) else wanted.invitee or []
    return [*invitee, *(wanted.members or ())]


# System messages (docs.imkit.io, Message Types): a room reports changes of its members when
# `systemMessage` was asked for. The actor posts them after the change, so they are unread for all
# other members.

# Only the service posts messages of these types.
SYSTEM_TYPES = frozenset(
    (
        *("joinRoom", "leaveRoom", "cancelInvitations", "assignAdmin"),
        *("addMember", "addMembers", "deleteMember", "deleteMembers"),
    )
)


async def announce(call: Call, room: str, message_type: str, members: Sequence[str], sender: str = "") -> None:
    """Post a system message about `members` for the caller, or for `sender`. The backend without a
    user posts without a sender.
    """
    body = encode({"messageType": message_type, "message": "", "members": members}).decode()
    user = sender or call.auth.user
    await call.services.messages.post(
        app=call.auth.app, room=room, sender=check_id("sender", user) if user else None, body=body
    )


def added(members: Sequence[str]) -> str:
    """The type of a message about `members` whom the actor has added."""
    return "addMember" if len(members) == 1 else "addMembers"


def removed(principal: Principal, members: Sequence[str]) -> str:
    """The type of a message about `members` who have left or were removed."""
    if list(members) == [principal.user]:
        return "leaveRoom"
    return "deleteMember" if len(members) == 1 else "deleteMembers"

"""Reading: PUT /rooms/:id/lastRead and the badges (docs.imkit.io, Update Last Read and Message Badge)."""

from typing import Annotated

from litestar import get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from service.errors import Invalid, MessageUnknown, RoomUnknown
from service.wire.imkit.call import Call, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.errors import INVALID_ROOM_TAGS, INVALID_TAGS, MESSAGE_REQUIRED, ROOM_OR_MESSAGE_NOT_FOUND
from service.wire.imkit.messages import BadgeResult, MarkRead, ReadResult, TagBadgesResult, TagsAsked
from service.wire.imkit.reply import Reply, ok


@put(
    "/rooms/{room:str}/lastRead",
    **documented(
        "mark_read",
        Who.CLIENT,
        ReadResult,
        refusals={RoomUnknown: ROOM_OR_MESSAGE_NOT_FOUND, MessageUnknown: ROOM_OR_MESSAGE_NOT_FOUND},
        bad_body=MESSAGE_REQUIRED,
        statuses=(404,),
    ),
)
async def mark_read(request: Call, room: FromPath[str], data: JSONBody[MarkRead]) -> Reply:
    """Move the caller's cursor forward to a message of the room. An older one changes nothing and answers the newer cursor."""
    caller, desk = request.auth, request.desk
    reading = await desk.read_state.mark_read(app=caller.app, room=room, user=caller.user, message=data.message)
    badge = reading.badge if desk.lastread_badge_scope == "total" else reading.unread
    return ok(ReadResult(caller.user, reading.message, badge, reading.unread))


@get("/me/badge", **documented("badge", Who.CLIENT, BadgeResult, refusals={Invalid: INVALID_ROOM_TAGS}))
async def badge(
    request: Call,
    room_tags: Annotated[list[str] | None, QueryParameter(name="roomTags")] = None,
    room_tags_array: Annotated[list[str] | None, QueryParameter(name="roomTags[]")] = None,
) -> Reply:
    """The caller's unread messages in the rooms that carry every one of `roomTags`; without tags in all rooms."""
    caller = request.auth
    tags = [*(room_tags or ()), *(room_tags_array or ())]
    return ok(BadgeResult(await request.desk.read_state.badge(app=caller.app, user=caller.user, tags=tags)))


@post(
    "/badges/byRoomTags",
    **documented("badges_by_tags", Who.CLIENT, TagBadgesResult, refusals={Invalid: INVALID_TAGS}, bad_body=INVALID_TAGS),
)
async def badges_by_tags(request: Call, data: JSONBody[TagsAsked | None] = None) -> Reply:
    """The caller's unread messages per tag; without tags for every tag on the caller's rooms."""
    caller, tags = request.auth, (data.tags if data else None) or ()
    badges = await request.desk.read_state.badges_by_tags(app=caller.app, user=caller.user, tags=tags)
    return ok(TagBadgesResult(badges.total, badges.counts))

"""Reading: PUT /rooms/:id/lastRead and the badges (docs.imkit.io, Update Last Read and Message
Badge; api-doc of 2025-07, Get total badges of multiple users).

IMKit's form of the last is for several accounts on one device: their tokens are in the body. A
backend may name users instead, to send badges with push messages.
"""

from collections.abc import Sequence
from typing import Annotated

from litestar.params import FromPath, JSONBody, QueryParameter

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit import errors
from readstate.dialects.imkit.fast_path import FastRoutes
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import Failure, Ok, Problems, ok
from readstate.dialects.imkit.schemas import reading as schemas
from readstate.domain.limits import check_id, check_tags
from readstate.domain.reading import MarkedRead
from readstate.errors import Invalid, MessageUnknown, NotMember, ReadStateError, RoomUnknown

# A stranger gets the answer of a room that does not exist.
READ_PROBLEMS: Problems = {
    RoomUnknown: errors.ROOM_TO_READ_NOT_FOUND,
    NotMember: errors.ROOM_TO_READ_NOT_FOUND,
    MessageUnknown: errors.MESSAGE_TO_READ_NOT_FOUND,
}


@operation(
    "PUT /rooms/{room:str}/lastRead",
    Access.CLIENT,
    schemas.ReadResult,
    problems=READ_PROBLEMS,
    bad_body=errors.MISSING_PARAMETER,
)
async def mark_read(request: Call, room: FromPath[str], data: JSONBody[schemas.MarkRead]) -> Reply:
    """Move the caller's cursor forward to a message of the room.

    An older one changes nothing and answers the newer cursor.
    """
    principal, services = request.auth, request.services
    total = services.lastread_badge_scope == "total"
    reading = await services.reading.mark_read(
        app=principal.app,
        room=room,
        user=principal.user,
        message=data.message,
        with_badge=total,
        derived=request.charge_derived,
    )
    badge = reading.unread if reading.badge is None else reading.badge
    return ok(schemas.ReadResult(principal.user, reading.message, badge, reading.unread))


@operation("PUT /me/lastReads", Access.CLIENT, schemas.ReadManyResult)
async def mark_read_many(request: Call, data: JSONBody[schemas.MarkReadMany]) -> Reply:
    """Move the caller's cursors in up to 200 rooms.

    Each item is answered on its own, as PUT /rooms/:id/lastRead would.
    """
    principal = request.auth
    items = [(item.room, item.message) for item in data.items]
    request.charge(costs.of_reads(len(items)))
    outcomes, badge = await request.services.reading.mark_read_many(
        app=principal.app, user=principal.user, items=items, derived=request.charge_derived
    )
    results = [_item_read(room, outcome) for (room, _), outcome in zip(items, outcomes, strict=True)]
    return ok(schemas.ReadManyResult(principal.user, results, badge))


def _item_read(room: str, outcome: MarkedRead | ReadStateError) -> Ok | Failure:
    if isinstance(outcome, MarkedRead):
        return Ok(result=schemas.ItemRead(room, outcome.message, outcome.unread))
    problem, text = errors.explain(outcome, READ_PROBLEMS)
    return problem.envelope(text)


@operation(
    "GET /me/badge",
    Access.CLIENT,
    schemas.BadgeResult,
    problems={Invalid: errors.INVALID_ROOM_TAGS},
    query=("roomTags", "roomTags[]"),
)
async def badge(
    request: Call,
    room_tags: Annotated[list[str] | None, QueryParameter(name="roomTags")] = None,
    room_tags_array: Annotated[list[str] | None, QueryParameter(name="roomTags[]", include_in_schema=False)] = None,
) -> Reply:
    """The caller's unread messages in the rooms that carry every one of `roomTags`; without tags in
    all rooms.
    """
    principal = request.auth
    if room_tags and any(map(_looks_like_several, room_tags)):
        raise ProblemError(errors.SEVERAL_ROOM_TAGS)
    tags = check_tags("roomTags", [*(room_tags or ()), *(room_tags_array or ())])
    unread = await request.services.badges.badge(
        app=principal.app, user=principal.user, tags=tags, derived=request.charge_derived
    )
    return ok(schemas.BadgeResult(unread))


def _looks_like_several(tag: str) -> bool:
    """Whether a value seems to be a list of tags: with commas, in brackets, or as JSON."""
    return "," in tag or (tag[:1], tag[-1:]) in (("[", "]"), ('"', '"'))


@operation(
    "POST /badges/byRoomTags",
    Access.CLIENT,
    schemas.TagBadgesResult,
    problems={Invalid: errors.INVALID_TAGS},
    bad_body=errors.INVALID_TAGS,
    cost=costs.TAGS,
    query=(),
)
async def badges_by_tags(request: Call, data: JSONBody[schemas.TagsAsked | None] = None) -> Reply:
    """The caller's unread messages per tag; without tags for every tag on the caller's rooms."""
    principal, tags = request.auth, check_tags("tags", (data.tags if data else None) or ())
    badges = await request.services.badges.badges_by_tags(
        app=principal.app, user=principal.user, tags=tags, derived=request.charge_derived
    )
    return ok(schemas.TagBadgesResult(badges.total, badges.counts))


@operation("POST /badges", Access.TOKENS, schemas.BadgesResult, query=())
async def badges(request: Call, data: JSONBody[schemas.BadgesAsked]) -> Reply:
    """The unread messages of several users, each one's total over all rooms.

    Clients give the `tokens` of up to 20 users, and need only the client key. One that is no longer
    valid is left out; without any valid one the answer is a 401. Backends give up to 200 `clients`,
    or `tokens`. A user whom the service does not know has 0. Who is named twice is answered once.
    """
    principal, services = request.auth, request.services
    if (data.clients is None) == (data.tokens is None):
        problem = errors.MISSING_PARAMETER if data.clients is None else errors.INVALID_BODY
        raise ProblemError(problem, "Give tokens, or as a backend clients, and not both")
    if data.tokens is not None:
        users = await _users_of(request, data.tokens)
    elif principal.backend:
        users = list(dict.fromkeys(check_id("clients", user) for user in data.clients or ()))
        request.charge(costs.of_reads(len(users)))
    else:
        raise ProblemError(errors.NO_API_KEY_FOR_CLIENTS)

    def charge(user: str, rooms: int) -> None:
        services.rate_limits.charge(principal.app, "" if principal.backend else user, costs.of_derived(rooms))

    counts = await services.badges.badge_each(app=principal.app, users=users, derived=charge)
    listed = [schemas.UserBadge(user, count) for user, count in zip(users, counts, strict=True)]
    return ok(schemas.BadgesResult(listed, sum(counts)))


async def _users_of(request: Call, tokens: Sequence[str]) -> list[str]:
    """The users of the valid tokens. Each user pays for their own badge.

    Raises ProblemError when no token is valid, TooManyRequests.
    """
    app, services = request.services.apps.get(request.auth.app), request.services
    if app is None:
        raise ProblemError(errors.INVALID_TOKEN)
    users: dict[str, None] = {}
    for token in dict.fromkeys(tokens):
        session = await services.credentials.session((app,), token, client_address(request.scope))
        if session is not None and session.user not in users:
            services.rate_limits.take(app.app, session.user, costs.READ)
            users[session.user] = None
    if not users:
        raise ProblemError(errors.INVALID_TOKEN)
    return list(users)


FAST_ROUTES = FastRoutes(mark_read, mark_read_many, badge, badges_by_tags)

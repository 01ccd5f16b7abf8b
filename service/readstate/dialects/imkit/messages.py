"""Messages: sent, edited, recalled, deleted (docs.imkit.io, Messages).

The content of a message is answered and pushed as it was given; it is not kept.
"""

import re
from time import time_ns
from typing import Annotated

from litestar.params import FromPath, JSONBody, QueryParameter, RawBody
from msgspec import UNSET

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit import errors, posting
from readstate.dialects.imkit.access import check_superuser
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.rooms import SYSTEM_TYPES
from readstate.dialects.imkit.schemas import messages as schemas
from readstate.dialects.imkit.views import is_superuser, message_for_everybody, message_view, stored_message
from readstate.domain.limits import MAX_ID_BYTES, check_id
from readstate.domain.messages import MessageRef
from readstate.errors import MessageUnknown, RoomUnknown
from readstate.times import iso, unix_ms

_UNIX_MS = re.compile(r"\d{13}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@operation(
    "POST /rooms/{room:str}/message",
    Access.CLIENT,
    schemas.MessageResult,
    problems={RoomUnknown: errors.NOT_ROOM_MEMBER},
    cost=costs.POST,
)
async def send(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[schemas.RoomMessage]) -> Reply:
    """Send a message as a member; with `_id` edit that message, or recall it (`messageType`
    recall).

    Its time is that of its arrival, unless a backend says otherwise as in `post`: what a client
    says of it is passed over.
    """
    principal, services = request.auth, request.services
    text = posting.message_body(body, of_backend=principal.backend)
    if data.message_type in SYSTEM_TYPES and not principal.backend:
        raise ProblemError(
            errors.INVALID_BODY, f"messageType {data.message_type} is for what the service itself says; send another"
        )
    if data.id is not None:
        known = await _check_may_change(request, room, data.id)
        recalls = data.message_type == posting.RECALL
        change = services.messages.recall_message if recalls else services.messages.edit_message
        await change(app=principal.app, room=room, message=data.id, body=text)
        message, at_ms = known.message, known.at_ms
        sender = known.sender
    else:
        if data.message_type == posting.RECALL:
            posting.recallable(data)
        more = posting.options_of(principal, body)
        posted = await services.messages.post(
            app=principal.app,
            room=room,
            sender=check_id("sender", principal.user),
            countable=posting.is_countable(data),
            body=text,
            sender_must_be_member=True,
            **more,
        )
        request.charge(costs.of_counters(posted.moved))
        message, at_ms = posted.message, posted.at_ms
        sender = principal.user
    return ok(await message_for_everybody(services.people, principal.app, room, message, sender, at_ms, text))


@operation("POST /messages", Access.BACKEND, schemas.PostedResult, statuses=(404,), cost=costs.POST)
async def post(request: Call, body: RawBody, data: JSONBody[schemas.AdminMessage]) -> Reply:
    """Post a message in anybody's name, who need not be a member.

    With `_id` repeating it is harmless.

    An `_id` that the room knows already changes nothing: the answer has `created` false, and the
    sender and the time that are stored.
    """
    app, room = request.auth.app, data.room
    done = await posting.post_one(request, data, body)
    if done.body:
        view = message_view(app, room, done.message, done.sender, done.at_ms, done.body)
    else:
        view = stored_message(app, room, done.message, done.sender, done.at_ms)
    return ok({**view, "created": done.created})


@operation(
    "DELETE /rooms/{room:str}/messages/{message:str}", Access.EITHER, schemas.MessagesDeletedResult, cost=costs.CHANGE
)
async def delete_message(request: Call, room: FromPath[str], message: FromPath[str]) -> Reply:
    """Delete a message, or with `_all` every message, for good.

    For the owner, the managers and the backend.
    """
    principal, services = request.auth, request.services
    present = await request.room(room)
    check_superuser(request, present, errors.INSUFFICIENT_PERMISSION)
    request.charge(costs.of_fan_out(present.member_count, len(present.tags)))
    if message == posting.ALL:
        deleted = await services.messages.delete_messages(app=principal.app, room=room)
    else:
        deleted = await services.messages.delete_message(app=principal.app, room=room, message=message)
    return ok(schemas.MessagesDeletedResult(deleted.count, room, message, principal.user, iso(time_ns() // 1_000_000)))


@operation(
    "DELETE /rooms/{room:str}/messages",
    Access.BACKEND,
    schemas.MessagesDeletedResult,
    problems={MessageUnknown: errors.NO_SUCH_POINT},
    needed=("before",),
    cost=costs.CHANGE,
    query=("before",),
)
async def delete_messages(
    request: Call, room: FromPath[str], before: Annotated[str, QueryParameter(max_length=MAX_ID_BYTES)] = ""
) -> Reply:
    """Delete every message before one of them, which stays, or before a time, for good, as a
    retention rule does.

    `before`: the id of a message that is remembered, else an ISO-8601 time or 13 digits of Unix
    milliseconds. None of what is deleted is unread for any member, wherever their cursors are.
    Before a time go the messages from the beginning of the room up to the first one that was not
    sent before it; those that are no longer remembered, whose times are not known, go with the
    oldest remembered one.
    """
    if not before:
        raise ProblemError(errors.MISSING_PARAMETER, "before is required")
    principal, services = request.auth, request.services
    if len(request.query_params.getall("before")) > 1:
        raise ProblemError(errors.INVALID_QUERY, "before must be given once")
    present = await services.rooms.room(app=principal.app, room=room)
    request.charge(costs.of_fan_out(present.member_count, len(present.tags)))
    deleted = await services.messages.delete_messages(
        app=principal.app, room=room, before=before, before_ms=_time(before)
    )
    if deleted.first != before:  # it was found by a time
        request.charge(costs.of_count(deleted.count))
    which, first = (posting.BEFORE, deleted.first) if deleted.first else (posting.ALL, UNSET)
    now = iso(time_ns() // 1_000_000)
    return ok(schemas.MessagesDeletedResult(deleted.count, room, which, principal.user, now, first))


def _time(text: str) -> int | None:
    """A time in Unix ms; None when the text is an id.

    An id may be a number too. So a number is a time only after 1970 and up to a day ahead.
    """
    try:
        at_ms = int(text) if _UNIX_MS.fullmatch(text) else unix_ms(text) if _DATE.match(text) else 0
    except ValueError:
        return None
    return at_ms if 0 < at_ms <= posting.latest_ms() else None


async def _check_may_change(request: Call, room: str, message: str) -> MessageRef:
    """The message that the caller wants to change: their own, or any message if they manage the
    room.

    Raises ProblemError.
    """
    principal, services = request.auth, request.services
    present = await request.room(room)
    if present.me is None:
        raise ProblemError(errors.NOT_ROOM_MEMBER)
    request.charge(costs.of_fan_out(present.member_count, len(present.tags)))
    known = await services.messages.message(app=principal.app, room=room, message=message)
    if known.sender == principal.user or principal.backend or is_superuser(present, principal.user):
        return known
    # Messages from before they joined do not exist for them.
    await services.messages.message(app=principal.app, room=room, message=message, after=present.me.joined)
    raise ProblemError(errors.INSUFFICIENT_PERMISSIONS)

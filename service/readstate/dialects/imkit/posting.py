"""Posting one message, the same for every call: its options, and the result."""

from collections.abc import Awaitable, Callable
from time import time_ns
from typing import Any

import msgspec
from msgspec import Struct

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.body import decode
from readstate.dialects.imkit.body import by_plain_name, check_spelling, free_fields
from readstate.dialects.imkit.errors import MISSING_PARAMETER
from readstate.dialects.imkit.operation import Call, Principal
from readstate.dialects.imkit.schemas.messages import AdminMessage, BackendPost, RoomMessage
from readstate.domain.limits import check_id
from readstate.errors import Invalid
from readstate.times import unix_ms

ALL = "_all"  # in the place of a message's id: every message of the room
BEFORE = "_before"  # every message before one of them
RECALL = "recall"
# Types that change or decorate another message, or are silent: they raise no unread count.
UNCOUNTED_TYPES = frozenset({"edit", "reaction", "reactions", "silent"})
MAX_AHEAD_MS = 86_400_000  # clocks differ, and time zones are confused
EARLIEST_MS = 100_000_000_000  # 1973; times in seconds are below, until the year 5138

# Fields of the service and options: they are no part of the message.
_NOT_PART_OF_MESSAGE = frozenset(
    (
        *("_id", "id", "appID", "room", "sender", "receiver"),
        *("messageTime", "messageTimeMS", "createdAt", "createdAtMS", "updatedAt", "updatedAtMS"),
        *("countable", "silent", "push", "skipTotalBadge", "notify", "moveCursor", "asLastMessage"),
    )
)

# (whether to create it if there is none) -> the room's id; may raise ReadStateError
FindRoom = Callable[[bool], Awaitable[str]]

# Options for backends only. Misspelt, an option would become a part of the message and do nothing.
_OPTIONS = by_plain_name(
    (
        *("_id", "sender", "messageType", "messageTime", "messageTimeMS", "createdAtMS"),
        *("countable", "silent", "notify", "moveCursor", "asLastMessage"),
    )
)

_backend_post: Callable[[bytes], BackendPost] = msgspec.json.Decoder(BackendPost).decode


class PostResult(Struct, frozen=True):
    """What became of one message of the backend."""

    room: str
    message: str
    sender: str | None
    at_ms: int
    created: bool  # False: it existed already
    body: str  # of the message; "" for one that existed, since bodies are not kept


def message_body(body: bytes, *, of_backend: bool) -> str:
    """The part of a body that is the message: a JSON object with a `messageType` and without
    options.

    Raises BadBody, and Invalid for an option that a backend has misspelt.
    """
    fields = free_fields(body, _NOT_PART_OF_MESSAGE)
    if of_backend:
        check_spelling(fields, _OPTIONS)
    if fields.get("messageType", b"null") == b"null":
        fields["messageType"] = b'"text"'
    if fields["messageType"] == b'"recall"':
        fields = {"message": b'""', "messageType": b'"recall"'}
    return msgspec.json.encode({name: msgspec.Raw(value) for name, value in fields.items()}).decode()


def is_countable(message: RoomMessage | AdminMessage) -> bool:
    """Whether the message raises unread counts."""
    return message.countable is not False and not message.silent and message.message_type not in UNCOUNTED_TYPES


def options_of(principal: Principal, body: bytes) -> dict[str, Any]:
    """The options for `Messages.post` in a backend's body; none for a client, who may give none.

    Raises BadBody, Invalid.
    """
    return backend_options(decode(_backend_post, body)) if principal.backend else {}


def backend_options(post: BackendPost) -> dict[str, Any]:
    """The options for `Messages.post` of a message of the backend. Raises Invalid."""
    return {
        "sent_ms": _sent_ms(post),
        "move_cursor": post.move_cursor,
        "as_last": post.as_last_message,
        "notify": post.notify is not False,
    }


async def post_one(call: Call, data: AdminMessage, raw: bytes, find_room: FindRoom | None = None) -> PostResult:
    """Post, or recall, one message of the backend.

    `find_room` finds the room instead of `data.room`. It is called when the message itself is
    valid. Raises BadBody, ProblemError and what the domain raises.
    """
    check_id("room", data.room)
    message = None if data.id is None else check_id("_id", data.id)
    if message in (ALL, BEFORE):
        raise Invalid("_id", f"_id must not be {data.id}")
    if message is None:
        _check_no_other_id(raw)
    body = message_body(raw, of_backend=True)
    app, room = call.auth.app, data.room
    if data.message_type == RECALL:
        recalled = recallable(data)
        room = await find_room(False) if find_room else room
        known = await call.services.messages.message(app=app, room=room, message=recalled)
        await call.services.messages.recall_message(app=app, room=room, message=known.message, body=body)
        return PostResult(room, known.message, known.sender, known.at_ms, False, body)
    countable, options = is_countable(data), backend_options(data)
    room = await find_room(True) if find_room else room
    posted = await call.services.messages.post(
        app=app,
        room=room,
        message=message,
        sender=check_id("sender", data.sender) if data.sender else None,
        countable=countable,
        body=body,
        **options,
    )
    call.charge(costs.of_counters(posted.moved))
    return PostResult(room, posted.message, posted.sender, posted.at_ms, posted.created, body if posted.created else "")


def _check_no_other_id(raw: bytes) -> None:
    """Raises Invalid for an `id` without `_id`: the message would get another id."""
    if b'"id"' in raw and "id" in free_fields(raw, ()):
        raise Invalid("id", "id is no field of this call; did you mean _id?")


def recallable(message: RoomMessage | AdminMessage) -> str:
    """The id of the message to recall. Raises ProblemError."""
    if message.id is None:
        raise ProblemError(MISSING_PARAMETER, "_id is required")
    return message.id


def _sent_ms(post: BackendPost) -> int | None:
    """The time at which the backend sent the message; None: it gives none. Raises Invalid."""
    given = {
        "messageTime": _time(post.message_time),
        "messageTimeMS": post.message_time_ms,
        "createdAtMS": post.created_at_ms,
    }
    times = {name: at_ms for name, at_ms in given.items() if at_ms is not None}
    if len(set(times.values())) > 1:
        raise Invalid("messageTime", f"{' and '.join(times)} must be the same time; one of them is enough")
    for name, at_ms in times.items():
        if not EARLIEST_MS < at_ms <= latest_ms():
            unit = " in Unix milliseconds" if name.endswith("MS") else ""
            raise Invalid(name, f"{name} must be a time{unit}, after 1973 and no more than a day ahead")
        return at_ms
    return None


def latest_ms() -> int:
    """The latest allowed time of a message, in Unix ms."""
    return time_ns() // 1_000_000 + MAX_AHEAD_MS


def _time(text: str | None) -> int | None:
    try:
        return None if text is None else unix_ms(text)
    except ValueError:
        raise Invalid("messageTime", "messageTime must be an ISO-8601 time") from None

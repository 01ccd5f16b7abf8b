"""Messages: sent, edited, recalled, deleted, ingested in bulk (docs.imkit.io, Messages).

What a message says is answered and pushed as it was given, and not kept.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from time import time_ns

import msgspec
from litestar import delete, post
from litestar.params import FromPath, JSONBody, RawBody
from msgspec import Struct

from service.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, check_id, new_id
from service.errors import Invalid, ReadStateError, RoomUnknown
from service.wire import costs
from service.wire.body import BadBody, decode
from service.wire.desk import Desk
from service.wire.imkit.access import check_superuser
from service.wire.imkit.announcing import SYSTEM_TYPES
from service.wire.imkit.body import free_fields
from service.wire.imkit.call import Call, Caller, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.errors import (
    INSUFFICIENT_PERMISSION,
    INSUFFICIENT_PERMISSIONS,
    INVALID_BODY,
    MISSING_PARAMETER,
    NOT_ROOM_MEMBER,
    SERVICE_UNAVAILABLE,
    Refused,
    explain,
    explain_body,
)
from service.wire.imkit.messages import (
    AdminMessage,
    Batch,
    BatchPosted,
    BatchResult,
    MessageResult,
    MessagesDeletedResult,
    RoomMessage,
)
from service.wire.imkit.reply import Failure, Ok, ok
from service.wire.imkit.views import is_superuser, message_for_everybody, message_view
from service.wire.reply import Reply
from service.wire.times import iso

ALL = "_all"  # in the place of a message's id: every message of the room
RECALL = "recall"
# Types that change or decorate another message, or are not for people: nobody's unread count rises.
UNCOUNTED_TYPES = frozenset({"edit", "reaction", "reactions", "silent"})

# What belongs to us or says what to do, and is no part of the message.
_TAKEN = frozenset(
    [
        "_id",
        "id",
        "appID",
        "room",
        "sender",
        "messageTime",
        "messageTimeMS",
        "createdAt",
        "createdAtMS",
        "updatedAt",
        "updatedAtMS",
        "countable",
        "silent",
        "push",
        "skipTotalBadge",
        "receiver",
    ]
)


class _Room(Struct, frozen=True):
    room: str = ""


_admin_message: Callable[[bytes], AdminMessage] = msgspec.json.Decoder(AdminMessage).decode
_room: Callable[[bytes], _Room] = msgspec.json.Decoder(_Room).decode


@post(
    "/rooms/{room:str}/message",
    **documented("send", Who.CLIENT, MessageResult, refusals={RoomUnknown: NOT_ROOM_MEMBER}, statuses=(404,), cost=costs.POST),
)
async def send(request: Call, room: FromPath[str], body: RawBody, data: JSONBody[RoomMessage]) -> Reply:
    """Send a message as a member; with `_id` edit that message, or recall it (`messageType` recall)."""
    caller, desk = request.auth, request.desk
    text = message_body(body)
    if data.message_type in SYSTEM_TYPES and not caller.backend:
        raise Refused(INVALID_BODY, f"messageType {data.message_type} is for what the service itself says; send another")
    if data.id is not None:
        sender = await _check_may_change(request, room, data.id)
        message, at_ms = data.id, await _change(desk, caller, room, data.id, text, recall=data.message_type == RECALL)
    else:
        _check_new(data)
        posted = await desk.read_state.post(
            app=caller.app, room=room, sender=caller.user, countable=is_countable(data), body=text, sender_must_be_member=True
        )
        request.charge(costs.of_counters(posted.moved))
        sender, message, at_ms = caller.user, posted.message, posted.at_ms
    return ok(await message_for_everybody(desk.people, caller.app, room, message, sender, at_ms, text))


@post("/messages", **documented("post", Who.BACKEND, MessageResult, statuses=(404,), cost=costs.POST))
async def post_message(request: Call, body: RawBody, data: JSONBody[AdminMessage]) -> Reply:
    """Post a message in anybody's name, who need not be a member. With `_id` repeating it is harmless."""
    done = await _post(request.desk, request.auth, data, body)
    return ok(message_view(request.auth.app, data.room, done.message, data.sender, done.at_ms, done.body))


@post("/messages/batch", **documented("post_batch", Who.BACKEND, BatchResult, max_body_bytes=MAX_BATCH_BODY_BYTES, cost=costs.POST))
async def post_batch(request: Call, data: JSONBody[Batch]) -> Reply:
    """Post up to 500 messages. Each is answered on its own, in the order given; those of one room are posted in that order.

    When it fails on our side (503), those behind it in its room are not tried, so that repeating them all keeps the order.
    """
    given = data.messages if data.messages is not None else data.paras
    if given is None:
        raise Refused(MISSING_PARAMETER, "messages is required")
    items = [bytes(item) for item in given]
    request.charge(costs.POST * (len(items) - 1))
    by_room: defaultdict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        by_room[_room_of(item)].append(place)
    results: list[Ok | Failure | None] = [None] * len(items)

    async def post_in_order(places: list[int]) -> None:
        held_up = False
        for place in places:
            result = SERVICE_UNAVAILABLE.envelope() if held_up else await _post_item(request.desk, request.auth, items[place])
            held_up = isinstance(result, Failure) and result.RC >= 500
            results[place] = result

    await asyncio.gather(*(post_in_order(places) for places in by_room.values()))
    return ok(BatchResult(new_id(), len(results), results))


@delete(
    "/rooms/{room:str}/messages/{message:str}",
    **documented("delete_message", Who.EITHER, MessagesDeletedResult, statuses=(404,), cost=costs.CHANGE),
)
async def delete_message(request: Call, room: FromPath[str], message: FromPath[str]) -> Reply:
    """Delete a message, or with `_all` every message, for good. For the owner, the managers and the backend."""
    caller, desk = request.auth, request.desk
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    check_superuser(caller, present, INSUFFICIENT_PERMISSION)
    request.charge(costs.of_fan_out(present.member_count, len(present.tags)))
    if message == ALL:
        deleted = await desk.read_state.delete_all_messages(app=caller.app, room=room)
    else:
        deleted = await desk.read_state.delete_message(app=caller.app, room=room, message=message)
    return ok(MessagesDeletedResult(deleted.count, room, message, caller.user, iso(time_ns() // 1_000_000)))


def message_body(body: bytes) -> str:
    """The part of a body that is the message: a JSON object, with a `messageType` and without what is ours. Raises BadBody."""
    fields = free_fields(body, _TAKEN)
    if fields.get("messageType", b"null") == b"null":
        fields["messageType"] = b'"text"'
    if fields["messageType"] == b'"recall"':
        fields = {"message": b'""', "messageType": b'"recall"'}
    return msgspec.json.encode({name: msgspec.Raw(value) for name, value in fields.items()}).decode()


def is_countable(message: RoomMessage | AdminMessage) -> bool:
    """Whether the message makes anybody's unread count rise."""
    return message.countable is not False and not message.silent and message.message_type not in UNCOUNTED_TYPES


def _recallable(message: RoomMessage | AdminMessage) -> str:
    """The id of the message to recall. Raises Refused."""
    if message.id is None:
        raise Refused(MISSING_PARAMETER, "_id is required")
    return message.id


def _check_new(message: RoomMessage) -> None:
    if message.message_type == RECALL:
        _recallable(message)


async def _check_may_change(request: Call, room: str, message: str) -> str:
    """Who sent the message that the caller wants to change: they themselves, unless the caller manages the room. Raises Refused."""
    caller, desk = request.auth, request.desk
    present = await desk.read_state.room(app=caller.app, room=room, user=caller.user)
    if present.me is None:
        raise Refused(NOT_ROOM_MEMBER)
    request.charge(costs.of_fan_out(present.member_count, len(present.tags)))
    sender = await desk.read_state.message_sender(app=caller.app, room=room, message=message)
    if sender == caller.user or caller.backend or is_superuser(present, caller.user):
        return sender
    # What was posted before they joined is not there for them.
    await desk.read_state.message_sender(app=caller.app, room=room, message=message, after=present.me.joined)
    raise Refused(INSUFFICIENT_PERMISSIONS)


async def _change(desk: Desk, caller: Caller, room: str, message: str, body: str, *, recall: bool) -> int:
    """Recall or edit a message; the time to show for it."""
    if recall:
        await desk.read_state.recall_message(app=caller.app, room=room, message=message, body=body)
        return time_ns() // 1_000_000
    return (await desk.read_state.edit_message(app=caller.app, room=room, message=message, body=body)).at_ms


class _Done(Struct, frozen=True):
    """What became of one message of the backend."""

    message: str
    at_ms: int
    created: bool
    body: str


async def _post(desk: Desk, caller: Caller, data: AdminMessage, raw: bytes) -> _Done:
    """Post, or recall, one message of the backend. Raises BadBody, Refused and what the domain raises."""
    check_id("room", data.room)
    if data.id is not None:
        _check_message_id(data.id)
    body = message_body(raw)
    if data.message_type == RECALL:
        message = _recallable(data)
        return _Done(message, await _change(desk, caller, data.room, message, body, recall=True), False, body)
    posted = await desk.read_state.post(
        app=caller.app, room=data.room, sender=data.sender or "", message=data.id or "", countable=is_countable(data), body=body
    )
    return _Done(posted.message, posted.at_ms, posted.created, body)


def _check_message_id(message: str) -> None:
    if check_id("_id", message) == ALL:
        raise Invalid("_id", f"_id must not be {ALL}")


async def _post_item(desk: Desk, caller: Caller, item: bytes) -> Ok | Failure:
    """Post one message of a batch and say in an envelope what became of it."""
    try:
        if len(item) > MAX_BODY_BYTES:
            raise Invalid("message", f"a message must have at most {MAX_BODY_BYTES} bytes")
        data = decode(_admin_message, item)
        done = await _post(desk, caller, data, item)
        return Ok(result=BatchPosted(done.message, done.message, data.room, done.at_ms, done.created))
    except BadBody as error:
        problem, message = explain_body(error)
        return problem.envelope(message)
    except Refused as error:
        return error.problem.envelope(str(error))
    except ReadStateError as error:
        problem, message = explain(error)
        return problem.envelope(message)


def _room_of(item: bytes) -> str:
    """Which items of a batch wait for each other. Those that name no room do not matter."""
    try:
        return _room(item).room
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""

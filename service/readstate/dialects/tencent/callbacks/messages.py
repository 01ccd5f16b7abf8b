"""Messages sent and recalled.

C2C.CallbackAfterSendMsg, C2C.CallbackAfterMsgWithDraw, Group.CallbackAfterSendMsg,
Group.CallbackAfterRecallMsg. A message is known by its `MsgKey`, in a group by its `MsgSeq`, so
repeats count once. Messages stand in the order of their arrival. A recall that comes before its
message puts a placeholder under the message's id, and the message does not count when it comes.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, field

from readstate.batches import gather_batched
from readstate.dialects.tencent.callbacks import schemas
from readstate.dialects.tencent.callbacks.context import CallbackContext
from readstate.dialects.tencent.callbacks.groups import is_over, open_group
from readstate.dialects.tencent.callbacks.order import begins, has_ended, membership
from readstate.dialects.tencent.group_types import has_unread
from readstate.dialects.tencent.naming import message_of_seq, time_ms
from readstate.domain.client_rules import Made
from readstate.domain.limits import check_id
from readstate.errors import MessageUnknown, NotMember, RoomUnknown

MAX_TEXT_CHARS = 16_384  # pushed of a message; Tencent's have at most 12 KB

_RECALLED = '{"message":"","messageType":"recall"}'


async def direct_sent(context: CallbackContext, body: schemas.DirectSent) -> None:
    """A message of two. It is read at once if its receiver has read up to a later time."""
    if not body.counts:
        return
    post = _post_of(context, body, body.msg_key)
    try:
        await post(sender_must_be_member=True)
    except (RoomUnknown, NotMember):
        await context.open_conversation(body.from_account, body.to_account)
        await post()


async def group_sent(context: CallbackContext, body: schemas.GroupSent) -> None:
    """A message in a group or topic. Its sender is a member, known or not, or the app's server."""
    if body.online_only_flag == 1:
        return
    sender = body.from_account
    counts = has_unread(body.kind or "")
    # The cursor moves, and it is the last message, in a group without unread counts too.
    post = partial(
        _post_of(context, body, message_of_seq(body.msg_seq)), countable=counts, move_cursor=True, as_last=True
    )
    is_person = bool(sender) and sender not in context.admins
    try:
        await post(sender_must_be_member=is_person)
    except (RoomUnknown, NotMember) as error:
        if isinstance(error, RoomUnknown) and await is_over(context, body):
            return
        await open_group(context, body, [sender] if is_person and await _was_in(context, body, sender) else [])
        await post()


def _post_of(
    context: CallbackContext, body: schemas.DirectSent | schemas.GroupSent, message: str
) -> Callable[..., Awaitable[Any]]:
    """`Messages.post` with all that a callback says of a message with this id."""
    return partial(
        context.read_state.messages.post,
        app=context.app,
        room=body.room,
        message=check_id("message", message),
        sender=check_id("sender", body.from_account) if body.from_account else None,
        body=pushed(body.msg_body),
        sent_ms=_sent_ms(body.msg_time),
        by_time=True,
        made=Made.NOT_BY_CLIENT,
    )


async def _was_in(context: CallbackContext, body: schemas.GroupSent, sender: str) -> bool:
    """Whether the sender of a message may still be in the group, as they were when they sent it."""
    what = membership(body.group, sender)
    if await has_ended(context, what, body.at_ms):
        return False
    await begins(context, what, body.at_ms)
    return True


async def direct_recalled(context: CallbackContext, body: schemas.DirectRecalled) -> None:
    """A message of two was recalled: it is unread for neither of them any more."""
    await _recall(
        context, body.room, body.msg_key, lambda: context.open_conversation(body.from_account, body.to_account)
    )


async def group_recalled(context: CallbackContext, body: schemas.GroupRecalled) -> None:
    """The same for messages of a group or topic, unless it has ended."""
    if await is_over(context, body):
        return
    open_room = partial(open_group, context, body, [])
    await gather_batched(lambda message: _recall(context, body.room, message.id, open_room), body.msg_seq_list)


async def _recall(context: CallbackContext, room: str, message: str, open_room: Callable[[], Awaitable[Any]]) -> None:
    recall = partial(
        context.read_state.messages.recall_message, app=context.app, room=room, message=message, body=_RECALLED
    )
    try:
        await recall()
    except (RoomUnknown, MessageUnknown):
        await open_room()
        # Without a sender, since a sender's cursor would move to it.
        await context.read_state.messages.post(
            app=context.app,
            room=room,
            sender=None,
            message=check_id("message", message),
            countable=False,
            body=_RECALLED,
        )
        await recall()


def _sent_ms(time_s: int) -> int | None:
    """`MsgTime` for `post`; None when there is none."""
    return schemas.believable(time_ms(time_s)) if time_s else None


class _Content(Struct, frozen=True):
    text: str = field(default="", name="Text")


class _Element(Struct, frozen=True):
    content: _Content = field(default=_Content(), name="MsgContent")


def pushed(msg_body: Any) -> str:
    """What devices on our sockets get of a message: its text parts, up to MAX_TEXT_CHARS."""
    try:
        elements = msgspec.convert(msg_body, list[_Element])
    except msgspec.ValidationError:
        elements = []
    text = "".join(element.content.text for element in elements)
    return msgspec.json.encode({"messageType": "text", "message": text[:MAX_TEXT_CHARS]}).decode()

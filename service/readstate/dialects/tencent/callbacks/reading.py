"""What was read on Tencent's side, while an app uses both.

C2C.CallbackAfterMsgReport, AfterMsgReadReceipt, AfterMsgReadAll, Group.CallbackAfterReadReceipt.
Cursors only move forward, and no webhook of ours repeats what a callback said. Reading in a room
that is unknown here changes nothing, and no receipt moves a cursor.
"""

from collections import defaultdict
from collections.abc import Sequence

from readstate.batches import gather_batched, in_batches
from readstate.dialects.tencent.callbacks import schemas
from readstate.dialects.tencent.callbacks.context import CallbackContext
from readstate.dialects.tencent.naming import message_of_seq, time_ms
from readstate.domain.direct import direct_room, peers_of
from readstate.domain.limits import MAX_RECEIPT_MESSAGES
from readstate.errors import MessageUnknown, NotMember, RoomTooLarge, RoomUnknown


async def direct_read(context: CallbackContext, body: schemas.DirectRead) -> None:
    """A conversation was read up to a second, messages that have yet to come included."""
    room = direct_room(body.report_account, body.peer_account)
    try:
        await _read_until(context, room, body.report_account, time_ms(body.last_read_time))
    except (RoomUnknown, NotMember):
        await context.open_conversation(body.report_account, body.peer_account)
        await _read_until(context, room, body.report_account, time_ms(body.last_read_time))


async def direct_receipts(context: CallbackContext, body: schemas.DirectReceipts) -> None:
    """Single messages of two were read."""
    room = direct_room(body.operator_account, body.peer_account)
    await _acknowledge(context, room, body.operator_account, [message.msg_key for message in body.c2c_msg_info])


async def all_read(context: CallbackContext, body: schemas.AllRead) -> None:
    """Every conversation of two was read, and the groups named up to a message."""
    user = body.report_account
    until_ms = time_ms(body.at_ms // 1000)
    rooms = [room for room in await context.read_state.rooms.rooms_of(app=context.app, user=user) if peers_of(room)]
    await gather_batched(lambda room: _read_until(context, room, user, until_ms), rooms)
    await gather_batched(lambda group: _group_read(context, user, group, until_ms), body.group_read_info)


async def group_receipts(context: CallbackContext, body: schemas.GroupReceipts) -> None:
    """Single messages of a group were read."""
    read: defaultdict[str, list[str]] = defaultdict(list)
    for receipt in body.group_msg_receipt_list:
        for member in receipt.read_receipt_members:
            read[member.member_account].append(receipt.id)
    await gather_batched(lambda user: _acknowledge(context, body.room, user, read[user]), list(read))


async def _group_read(context: CallbackContext, user: str, group: schemas.GroupReadTo, until_ms: int) -> None:
    message = message_of_seq(group.msg_seq)
    try:
        await context.read_state.reading.mark_read(
            app=context.app, room=group.group_id, user=user, message=message, notify_backend=False, with_badge=False
        )
    except MessageUnknown:
        # Tencent numbers notices too, and callbacks do not report all of them.
        await _read_until(context, group.group_id, user, until_ms)
    except (RoomUnknown, NotMember):
        return


async def _read_until(context: CallbackContext, room: str, user: str, until_ms: int) -> None:
    # A message that is not sent yet has not been read.
    await context.read_state.reading.mark_read_until(
        app=context.app,
        room=room,
        user=user,
        until_ms=schemas.believable(until_ms),
        notify_backend=False,
        with_badge=False,
    )


async def _acknowledge(context: CallbackContext, room: str, user: str, messages: Sequence[str]) -> None:
    for batch in in_batches(messages, MAX_RECEIPT_MESSAGES):
        try:
            await context.read_state.reading.acknowledge(app=context.app, room=room, user=user, messages=batch)
        except (RoomUnknown, NotMember, RoomTooLarge):
            return

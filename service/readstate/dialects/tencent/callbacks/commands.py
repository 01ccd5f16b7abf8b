"""The commands that do something (Tencent Cloud Chat, Webhook Command List).

Other commands are acknowledged, and change nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from readstate.dialects.http.body import decode
from readstate.dialects.tencent.callbacks import groups, messages, reading, topics
from readstate.dialects.tencent.callbacks import schemas as bodies
from readstate.dialects.tencent.callbacks.context import CallbackContext


class Command(Struct, frozen=True):
    """One command: the type of its body, and what it does. Doing it twice, or late, is harmless."""

    decode: Callable[[bytes], Any]
    do: Callable[[CallbackContext, Any], Awaitable[None]]

    async def carry_out(self, context: CallbackContext, body: bytes) -> None:
        """Do what `body` says. Raises BadBody, and what the operations raise."""
        await self.do(context, decode(self.decode, body))


def _command(body: type[bodies.Callback], do: Callable[[CallbackContext, Any], Awaitable[None]]) -> Command:
    return Command(msgspec.json.Decoder(body, strict=False).decode, do)


COMMANDS = {
    "C2C.CallbackAfterSendMsg": _command(bodies.DirectSent, messages.direct_sent),
    "C2C.CallbackAfterMsgWithDraw": _command(bodies.DirectRecalled, messages.direct_recalled),
    "C2C.CallbackAfterMsgReport": _command(bodies.DirectRead, reading.direct_read),
    "C2C.CallbackAfterMsgReadReceipt": _command(bodies.DirectReceipts, reading.direct_receipts),
    "C2C.CallbackAfterMsgReadAll": _command(bodies.AllRead, reading.all_read),
    "Group.CallbackAfterSendMsg": _command(bodies.GroupSent, messages.group_sent),
    "Group.CallbackAfterRecallMsg": _command(bodies.GroupRecalled, messages.group_recalled),
    "Group.CallbackAfterReadReceipt": _command(bodies.GroupReceipts, reading.group_receipts),
    "Group.CallbackAfterCreateGroup": _command(bodies.GroupCreated, groups.group_created),
    "Group.CallbackAfterNewMemberJoin": _command(bodies.Joined, groups.members_joined),
    "Group.CallbackAfterMemberExit": _command(bodies.Left, groups.members_left),
    "Group.CallbackAfterGroupDestroyed": _command(bodies.InGroup, groups.group_destroyed),
    "Group.CallbackAfterCreateTopic": _command(bodies.OfTopic, topics.topic_created),
    "Group.CallbackAfterTopicDestroyed": _command(bodies.OfTopic, topics.topic_destroyed),
}

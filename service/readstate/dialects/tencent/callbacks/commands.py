"""The commands that do something (Tencent Cloud Chat, Webhook Command List).

Other commands are acknowledged, and change nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import msgspec

from readstate.dialects.http.body import decode
from readstate.dialects.tencent.callbacks import groups, messages, reading, topics
from readstate.dialects.tencent.callbacks.context import CallbackContext

Command = Callable[[CallbackContext, bytes], Awaitable[None]]


def _command(do: Callable[[CallbackContext, Any], Awaitable[None]]) -> Command:
    """A command that decodes the type that `do` takes as its body. Raises BadBody too.

    Doing it twice, or late, is harmless.
    """
    decoder = msgspec.json.Decoder(get_type_hints(do)["body"], strict=False).decode

    async def carry_out(context: CallbackContext, body: bytes) -> None:
        await do(context, decode(decoder, body))

    return carry_out


COMMANDS = {
    "C2C.CallbackAfterSendMsg": _command(messages.direct_sent),
    "C2C.CallbackAfterMsgWithDraw": _command(messages.direct_recalled),
    "C2C.CallbackAfterMsgReport": _command(reading.direct_read),
    "C2C.CallbackAfterMsgReadReceipt": _command(reading.direct_receipts),
    "C2C.CallbackAfterMsgReadAll": _command(reading.all_read),
    "Group.CallbackAfterSendMsg": _command(messages.group_sent),
    "Group.CallbackAfterRecallMsg": _command(messages.group_recalled),
    "Group.CallbackAfterReadReceipt": _command(reading.group_receipts),
    "Group.CallbackAfterCreateGroup": _command(groups.group_created),
    "Group.CallbackAfterNewMemberJoin": _command(groups.members_joined),
    "Group.CallbackAfterMemberExit": _command(groups.members_left),
    "Group.CallbackAfterGroupDestroyed": _command(groups.group_destroyed),
    "Group.CallbackAfterCreateTopic": _command(topics.topic_created),
    "Group.CallbackAfterTopicDestroyed": _command(topics.topic_destroyed),
}

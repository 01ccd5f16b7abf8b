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
Action = Callable[[CallbackContext, Any], Awaitable[None]]


def _command(do: Action) -> Command:
    """A command that decodes the type that `do` takes as its body. Raises BadBody too.

    Doing it twice, or late, is harmless.
    """
    decoder = msgspec.json.Decoder(get_type_hints(do)["body"], strict=False).decode

    async def carry_out(context: CallbackContext, body: bytes) -> None:
        await do(context, decode(decoder, body))

    return carry_out


ACTIONS: dict[str, Action] = {
    "C2C.CallbackAfterSendMsg": messages.direct_sent,
    "C2C.CallbackAfterMsgWithDraw": messages.direct_recalled,
    "C2C.CallbackAfterMsgReport": reading.direct_read,
    "C2C.CallbackAfterMsgReadReceipt": reading.direct_receipts,
    "C2C.CallbackAfterMsgReadAll": reading.all_read,
    "Group.CallbackAfterSendMsg": messages.group_sent,
    "Group.CallbackAfterRecallMsg": messages.group_recalled,
    "Group.CallbackAfterReadReceipt": reading.group_receipts,
    "Group.CallbackAfterCreateGroup": groups.group_created,
    "Group.CallbackAfterNewMemberJoin": groups.members_joined,
    "Group.CallbackAfterMemberExit": groups.members_left,
    "Group.CallbackAfterGroupDestroyed": groups.group_destroyed,
    "Group.CallbackAfterCreateTopic": topics.topic_created,
    "Group.CallbackAfterTopicDestroyed": topics.topic_destroyed,
}

COMMANDS = {name: _command(action) for name, action in ACTIONS.items()}

"""Warnings that a command of Tencent's server API is called nearly too often (Tencent Cloud Chat, Alert.RequestOverLimit).

The workers count calls, and note. Only deliverers speak to the receiver: they look from time to time, and tell.
"""

import asyncio
from time import time_ns

from readstate.domain.read_state import ReadState

# The service of each command.
SERVICES = {
    "admin_set_msg_read": "openim",
    "get_c2c_unread_msg_num": "openim",
    "c2c_msg_read_receipt": "openim",
    "set_unread_msg_num": "group_open_http_svc",
    "get_group_msg_receipt": "group_open_http_svc",
    "get_group_msg_receipt_detail": "group_open_http_svc",
    "group_msg_receipt": "group_open_http_svc",
}
EVERY_MS = 60_000  # a command is warned of at most so often


def nearly(limit: int) -> int:
    """How many calls are worth a warning: 80 % of the limit."""
    return -(-limit * 4 // 5)


async def note(read_state: ReadState, app: str, command: str) -> None:
    """A command has just been called `nearly` too often."""
    await read_state.note_newest(app=app, what=_noted(command), at_ms=time_ns() // 1_000_000)


async def noted(read_state: ReadState, app: str) -> dict[str, int]:
    """When each command was last called nearly too often (Unix ms); 0: never."""
    times = await asyncio.gather(*(read_state.newest(app=app, what=_noted(command)) for command in SERVICES))
    return dict(zip(SERVICES, times, strict=True))


async def may_tell(read_state: ReadState, app: str, command: str) -> bool:
    """Whether nobody has told of it in the last minute. Whoever asks first tells."""
    left, _ = await read_state.take(app=app, what=f"tencent:told:{command}", limit=1, window_ms=EVERY_MS)
    return left >= 0


def _noted(command: str) -> str:
    return f"tencent:nearly:{command}"

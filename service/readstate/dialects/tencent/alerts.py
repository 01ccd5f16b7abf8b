"""Warnings that a command is called nearly too often (Alert.RequestOverLimit).

Workers count calls, and note when a command comes near its limit. Deliverers read these notes from
time to time, and one of them sends the warning to the receiver of webhooks.
"""

import asyncio
import logging
from collections.abc import Callable
from time import time, time_ns

from msgspec import Struct

from readstate.domain.read_state import ReadState
from readstate.tasks import repeat
from readstate.webhooks.forms import Send, WebhookRequest

logger = logging.getLogger(__name__)

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
EVERY_MS = 60_000  # between two warnings of one command, at least
LOOK_S = 1.0


def nearly(limit: int) -> int:
    """The number of calls that is worth a warning: 80 % of the limit."""
    return -(-limit * 4 // 5)


async def note(read_state: ReadState, app: str, command: str) -> None:
    """A command has just been called `nearly` too often."""
    await read_state.latest.note_newest(app=app, what=_noted(command), at_ms=time_ns() // 1_000_000)


class Alerts(Struct):
    """Sends the warnings. A warning is sent once, since a later one would be of no use.

    `alert` makes the request for a command at a Unix second. `may_send` says whether the receiver
    takes requests now.
    """

    read_state: ReadState
    app: str
    alert: Callable[[str, int], WebhookRequest]
    send: Send
    may_send: Callable[[], bool]
    known: dict[str, int | None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look for new notes until `stop` is set. Notes from before the start are not sent."""
        await repeat(self._look, LOOK_S, logger, "webhooks: alerts could not be looked at", stop)

    async def _look(self) -> None:
        before, known = self.known, await self._noted()
        self.known = known
        if before is None or not self.may_send():
            return
        for command in known:
            if known[command] != before[command] and await self._is_first(command):
                answer = await self.send(self.alert(command, int(time())))
                logger.debug("webhooks: the alert of %s: %s", command, answer.detail or "accepted")

    async def _noted(self) -> dict[str, int | None]:
        """When each command was last called nearly too often (Unix ms); None: never."""
        times = await asyncio.gather(
            *(self.read_state.latest.newest(app=self.app, what=_noted(command)) for command in SERVICES)
        )
        return dict(zip(SERVICES, times, strict=True))

    async def _is_first(self, command: str) -> bool:
        """Whether no deliverer has sent this warning in the last minute; this one then sends it."""
        hit = await self.read_state.throttle.hit_rate_limit(
            app=self.app, what=f"tencent:told:{command}", limit=1, window_ms=EVERY_MS
        )
        return hit.allowed


def _noted(command: str) -> str:
    return f"tencent:nearly:{command}"

"""Tells the receiver that a command of Tencent's server API is called nearly too often, as Tencent does."""

import asyncio
import logging
from collections.abc import Callable
from time import time

from readstate.domain import alerts
from readstate.domain.read_state import ReadState
from readstate.errors import Fault
from readstate.webhooks.sender import Sender
from readstate.webhooks.tencent import Tencent

logger = logging.getLogger(__name__)

LOOK_S = 1.0


class Alerts:
    """Looks whether there is something to warn of. A warning is sent once: later it would be of no use.

    `limit`: calls of one command in a second. `may_send`: whether the receiver wants to hear anything.
    """

    def __init__(
        self,
        read_state: ReadState,
        tencent: Tencent,
        sender: Sender,
        *,
        app: str,
        limit: int,
        may_send: Callable[[], bool],
    ) -> None:
        self._read_state = read_state
        self._tencent = tencent
        self._sender = sender
        self._app = app
        self._limit = limit
        self._may_send = may_send
        self._known: dict[str, int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set. What was noted before it began is not told."""
        while not stop.is_set():
            try:
                await self._look()
            except Fault as fault:
                logger.warning("webhooks: alerts could not be looked at: %s", fault)
            except Exception:
                # A fault of ours. Events must be delivered all the same.
                logger.exception("webhooks: alerts could not be looked at")
            try:
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        before, known = self._known, await alerts.noted(self._read_state, self._app)
        self._known = known
        if before is None or not self._may_send():
            return
        for command in known:
            if known[command] != before[command] and await alerts.may_tell(self._read_state, self._app, command):
                answer = await self._sender.send(self._tencent.alert(command, self._limit, int(time())))
                logger.debug("webhooks: the alert of %s: %s", command, answer.detail or "accepted")

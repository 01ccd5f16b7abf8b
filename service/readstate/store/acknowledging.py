"""What was pushed is struck out of the rooms' lists of pending updates, in the background.

It waits a moment, so that much goes out together with other calls: one batch is under way at a
time. A failure, or a crash meanwhile, leaves the members pending, and recovery pushes to them
again, which changes nothing the second time.
"""

import asyncio
import logging
from collections.abc import Sequence

from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.replies import ScriptFailed
from readstate.store.script_calls import Call
from readstate.tasks import sleep_unless

logger = logging.getLogger(__name__)

PAUSE_S = 0.02  # before a batch
_MOST = 10_000  # that wait, while nodes are away


class Acknowledging:
    """See the module."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: list[tuple[str, Call[int]]] = []
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._added = self._finished = 0  # how many so far
        self._batch_over: asyncio.Future[None] | None = None  # while a caller waits for it
        self.pause_s = PAUSE_S

    def add(self, key: str, revision: int, members: Sequence[str]) -> None:
        """These members' updates of a room as of `revision` were pushed."""
        if len(self._waiting) < _MOST:
            self._waiting.append((key, lua.ack(revision=revision, members=members)))
            self._added += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._strike_out())

    async def idle(self) -> None:
        """Wait until nothing waits any more of what waits now."""
        until = self._added
        self._hurry.set()
        while self._finished < until and self._task is not None and not self._task.done():
            over = self._batch_over = self._batch_over or asyncio.get_running_loop().create_future()
            await asyncio.wait({self._task, over}, return_when=asyncio.FIRST_COMPLETED)
        self._hurry.clear()

    def stop(self) -> None:
        """Leave what waits to recovery, as a crash does."""
        if self._task is not None:
            self._task.cancel()

    async def _strike_out(self) -> None:
        while self._waiting:
            if self.pause_s:
                await sleep_unless(self._hurry, self.pause_s)
            batch, self._waiting = self._waiting, []
            try:
                await self._executor.call_each(batch)
            except ScriptFailed:
                logger.exception("updates that were pushed stay pending")
            self._finished += len(batch)
            if self._batch_over is not None:
                self._batch_over.set_result(None)
                self._batch_over = None

"""Opens what needs the store. While the store is away a worker serves all the same, and says so."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

from readstate.errors import Fault
from readstate.store.replies import needs_operator

logger = logging.getLogger(__name__)

AGAIN_S = 0.5


class Startup:
    """Calls `open_all` until the store lets it succeed.

    `open_all` opens everything on the stack that it is given. `why` says why that is not done.
    """

    def __init__(self, open_all: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
        self._open_all = open_all
        self.why = "starting"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The block begins when all is open, or when the store is found to be away.

        Raises what `open_all` raises, unless waiting may help. When that comes after the wait, this
        process is told to end. All is closed after the block.
        """
        away = asyncio.Event()
        async with AsyncExitStack() as stack:
            opening, waiting = asyncio.create_task(self._open(stack, away)), asyncio.create_task(away.wait())
            try:
                await asyncio.wait((opening, waiting), return_when=asyncio.FIRST_COMPLETED)
                if opening.done():
                    await opening
                else:
                    opening.add_done_callback(_end_if_failed)
                yield
            finally:
                opening.cancel()
                waiting.cancel()
                await asyncio.wait((opening, waiting))

    async def _open(self, stack: AsyncExitStack, away: asyncio.Event) -> None:
        began_s = monotonic()
        while True:
            try:
                async with AsyncExitStack() as attempt:
                    await self._open_all(attempt)
                    stack.push_async_callback(attempt.pop_all().aclose)
            except Fault as fault:
                if needs_operator(fault):
                    raise
                if self.why != str(fault):
                    logger.warning("waiting for the store: %s", fault)
                self.why = str(fault)
                away.set()
                await asyncio.sleep(AGAIN_S)
            else:
                break
        if away.is_set():
            logger.info("the store is there, after %.1f s", monotonic() - began_s)


def _end_if_failed(opening: "asyncio.Task[None]") -> None:
    if not opening.cancelled() and (error := opening.exception()):
        logger.error("the service cannot be started on this store", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)

"""How many clients are signed in at once, when many come at the same time.

After a restart all clients come back within seconds. Each costs the worker about half a millisecond
and the store a script, and meanwhile nothing else is done. So a few are signed in at a time, the
others wait their turn, and when many wait, newcomers are asked to come later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import randint

SIGNED_IN_AT_ONCE = 64
MAX_WAITING = 1_000  # about a second's worth
RETRY_AFTER_S = (1, 5)


class Admission:
    """Lets clients sign in, SIGNED_IN_AT_ONCE at a time, in the order in which they ask."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(SIGNED_IN_AT_ONCE)
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and have it for the block."""
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def retry_after_s(self) -> int:
        """When a newcomer should come again, in seconds; 0: now.

        It is chosen at random, so that those who are refused do not come together.
        """
        return randint(*RETRY_AFTER_S) if self._waiting > MAX_WAITING else 0

"""Whether the servers take writes, found out by one that writes nothing.

A server that is full (OOM), cannot write to its disk (MISCONF), lacks replicas (NOREPLICAS) or has become one itself (READONLY) says
so before a script begins that may write. It answers questions all the same, so nothing else would tell.
"""

import logging
from time import monotonic

from readstate.errors import Unavailable
from readstate.store.executor import Executor
from readstate.store.replies import ScriptFailed, forbids, refused_write

logger = logging.getLogger(__name__)

AGAIN_S = 60.0
_TRIAL = "#!lua\nreturn 1"  # without a flag that it does not write


class StoreWrites:
    """What `look` found last; it is to be called every few seconds, and whenever it matters."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._refusal = ""
        self._told_at = -AGAIN_S

    async def look(self) -> str:
        """In the store's own words why a primary refuses to write; "" when none does. The log is told, again every minute.

        Raises Unavailable, UnknownOutcome when the store cannot be asked.
        """
        refusal = await self._ask()
        if refusal:
            if not self._refusal or monotonic() - self._told_at >= AGAIN_S:
                logger.warning("the store refuses writes: %s", refusal)
                self._told_at = monotonic()
        elif self._refusal:
            logger.info("the store takes writes again")
        self._refusal = refusal
        return refusal

    def is_full(self) -> bool:
        """Whether it refused for want of memory. What frees some is done all the same."""
        return self._refusal.startswith("OOM")

    def warnings(self) -> list[str]:
        """A sentence while a primary is full."""
        return [f"the store refuses writes: {self._refusal}"] if self.is_full() else []

    async def _ask(self) -> str:
        try:
            await self._executor.each_node("EVAL", _TRIAL, 0)
        except Unavailable as error:
            if refusal := refused_write(error):
                return refusal
            if not forbids(error):  # a user who may not run such a script may write all the same
                raise
        except ScriptFailed as error:
            logger.debug("whether the store takes writes cannot be asked: %s", error)
        return ""

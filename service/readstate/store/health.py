"""The health of the servers: how full they are, and whether they take writes.

A server that is full (OOM), cannot write to its disk (MISCONF), lacks replicas (NOREPLICAS) or has
become a replica itself (READONLY) refuses any script that may write, and still answers questions.
So only such a script shows it. The one used here writes nothing.
"""

import logging
from time import monotonic

from readstate import metrics
from readstate.errors import Unavailable
from readstate.store.emptied_nodes import EmptiedNodes
from readstate.store.executor import Executor
from readstate.store.functions import load_functions
from readstate.store.replies import ScriptFailed, forbids, is_full, refused_write

logger = logging.getLogger(__name__)

WARN_AT = 0.8  # of maxmemory
_CALM_BELOW = 0.75  # so that a server that is near WARN_AT is not reported again and again
MEMORY_AGAIN_S = 600.0  # between two reports of the same server
WRITES_AGAIN_S = 60.0
_TRIAL = "#!lua\nreturn 1"  # it has no flag that says that it writes nothing


class MemoryHealth:
    """How full the primaries are, as `check` found them last. Call `check` every few seconds."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._warnings: dict[str, str] = {}  # by node
        self._logged_at: dict[str, float] = {}  # by node

    async def check(self) -> None:
        """Ask every primary, set the metrics, and log those that are nearly full.

        Raises Unavailable, UnknownOutcome.
        """
        replies = await self._executor.each_node("INFO", "memory")
        found = [_use(reply) for reply in replies]
        used, limit = max(found, key=lambda use: (_share(*use), use))
        metrics.STORE_MEMORY.set(used)
        metrics.STORE_MEMORY_LIMIT.set(limit)
        self._warnings = {
            node: _warning(node if len(found) > 1 else "", *use)
            for node, use in zip(self._executor.nodes(), found, strict=False)
            if _share(*use) >= (_CALM_BELOW if node in self._warnings else WARN_AT)
        }
        self._logged_at = {node: at for node, at in self._logged_at.items() if node in self._warnings}
        for node, warning in self._warnings.items():
            if monotonic() - self._logged_at.get(node, -MEMORY_AGAIN_S) >= MEMORY_AGAIN_S:
                logger.warning(warning)
                self._logged_at[node] = monotonic()

    def warnings(self) -> list[str]:
        """A sentence for each server that is nearly full."""
        return list(self._warnings.values())


class WriteHealth:
    """Whether the primaries take writes, as `check` found it last.

    Call `check` every few seconds.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._refusal = ""
        self._logged_at = -WRITES_AGAIN_S

    async def check(self) -> str:
        """Why a primary refuses to write, in the server's words; "" when none does.

        Logs it, again every minute. Raises Unavailable, UnknownOutcome when the store cannot be
        asked.
        """
        refusal = await self._ask()
        if refusal:
            if not self._refusal or monotonic() - self._logged_at >= WRITES_AGAIN_S:
                logger.warning("the store refuses writes: %s", refusal)
                self._logged_at = monotonic()
        elif self._refusal:
            logger.info("the store takes writes again")
        self._refusal = refusal
        return refusal

    def is_full(self) -> bool:
        """Whether it refused for want of memory. Calls that free some work all the same."""
        return is_full(self._refusal)

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


class StoreHealth:
    """Memory, writes, and nodes that came back empty, as `look` found them last."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._memory = MemoryHealth(executor)
        self._emptied = EmptiedNodes(executor)
        self.writes = WriteHealth(executor)

    async def look(self) -> None:
        """Look at all of it, and load our functions where they are missing. Raises Fault.

        A new node of a cluster knows no functions, and no caller has to wait for them.
        """
        await self._memory.check()
        if not await self.writes.check():
            await self._emptied.look()
            await load_functions(self._executor)

    def warnings(self) -> list[str]:
        """A sentence for each thing that an operator should see to."""
        return [*self._memory.warnings(), *self.writes.warnings(), *self._emptied.warnings()]


def _use(info: bytes) -> tuple[int, int]:
    """Bytes used, and maxmemory (0: no limit), from the reply to INFO."""
    fields = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
    return int(fields[b"used_memory"]), int(fields.get(b"maxmemory", 0))


def _share(used: int, limit: int) -> float:
    return used / limit if limit else 0.0


def _warning(node: str, used: int, limit: int) -> str:
    where = f"the store at {node}" if node else "the store"
    return (
        f"{where} has used {used * 100 // limit} % of its memory ({used >> 20} of {limit >> 20} MB) and refuses "
        "whatever needs more when it is full; give it more (maxmemory, for the embedded one "
        "READSTATE_EMBEDDED_MEMORY_MB), or delete rooms"
    )

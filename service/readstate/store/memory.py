"""How full the servers are, and a warning before they are full.

When one is full, what needs memory there is refused (errors.StoreFull).
"""

import logging
from time import monotonic

from readstate import metrics
from readstate.store.executor import Executor

logger = logging.getLogger(__name__)

WARN_AT = 0.8  # of maxmemory
_CALM_BELOW = 0.75  # a server that is near the line is not told of again and again
AGAIN_S = 600.0


class StoreMemory:
    """The primaries as `look` found them last; it is to be called every few seconds."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._warnings: dict[str, str] = {}  # by node
        self._told: dict[str, float] = {}  # node -> when the log was told

    async def look(self) -> None:
        """Ask every primary, set the metrics, and warn of those that are nearly full.

        Raises Unavailable, UnknownOutcome.
        """
        replies = await self._executor.each_node("INFO", "memory")
        found = [_use(reply) for reply in replies]
        used, limit = max(found, key=lambda use: (_share(*use), use))
        metrics.STORE_MEMORY.set(used)
        metrics.STORE_MEMORY_LIMIT.set(limit)
        self._warnings = {
            node: _sentence(node if len(found) > 1 else "", *use)
            for node, use in zip(self._executor.nodes(), found, strict=False)
            if _share(*use) >= (_CALM_BELOW if node in self._warnings else WARN_AT)
        }
        self._told = {node: at for node, at in self._told.items() if node in self._warnings}
        for node, sentence in self._warnings.items():
            if monotonic() - self._told.get(node, -AGAIN_S) >= AGAIN_S:
                logger.warning(sentence)
                self._told[node] = monotonic()

    def warnings(self) -> list[str]:
        """A sentence for each server that is nearly full."""
        return list(self._warnings.values())


def _use(info: bytes) -> tuple[int, int]:
    """Bytes used, and maxmemory (0: no limit), from what INFO says."""
    fields = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
    return int(fields[b"used_memory"]), int(fields.get(b"maxmemory", 0))


def _share(used: int, limit: int) -> float:
    return used / limit if limit else 0.0


def _sentence(node: str, used: int, limit: int) -> str:
    where = f"the store at {node}" if node else "the store"
    return (
        f"{where} has used {used * 100 // limit} % of its memory ({used >> 20} of {limit >> 20} MB) and refuses "
        "whatever needs more when it is full; give it more (maxmemory, for the embedded one "
        "READSTATE_EMBEDDED_MEMORY_MB), or delete rooms"
    )

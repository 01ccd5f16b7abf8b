"""When something happened last."""

from readstate.store.executor import Executor
from readstate.store.keys import Keys

NEWEST_KEPT_MS = 30 * 86_400_000


class RedisLatest:
    """Implements domain.ports.Latest."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._scripts = executor.scripts

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> int:
        return int(
            await self._executor.call(self._scripts["note_newest"], [Keys.newest(app, what)], [at_ms, NEWEST_KEPT_MS])
        )

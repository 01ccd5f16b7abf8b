"""When something happened last."""

from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys

NEWEST_KEPT_MS = 30 * 86_400_000


class RedisLatest:
    """Implements domain.latest.Latest."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> bool:
        return await self._note(app, what, at_ms) <= at_ms

    async def newest(self, *, app: str, what: str) -> int | None:
        return await self._note(app, what, 0) or None

    async def _note(self, app: str, what: str, at_ms: int) -> int:
        """Note a time; the latest known one, 0 for none."""
        call = lua.note_newest(at_ms=at_ms, kept_ms=NEWEST_KEPT_MS)
        return await self._executor.call(call, Keys.newest(app, what))

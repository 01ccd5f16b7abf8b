"""Calls counted in windows of time, over all workers."""

import time

from readstate.domain.throttle import Hit
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys


class RedisThrottle:
    """Implements domain.throttle.Throttle."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> Hit:
        call = lua.hit_rate_limit(window_ms=window_ms)
        hits = await self._executor.call(call, Keys.window(app, what), repeatable=False)
        return Hit(hits.calls <= limit, max(limit - hits.calls, 0), time.time_ns() // 1_000_000 + hits.left_ms)

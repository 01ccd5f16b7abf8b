"""Calls counted in windows of time, over all workers."""

import time

from readstate.domain.throttle import Hit
from readstate.store.executor import Executor
from readstate.store.keys import Keys


class RedisThrottle:
    """Implements domain.throttle.Throttle."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._scripts = executor.scripts

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> Hit:
        calls, left_ms = await self._executor.call(
            self._scripts["take"], [Keys.window(app, what)], [window_ms], repeatable=False
        )
        return Hit(calls <= limit, max(limit - calls, 0), time.time_ns() // 1_000_000 + left_ms)

"""Not too often: what was just told of something is told again only after a while, once for all that happened meanwhile."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Pace(Generic[Key]):
    """At most one telling of each key in `every_s` seconds. What was held back is due by `tell(key)` when they are over.

    Remembers the keys that were told within the last `every_s` seconds; with none of them it has no timer.
    """

    def __init__(self, every_s: float, tell: Callable[[Key], None]) -> None:
        self._every_s = every_s
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._told: dict[Key, float] = {}  # until when each is held back; the soonest first, since all wait equally long
        self._held: set[Key] = set()
        self._timer: asyncio.TimerHandle | None = None

    def holds_back(self, key: Key) -> bool:
        """Whether `key` was told just now. If so, it will be due."""
        if key not in self._told:
            return False
        self._held.add(key)
        return True

    def told(self, key: Key) -> None:
        """`key` is being told now."""
        self._told.pop(key, None)
        self._told[key] = self._loop.time() + self._every_s
        if self._timer is None:
            self._timer = self._loop.call_later(self._every_s, self._look)

    def stop(self) -> None:
        """Forget everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._told.clear()
        self._held.clear()

    def _look(self) -> None:
        self._timer = None
        due = []
        for key, until in self._told.items():
            if until > self._loop.time():
                self._timer = self._loop.call_at(until, self._look)
                break
            due.append(key)
        for key in due:
            del self._told[key]
        for key in self._held.intersection(due):
            self._held.remove(key)
            self._tell(key)

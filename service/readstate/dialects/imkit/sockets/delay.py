"""One clock for many: things that are due so many seconds after they were put in, all equally long."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

GRAIN_S = 0.05  # what is due within so many seconds is dealt with together

Key = TypeVar("Key", bound=Hashable)


class Delay(Generic[Key]):
    """Calls `due(key)` `after_s` seconds after `put(key)`, or up to GRAIN_S later, unless it was dropped.

    There is one timer for all keys. `due` must not raise.
    """

    def __init__(self, after_s: float, due: Callable[[Key], None]) -> None:
        self.after_s = after_s
        self._due = due
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Key, float] = {}  # the soonest first, since all wait equally long
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def put(self, key: Key) -> None:
        """`key` is due once more; one that waits already keeps its time."""
        self._waiting.setdefault(key, self._loop.time() + self.after_s)
        if self._timer is None:
            self._timer = self._loop.call_later(self.after_s, self._look)

    def drop(self, key: Key) -> None:
        """`key` is not due any more."""
        self._waiting.pop(key, None)

    def stop(self) -> None:
        """Forget everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        due = []
        for key, at in self._waiting.items():
            if at > now:
                self._timer = self._loop.call_at(max(at, now + GRAIN_S), self._look)
                break
            due.append(key)
        for key in due:
            # One of them may drop another.
            if self._waiting.pop(key, None) is not None:
                self._due(key)

"""Timers for many keys at once: each set of keys needs one timer of the event loop."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

GRAIN_S = 0.05  # keys that are due within so many seconds are handled together

Key = TypeVar("Key", bound=Hashable)


class Timeouts(Generic[Key]):
    """Calls `on_due(key)` when `after_s` seconds have passed since `start(key)`.

    It may be up to GRAIN_S later. After `cancel(key)` it is not called. All keys have the same
    delay, so one timer serves all of them. `on_due` must not raise.
    """

    def __init__(self, after_s: float, on_due: Callable[[Key], None]) -> None:
        self.after_s = after_s
        self._on_due = on_due
        self._loop = asyncio.get_running_loop()
        self._due_at: dict[Key, float] = {}  # the soonest first, since the delay is the same for all
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due_at)

    def __contains__(self, key: Key) -> bool:
        return key in self._due_at

    def start(self, key: Key) -> None:
        """Start the time of `key`. When it runs already, it goes on as before."""
        self._due_at.setdefault(key, self._loop.time() + self.after_s)
        if self._timer is None:
            self._timer = self._loop.call_later(self.after_s, self._check)

    def cancel(self, key: Key) -> None:
        """Stop the time of `key`, if it runs."""
        self._due_at.pop(key, None)

    def stop(self) -> None:
        """Cancel all keys."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due_at.clear()

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        due = []
        for key, due_at in self._due_at.items():
            if due_at > now:
                self._timer = self._loop.call_at(max(due_at, now + GRAIN_S), self._check)
                break
            due.append(key)
        for key in due:
            # The call for one key may cancel another.
            if self._due_at.pop(key, None) is not None:
                self._on_due(key)


class Throttle(Generic[Key]):
    """Lets something happen at most once in `every_s` seconds for each key.

    What was deferred meanwhile happens once, by `on_due(key)`, at the end of that time. Keys are
    remembered for `every_s` seconds.
    """

    def __init__(self, every_s: float, on_due: Callable[[Key], None]) -> None:
        self._on_due = on_due
        self._recent: Timeouts[Key] = Timeouts(every_s, self._end)
        self._deferred: set[Key] = set()

    def defers(self, key: Key) -> bool:
        """Whether it is too early for `key`. If so, `on_due(key)` is called later, in time."""
        if key not in self._recent:
            return False
        self._deferred.add(key)
        return True

    def restart(self, key: Key) -> None:
        """It happens for `key` now."""
        self._recent.cancel(key)
        self._recent.start(key)

    def stop(self) -> None:
        """Forget all keys."""
        self._recent.stop()
        self._deferred.clear()

    def _end(self, key: Key) -> None:
        if key in self._deferred:
            self._deferred.remove(key)
            self._on_due(key)

"""Not too often: what was just told is told again only after a while, once for all that happened meanwhile."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from readstate.dialects.imkit.sockets.delay import Delay

Key = TypeVar("Key", bound=Hashable)


class Pace(Generic[Key]):
    """At most one telling of each key in `every_s` seconds; `tell(key)` what was held back when they are over.

    Remembers the keys that were told within the last `every_s` seconds.
    """

    def __init__(self, every_s: float, tell: Callable[[Key], None]) -> None:
        self._tell = tell
        self._told: Delay[Key] = Delay(every_s, self._over)
        self._held: set[Key] = set()

    def holds_back(self, key: Key) -> bool:
        """Whether `key` was told just now. If so, it will be due."""
        if key not in self._told:
            return False
        self._held.add(key)
        return True

    def told(self, key: Key) -> None:
        """`key` is being told now."""
        self._told.drop(key)
        self._told.put(key)

    def stop(self) -> None:
        """Forget everything."""
        self._told.stop()
        self._held.clear()

    def _over(self, key: Key) -> None:
        if key in self._held:
            self._held.remove(key)
            self._tell(key)

"""The read state by brute force: every number is counted from the messages each time.

It implements `domain.read_state.ReadState`, so that code for the real store runs on it. It is slow
and obviously right, and the scripts are compared with it. It does not know how state is laid out.
"""

import time
from collections.abc import Callable

from readstate.domain.audit import Drift
from readstate.domain.throttle import Hit
from tests.support.model_messages import ModelMessages
from tests.support.model_reading import ModelBadges, ModelReading, ModelReceipts
from tests.support.model_rooms import ModelRooms
from tests.support.model_world import World


class ModelStore:
    """`domain.read_state.ReadState` in memory.

    `notices` holds (app, notice) of all that the operations should have published, in order.
    """

    def __init__(
        self,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        term_of: Callable[[str, str], int] = lambda app, room: 0,
    ) -> None:
        world = World(now_ms, term_of)
        self.worlds, self.buried, self.notices = world.worlds, world.buried, world.notices
        self.rooms = ModelRooms(world)
        self.messages = ModelMessages(world)
        self.badges = ModelBadges(world)
        self.reading = ModelReading(world, self.badges)
        self.receipts = ModelReceipts(world)
        self.audit = ModelAudit()
        self.throttle = ModelThrottle(world)
        self.latest = ModelLatest()


class ModelAudit:
    """Implements domain.audit.Audit: numbers that are counted each time cannot drift."""

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        return []

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        return []

    async def audit_all(self, *, repair: bool = False) -> list[Drift]:
        return []


class ModelThrottle:
    """Implements domain.throttle.Throttle."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken: dict[tuple[str, str, int], int] = {}

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> Hit:
        """Windows begin at whole multiples of their length."""
        window = self._world.now_ms() // window_ms
        taken = self._taken[app, what, window] = self._taken.get((app, what, window), 0) + 1
        return Hit(taken <= limit, max(limit - taken, 0), (window + 1) * window_ms)


class ModelLatest:
    """Implements domain.latest.Latest."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str], int] = {}

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> bool:
        self._newest[app, what] = max(self._newest.get((app, what), 0), at_ms)
        return self._newest[app, what] <= at_ms

    async def newest(self, *, app: str, what: str) -> int | None:
        return self._newest.get((app, what))

"""The users' sides of the stateful tests: which copies there are, and when they have changed."""

from dataclasses import dataclass, field

from readstate.domain.rooms import Status
from tests.support.model_room import ModelRoom

USERS = ("ann", "bob", "cid", "dan", "1e15")
ROOMS = ("r1", "r:2", "0x10")
LIMIT = 3
CELLS = 8 * LIMIT  # members x (2 + tags) that a room may have below the fan-out limit

Copy = tuple[int, int, str, tuple[str, ...]]
GONE: Copy = (0, 0, "gone", ())


@dataclass
class Copies:
    """What the users' sides should hold: a version rises once for each copy that changed."""

    derived: set[str] = field(default_factory=set)
    seen: dict[tuple[str, str], Copy] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    changed_ms: dict[tuple[str, str], int] = field(default_factory=dict)

    def follow(self, there: dict[str, ModelRoom], now_ms: int) -> None:
        for name in ROOMS:
            self._cross(name, there.get(name))
            for user in USERS:
                now = self._copy(name, there.get(name), user)
                if self.seen.get((name, user), GONE) != now:
                    self.versions[user] = self.versions.get(user, 0) + 1
                    self.seen[name, user] = now
                    self.changed_ms[name, user] = now_ms

    def changed_since(self, user: str, since_ms: int) -> set[str]:
        """Rooms whose copy has visibly changed after that, those included that the user left."""
        return {name for (name, who), at_ms in self.changed_ms.items() if who == user and at_ms > since_ms}

    def forget(self, user: str) -> None:
        self.versions.pop(user, None)
        self.changed_ms = {pair: at_ms for pair, at_ms in self.changed_ms.items() if pair[1] != user}

    def _cross(self, name: str, room: ModelRoom | None) -> None:
        size = len(room.members) if room else 0
        cells = size * (2 + len(room.tags)) if room else 0
        if size > LIMIT or cells > CELLS:
            self.derived.add(name)
        elif size <= LIMIT * 3 // 4 and cells <= CELLS * 3 // 4:
            self.derived.discard(name)

    def _copy(self, name: str, room: ModelRoom | None, user: str) -> Copy:
        if room is None or user not in room.members:
            return GONE
        cursor = room.members[user].cursor
        if name in self.derived:
            return (cursor, 0, "derived", ())
        if room.status is Status.FROZEN:
            return (cursor, room.unread(user), "frozen", ())
        return (cursor, room.unread(user), "active", room.tags)

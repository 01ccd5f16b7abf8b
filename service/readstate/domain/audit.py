"""The audit: every copy is compared with its room, every counter with the copies."""

from typing import Protocol

from msgspec import Struct


class Drift(Struct, frozen=True):
    """One difference that an audit found (and repaired, when asked to)."""

    app: str
    user: str
    room: str  # "" for a counter
    # "unread", "cursor", "tags", "state" and so on; of a counter "total", "derived", or its field
    # as in store/keys.py.
    what: str
    stored: str
    expected: str  # "lost" when nothing tells it any more
    mended: bool = False  # it was found no more when the audit looked again


class Audit(Protocol):
    """What an audit may look at. Each returns the differences, and mends them with `repair`."""

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        """Recompute the user's copies from their rooms, and the counters from the copies."""

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        """The sums of one room, and the copies of all its members."""

    async def audit_all(self, *, repair: bool = False, app: str | None = None) -> list[Drift]:
        """All rooms and users, of all apps or of one."""

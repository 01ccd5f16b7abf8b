"""Changes: what has changed of a user's read state since they last asked."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from readstate.domain.limits import Charge, free
from readstate.domain.rooms import RoomSummary

MAX_CHANGES = 200  # rooms in one answer


class ChangedRooms(Struct, frozen=True):
    """Rooms in their present state; any of them may have come already, and none is missing."""

    version: str  # opaque; what comes after this answer is asked for with it
    badge: int  # over all rooms
    snapshot: bool  # all rooms follow from here on: what the caller knew before is void
    more: bool  # ask again at once
    rooms: list[RoomSummary]  # active, with tags and `last_read`
    removed: list[str]  # rooms in which the user is no more, or that are frozen


class MovedRoom(NamedTuple):
    """What is counted of a room now, and the version at which that changed last."""

    room: str
    version: int
    unread: int
    tags: Sequence[str]
    there: bool  # False: the user is no longer in it, or it is frozen


class MovedRooms(Struct, frozen=True):
    """All that has changed after a version, the oldest change first."""

    version: int
    badge: int  # over all rooms
    lost: bool  # the version is unknown or too old, so `rooms` is not all
    rooms: list[MovedRoom]


class Changes(Protocol):
    """The user's version rises with each visible change: of cursor, unread, tags or membership."""

    async def changes(
        self,
        *,
        app: str,
        user: str,
        since: str = "",
        limit: int = MAX_CHANGES,
        derived: Charge = free,
        looked_at: Charge = free,
    ) -> ChangedRooms:
        """What has changed after version `since`, the oldest change first, at most `limit` rooms.

        A snapshot if `since` is "", unknown (a failover has lost it) or too old. `derived`: as for
        badges; `looked_at` is called with how many rooms have changed, in this answer or not.
        Raises Invalid when `since` is no version.
        """

    async def moved(self, *, app: str, user: str, since: int = 0) -> MovedRooms:
        """The same, with the counts alone and of all rooms together, for devices that are told of
        each change. Without `since`, no room: only which version is the present one.
        """

"""Reading: the cursors, how far each member has read each room."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from readstate.domain.limits import Charge, free
from readstate.errors import ReadStateError


class MarkedRead(Struct, frozen=True):
    """The answer to "mark read"."""

    message: str  # id of the message that the member has now read up to
    seq: int  # its place in the room
    moved: bool  # False: an older or equal position; nothing changed, nothing was announced
    unread: int  # countable messages of the room after the cursor
    badge: int | None  # unread over all the user's rooms; None: it was not asked for


class Reading(Protocol):
    """Operations of a member on their own state in a room."""

    async def mark_read(
        self,
        *,
        app: str,
        room: str,
        user: str,
        message: str,
        notify_backend: bool = True,
        with_badge: bool = True,
        derived: Charge = free,
    ) -> MarkedRead:
        """Move the user's cursor forward to `message`. For an older or equal one it succeeds,
        changes nothing and announces nothing.

        `notify_backend`: False: no webhook, because the backend itself reported this read.
        `with_badge`: the answer has the user's badge; `derived` is called as by `Badges.badge`.
        Raises RoomUnknown, NotMember, MessageUnknown, in this order. Safe to repeat.
        """

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]], derived: Charge = free
    ) -> tuple[list[MarkedRead | ReadStateError], int]:
        """Mark each of several (room, message) as read, on its own, in one call.

        Returns what became of each, and the user's badge after all. `derived` is called as by
        `Badges.badge`.
        """

    async def mark_read_until(
        self,
        *,
        app: str,
        room: str,
        user: str,
        until_ms: int | None = None,
        notify_backend: bool = True,
        with_badge: bool = True,
    ) -> MarkedRead | None:
        """As mark_read, for the newest message of `until_ms` (Unix ms) or earlier; without a time,
        for the newest of all.

        None when there is no such message: then nothing changes. Raises RoomUnknown,
        NotMember. Safe to repeat.
        """

    async def mark_unread(self, *, app: str, room: str, user: str, message: str | None = None) -> None:
        """Remember that the user wants to see the room as unread from `message` on (None: the
        newest).

        No cursor, count or receipt changes. The user's next read takes the mark away. Raises
        RoomUnknown, NotMember, MessageUnknown (also in a room without messages).
        """

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        """Make the user's unread in this room `count`, or as many as there are messages; for
        migrations. The cursor and receipts stay.

        Returns what it is now. Raises Invalid (a negative count), RoomUnknown, NotMember.
        """

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        """Record that the user has read single messages, without moving the cursor. At most 100.

        Returns those that are new: without the user's own, unknown ones, and those read already.
        Raises Invalid, RoomUnknown, NotMember, RoomTooLarge (beyond 200 members).
        """

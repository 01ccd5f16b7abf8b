"""Receipts: who has, and who has not, read a message."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from readstate.domain.messages import MessageRef


class Receipt(Struct, frozen=True):
    """That a user had read a message, and since when."""

    member: str
    at_ms: int  # when their cursor first reached the message; without `exact`: at the latest then
    exact: bool  # False: the journal has been trimmed past that move
    left: bool  # they have left the room since


class ReceiptsPage(Struct, frozen=True):
    """A page of the users who have, or have not, read one message, without its sender.

    It concerns the members at the moment when it was posted; users who joined later are in neither
    list. Readers who have left stay in the list, marked as left; others who left do not.
    """

    message: MessageRef
    read: int  # concerned members who have read it and are still here
    unread: int  # concerned members who have not
    left: int  # of the readers, those who left since; not in `read`
    readers: tuple[Receipt, ...] = ()  # of this page; empty when non-readers were asked for
    non_readers: tuple[str, ...] = ()  # of this page; empty when readers were asked for
    next: str | None = None  # names the next page; None: this is the last one


class ReceiptCount(Struct, frozen=True):
    """How many have read one message; numbers as in Receipts."""

    message: str
    read: int
    unread: int
    left: int


class Filter(Enum):
    """Which list of a message's receipts is asked for."""

    READ = "read"
    UNREAD = "unread"


class Receipts(Protocol):
    """Questions about who has read what."""

    async def page(
        self,
        *,
        app: str,
        room: str,
        message: str,
        which: Filter = Filter.READ,
        limit: int = 50,
        page: str | None = None,
        after: int = 0,
    ) -> ReceiptsPage:
        """Who has, or has not, read a message: up to `limit` (1 to 1,000) users.

        `page`: the `next` of the answer before, None for the first page. A page may be shorter than
        `limit` without being the last. Every user who had read the message when the first page was
        asked for comes, however users read on meanwhile, and comes once (in the first 256 pages
        between which anything happened). Messages up to the seq `after` count as unknown; for a
        member it is where they joined.
        Raises Invalid, RoomUnknown, MessageUnknown (also for a deleted or recalled message).
        """

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        """How many users have read each of up to 100 messages; None for one that is unknown,
        deleted or recalled.

        Messages up to the seq `after` count as unknown. Raises Invalid, RoomUnknown.
        """

"""Receipts: who has, and who has not, read a message."""

from collections.abc import Sequence
from typing import Protocol

from readstate.domain.types import Filter, ReceiptCount, ReceiptsPage


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
        """How many users have read each of up to 100 messages; None for one that is unknown, deleted
        or recalled.

        Messages up to the seq `after` count as unknown. Raises Invalid, RoomUnknown.
        """

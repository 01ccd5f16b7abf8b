"""When things happened last, for dialects that hear of them late, twice and out of order."""

from typing import Protocol


class Latest(Protocol):
    """The latest known time of each thing, named by any text `what`. Remembered for 30 days."""

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> bool:
        """Note that `what` happened at `at_ms` (Unix ms). False: something later is known of it.

        A repeat of the newest is True again.
        """

    async def newest(self, *, app: str, what: str) -> int | None:
        """When `what` happened last (Unix ms); None when it was never noted."""

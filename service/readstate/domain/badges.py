"""Badges: unread over many rooms of a user."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from readstate.domain.limits import NO_TAGS, Charge, Tags, free


class TagBadges(Struct, frozen=True):
    """Unread per tag; a room with two of the tags is in both counts and once in the total."""

    total: int
    counts: dict[str, int]


class Badges(Protocol):
    """Questions about unread over rooms. Frozen rooms do not count.

    `derived` is called with the number of the user's rooms above the fan-out limit: each of them
    has to be asked for its unread, which costs.
    """

    async def badge(self, *, app: str, user: str, tags: Tags = NO_TAGS, derived: Charge = free) -> int:
        """Unread over the user's rooms that carry *every* one of `tags`; without tags, over all."""

    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = lambda _user, _rooms: None
    ) -> list[int]:
        """As `badge` without tags, for each of several users; 0 for one who is unknown."""

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        """The badges of `users`, with every change of `room` that a notice has announced."""

    async def badges_by_tags(self, *, app: str, user: str, tags: Tags = NO_TAGS, derived: Charge = free) -> TagBadges:
        """Unread per tag; without `tags`, for every tag on the user's active rooms."""

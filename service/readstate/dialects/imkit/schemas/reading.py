"""Wire types of reading: cursors moved, and badges."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from readstate.dialects.imkit.schemas import NonEmpty, Tag
from readstate.domain.limits import MAX_BADGES_PER_CALL, MAX_READS_PER_CALL, MAX_TOKENS_PER_CALL


class MarkRead(Struct, frozen=True):
    """PUT /rooms/:id/lastRead"""

    message: NonEmpty  # _id of a message of the room


class ReadItem(Struct, frozen=True, forbid_unknown_fields=True):
    """One room of PUT /me/lastReads."""

    room: NonEmpty
    message: NonEmpty


class MarkReadMany(Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /me/lastReads"""

    items: Annotated[list[ReadItem], Meta(min_length=1, max_length=MAX_READS_PER_CALL)]


class TagsAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /badges/byRoomTags; without tags: every tag on the caller's rooms."""

    tags: list[Tag] | None = None


class BadgesAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /badges/: one of the two."""

    tokens: Annotated[list[NonEmpty], Meta(min_length=1, max_length=MAX_TOKENS_PER_CALL)] | None = None
    # Ours: user ids, for backends.
    clients: Annotated[list[NonEmpty], Meta(min_length=1, max_length=MAX_BADGES_PER_CALL)] | None = None


class ReadResult(Struct, frozen=True):
    """How far the caller has read now.

    `badge` is the total over all rooms unless set up otherwise; `unread` is the room's (ours).
    """

    client: str
    last_read: str = field(name="lastRead")
    badge: int
    unread: int


class ItemRead(Struct, frozen=True):
    """How far the caller has read one room now."""

    room: str
    last_read: str = field(name="lastRead")
    unread: int


class ReadManyResult(Struct, frozen=True):
    """`results` has one envelope per item, in the order given; `badge` is the total after all of
    them.
    """

    client: str
    results: list[Any]
    badge: int


class BadgeResult(Struct, frozen=True):
    """Unread messages over all rooms of the caller that were asked about."""

    badge: int


class UserBadge(Struct, frozen=True):
    """The total of one user."""

    client: str
    badge: int


class BadgesResult(Struct, frozen=True):
    """The totals of several users, and their sum."""

    data: list[UserBadge]
    total_badge: int = field(name="totalBadge")


class TagBadgesResult(Struct, frozen=True):
    """`totalBadge` counts a room once, however many of the tags it carries."""

    total_badge: int = field(name="totalBadge")
    data: dict[str, int]

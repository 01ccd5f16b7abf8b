"""What the domain needs from the outside. `store` implements these; `app.py` joins them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from readstate.domain.notices import Notice
from readstate.domain.types import (
    Deleted,
    Drift,
    Filter,
    Made,
    MemberState,
    MessageRef,
    Posted,
    Reading,
    ReceiptCount,
    Receipts,
    Room,
    RoomSummary,
    Status,
    Subscriptions,
    TagBadges,
)
from readstate.errors import ReadStateError


class RoomsOperations(Protocol):
    """Rooms, their members, and who is in which."""

    async def create_room(
        self,
        *,
        app: str,
        room: str,
        tags: Sequence[str],
        profile: Mapping[str, bytes],
        members: Sequence[str],
        by_client: bool = False,
    ) -> bool: ...
    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]: ...
    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]: ...
    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]: ...
    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool: ...
    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool: ...
    async def set_profile(
        self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW
    ) -> None: ...
    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool: ...
    async def subscriptions(self, *, app: str, user: str, since_ms: int) -> Subscriptions: ...
    async def room(self, *, app: str, room: str, user: str) -> Room: ...
    async def members(self, *, app: str, room: str, limit: int) -> list[MemberState]: ...
    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]: ...
    async def room_summary_each(
        self, *, app: str, rooms: Sequence[str], user: str, tags: bool, fields: Sequence[str], last_read: bool = False
    ) -> list[RoomSummary | None]: ...
    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]: ...
    async def rooms_of(self, *, app: str, user: str) -> list[str]: ...


class MessagesOperations(Protocol):
    """What is remembered of messages."""

    async def post(
        self,
        *,
        app: str,
        room: str,
        sender: str,
        message: str,
        countable: bool,
        body: str,
        sender_must_be_member: bool,
        sent_ms: int = 0,
        by_time: bool = False,
        move_cursor: bool = True,
        as_last: bool = True,
        notify: bool = True,
        made: Made = Made.ANYHOW,
    ) -> Posted: ...
    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted: ...
    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted: ...
    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted: ...
    async def delete_messages(self, *, app: str, room: str, before: str = "", before_ms: int = 0) -> Deleted: ...
    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = ...
    ) -> str: ...
    async def count_messages(self, *, app: str, room: str, since_ms: int, after: int) -> int: ...
    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef: ...


class ReadingOperations(Protocol):
    """Cursors."""

    async def mark_read(
        self,
        *,
        app: str,
        room: str,
        user: str,
        message: str,
        tell_backend: bool = True,
        with_badge: bool = True,
        derived: Callable[[int], None] = ...,
    ) -> Reading: ...
    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]]
    ) -> list[Reading | ReadStateError]: ...
    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int, tell_backend: bool = True, with_badge: bool = True
    ) -> Reading: ...
    async def mark_unread(self, *, app: str, room: str, user: str, message: str) -> None: ...
    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int: ...
    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]: ...


class ReceiptsOperations(Protocol):
    """Who has read a message."""

    async def page(
        self, *, app: str, room: str, message: str, which: Filter, limit: int, page: str, after: int = 0
    ) -> Receipts: ...
    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]: ...


class LatestOperations(Protocol):
    """When something happened last."""

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> int: ...


class ThrottleOperations(Protocol):
    """Calls in windows of time."""

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> tuple[int, int]: ...


class BadgesOperations(Protocol):
    """Unread over many rooms."""

    async def badge(self, *, app: str, user: str, tags: Sequence[str], derived: Callable[[int], None] = ...) -> int: ...
    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]: ...
    async def badges_by_tags(
        self, *, app: str, user: str, tags: Sequence[str], derived: Callable[[int], None] = ...
    ) -> TagBadges: ...
    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = ...
    ) -> list[int]: ...


class AuditOperations(Protocol):
    """The truth check."""

    async def audit_user(self, *, app: str, user: str, repair: bool) -> list[Drift]: ...
    async def audit_room(self, *, app: str, room: str, repair: bool) -> list[Drift]: ...
    async def audit_all(self, *, repair: bool) -> list[Drift]: ...


class Store(Protocol):
    """Atomic operations on read state. One method is one operation of `lua/`, under the same name.

    Arguments have been checked. Each may raise the refusals its docstring in `ReadState` names, Unavailable and UnknownOutcome.
    """

    @property
    def rooms(self) -> RoomsOperations: ...
    @property
    def messages(self) -> MessagesOperations: ...
    @property
    def reading(self) -> ReadingOperations: ...
    @property
    def receipts(self) -> ReceiptsOperations: ...
    @property
    def latest(self) -> LatestOperations: ...
    @property
    def throttle(self) -> ThrottleOperations: ...
    @property
    def badges(self) -> BadgesOperations: ...
    @property
    def audit(self) -> AuditOperations: ...


class Notices(Protocol):
    """The stream of what happened, app by app, at most once.

    `on_notice(app, notice)` is called in the order in which each room changed. `on_gap(app)` says that notices may have been
    lost since the last one: whoever shows state must fetch it anew.
    """

    async def listen(self, app: str) -> None:
        """Begin to hear of `app`; returns when every later notice will arrive. Counted: needs as many `leave`s."""

    async def leave(self, app: str) -> None: ...

    def attach(self, on_notice: Callable[[str, Notice], None], on_gap: Callable[[str], Awaitable[None]]) -> None: ...

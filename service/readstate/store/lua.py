# mypy: disable-error-code="empty-body"
"""Every script as Python calls it, and what it answers where that is no type of the domain.

`lua.badge(app=..., user=..., tags=...)` is a call for an executor.

What arguments and replies mean and when a script refuses is in its header, in `lua/<name>.lua`,
with which each declaration is compared when this module is imported.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from readstate.domain.changes import MovedRoom
from readstate.domain.client_rules import Made
from readstate.domain.events import Batch
from readstate.domain.identity import Revocations
from readstate.domain.messages import MessageRef, Posted
from readstate.domain.reading import MarkedRead
from readstate.domain.receipts import ReceiptCount
from readstate.domain.rooms import MemberState, Room, RoomSummary
from readstate.store.script_calls import script

# Rooms and members


@script
def create_room(
    *,
    app: str,
    tags: Sequence[str],
    settings: str,
    by_client: bool,
    profile: Sequence[tuple[str, bytes]],
    joining: Sequence[str],
    others: Sequence[str],
) -> int: ...
@script
def add_members(*, app: str, settings: str, made: Made, members: Sequence[str]) -> list[str]: ...
@script
def remove_members(*, app: str, settings: str, made: Made, members: Sequence[str]) -> list[str]: ...
@script
def invite(*, most: int, made: Made, users: Sequence[str]) -> list[str]: ...
@script
def set_tags(*, app: str, tags: Sequence[str], settings: str, made: Made) -> bool: ...
@script
def set_status(*, app: str, active: bool, made: Made) -> bool: ...
@script
def set_profile(*, app: str, made: Made, profile: Iterable[tuple[str, bytes]]) -> int: ...


class DeletedRoom(Struct, frozen=True):
    deleted: bool
    left: int


@script
def delete_room(*, app: str, made: Made) -> DeletedRoom: ...
@script
def sweep_room(*, app: str, limit: int) -> int: ...
@script
def room(*, app: str, user: str) -> Room: ...
@script
def room_summary(
    *, app: str, user: str, with_tags: bool, with_last_read: bool, fields: Sequence[str]
) -> RoomSummary | None: ...
@script
def members(*, limit: int) -> list[MemberState]: ...


class RoomsReply(Struct, frozen=True):
    rooms: list[str]
    asked: list[str]


@script
def rooms() -> RoomsReply: ...


class SubscriptionsReply(Struct, frozen=True):
    changed: list[tuple[str, int]]
    derived: list[tuple[str, int]]
    removed: list[tuple[str, int]]
    news: bool


@script
def subscriptions(*, since_ms: int) -> SubscriptionsReply: ...


class Change(NamedTuple):
    room: str
    version: int
    there: bool


class ChangesReply(Struct, frozen=True):
    version: int
    unread: int
    whole: bool
    changed: list[Change]
    derived: int
    news: list[str]
    elsewhere: list[str]


@script
def changes(*, app: str, user: str, settings: str, since: int, began: int) -> ChangesReply: ...


class MovedCopiesReply(Struct, frozen=True):
    version: int
    unread: int
    lost: bool
    moved: list[MovedRoom]
    derived: int
    news: list[str]
    elsewhere: list[str]


@script
def moved_copies(*, app: str, user: str, settings: str, since: int) -> MovedCopiesReply: ...


# Messages


@script
def post(
    *,
    app: str,
    sender: str,
    message: str,
    countable: int,
    must_be_member: bool,
    body: str,
    settings: str,
    sent_ms: int,
    made: Made,
    by_time: bool,
    sender_reads: bool,
    as_last: bool,
    notify: bool,
) -> Posted: ...
@script
def edit_message(*, app: str, message: str, body: str) -> Posted: ...
@script
def delete_message(*, app: str, message: str) -> int: ...
@script
def recall_message(*, app: str, message: str, body: str) -> int: ...


class DeletedMessages(Struct, frozen=True):
    count: int
    more: bool
    first: str | None


@script
def delete_messages(*, app: str, before: str, before_ms: int) -> DeletedMessages: ...
@script
def message(*, message: str, after: int) -> MessageRef: ...


class CountReply(Struct, frozen=True):
    count: int
    below: int


@script
def count_messages(*, since_ms: int, after: int, below: int, limit: int) -> CountReply: ...


# Reading and receipts


@script
def mark_read(*, app: str, user: str, message: str, settings: str, shard: str, with_badge: bool) -> MarkedRead: ...
@script
def mark_read_until(
    *, app: str, user: str, until_ms: int, settings: str, shard: str, with_badge: bool
) -> MarkedRead: ...
@script
def mark_unread(*, app: str, user: str, message: str, settings: str) -> int: ...
@script
def set_unread(*, app: str, user: str, count: int, settings: str) -> int: ...
@script
def acknowledge(*, user: str, messages: Sequence[str]) -> list[str]: ...


class RecentReply(Struct, frozen=True):
    members: list[str]
    recent: list[bytes]


@script
def catch_up(*, app: str, barrier: str, users: Iterable[str]) -> RecentReply: ...


class Person(Struct, frozen=True):
    member: str
    at: int
    exact: bool
    left_at: int
    trail: list[int]


class ReceiptsReply(Struct, frozen=True):
    message: MessageRef
    read: int
    unread: int
    left: int
    created_ms: int
    revision: int
    now: int
    section: str
    place: int
    last: str
    people: list[Person]


@script
def receipts(
    *, message: str, which: str, limit: int, section: str, place: int, last: str, since: int, after: int
) -> ReceiptsReply: ...
@script
def receipt_counts(*, after: int, messages: Sequence[str]) -> list[ReceiptCount | None]: ...


# Badges


class BadgeReply(Struct, frozen=True):
    unread: int
    derived: int
    news: list[str]
    elsewhere: list[str]


@script
def badge(*, app: str, user: str, settings: str, tags: Sequence[str]) -> BadgeReply: ...


class BadgesByTagsReply(Struct, frozen=True):
    total: int
    by_tag: dict[str, int]
    derived: int
    news: list[str]
    elsewhere: list[str]


@script
def badges_by_tags(*, app: str, user: str, settings: str, tags: Sequence[str]) -> BadgesByTagsReply: ...


# The user's side, and what is pushed to it


class Visited(Struct, frozen=True):
    revision: int
    created_revision: int
    tags: tuple[str, ...]
    cursor: int
    unread: int
    state: int
    active: bool


@script
def visit(*, app: str, user: str, settings: str) -> Visited: ...


class Applied(Struct, frozen=True):
    ahead: int
    badge: int | None


@script
def apply(
    *, room: str, revision: int, created_revision: int, tags: bytes, cursor: int, unread: int, state: int
) -> Applied: ...
@script
def pending(*, app: str, members: Sequence[str]) -> int: ...
@script
def ack(*, revision: int, members: Sequence[str]) -> int: ...
@script
def refresh_members(*, app: str, at_least: int, users: Sequence[str]) -> int: ...
@script
def reconcile_copy(
    *,
    app: str,
    user: str,
    settings: str,
    revision: int,
    cursor: int,
    unread: int,
    state: int,
    tags: Sequence[str],
    asks: bool,
) -> bool: ...


class UserLoad(Struct, frozen=True):
    is_in: bool
    rooms: int
    tags: int
    weight: int
    new_tags: int
    new_weight: int


@script
def user_load(*, room: str, tags: Sequence[str]) -> UserLoad: ...
@script
def enter_pending_room(*, room: str) -> int: ...


class PendingRooms(Struct, frozen=True):
    now_ms: int
    rooms: list[str]


@script
def pending_rooms(*, older_than_ms: int) -> PendingRooms: ...


# Audit


class CopyReply(Struct, frozen=True):
    room: str
    revision: int
    cursor: int
    unread: int
    state: int
    tags: tuple[str, ...]
    news: bool


@script
def copies(*, rooms: Sequence[str]) -> list[CopyReply]: ...


@script
def recent_copies(*, since: int) -> list[str]: ...


class UserState(Struct, frozen=True):
    member: str
    cursor: int
    unread: int
    state: int
    pending: bool
    attentive: bool


class MemberStates(Struct, frozen=True):
    revision: int
    tags: tuple[str, ...]
    active: bool
    states: list[UserState]


@script
def member_states(*, users: Sequence[str]) -> MemberStates: ...


# Events for webhooks


class Deliverers(Struct, frozen=True):
    deliverers: int
    refusing_target: str


@script
def join_deliverers(*, holder: str, lease_ms: int) -> Deliverers: ...
@script
def claim_shard(*, holder: str, lease_ms: int, entries: int, limit: int, hold_ms: int) -> Batch: ...


class OutcomeRow(NamedTuple):
    membership: str
    revision: int
    seq: int
    verdict: str
    sent: int
    detail: str


@script
def record_outcomes(*, outcomes: Iterable[OutcomeRow]) -> int: ...
@script
def release_shard(*, holder: str) -> bool: ...
@script
def replay_events(*, memberships: Sequence[str]) -> int: ...


# Layouts


@script
def migrate_room(*, most: int) -> bool: ...
@script
def note_layout(*, number: int, slots: str) -> int: ...


# Tokens, apps, workers, rates


@script
def revoke(*, margin_s: int, revoked: Sequence[bytes]) -> int: ...
@script
def revocations(*, since: int) -> Revocations: ...
@script
def set_hash_field(*, field: str, value: bytes, command: str) -> bool: ...
@script
def note_worker(*, life_ms: int, note: bytes) -> list[bytes]: ...
@script
def note_newest(*, at_ms: int, kept_ms: int) -> int: ...


class Hits(Struct, frozen=True):
    calls: int
    left_ms: int


@script
def hit_rate_limit(*, window_ms: int) -> Hits: ...


# People


@script
def erase_member(
    *, user: str, stand_in: str, chunks: Sequence[bytes], stays: Sequence[bytes], seqs: Sequence[bytes]
) -> bool: ...
@script
def erase_sender(*, user: str, stand_in: str, numbers: Sequence[str]) -> int: ...
@script
def erase_copy(*, room: str) -> bool: ...

"""What scripts answer: values of store/lua.py. What the fields mean is in the header of
the script.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from readstate.domain.messages import MessageRef


class DeletedRoom(Struct, frozen=True):
    deleted: bool
    left: int


class Me(Struct, frozen=True):
    cursor: int
    unread: int
    last_read: str | None
    moved_ms: int
    has_read: bool
    marked_ms: int
    joined: int


class RoomReply(Struct, frozen=True):
    active: bool
    tags: tuple[str, ...]
    created_ms: int
    seq: int
    member_count: int
    profile: dict[str, bytes]
    last: MessageRef | None
    me: Me | None
    invited: bool
    by_client: bool


class Summary(Struct, frozen=True):
    active: bool
    created_ms: int
    last: MessageRef | None
    unread: int
    moved_ms: int
    has_read: bool
    marked_ms: int
    tags: tuple[str, ...]
    profile: list[bytes | None]
    last_read: str | None


class MemberReply(Struct, frozen=True):
    member: str
    cursor: int
    unread: int
    last_read: str | None


class RoomsReply(Struct, frozen=True):
    rooms: list[str]
    derived: list[str]


class SubscriptionsReply(Struct, frozen=True):
    changed: list[tuple[str, int]]
    derived: list[tuple[str, int]]
    removed: list[tuple[str, int]]


class DeletedMessages(Struct, frozen=True):
    count: int
    more: bool
    first: str | None


class MessageReply(Struct, frozen=True):
    seq: int
    sender: str | None
    at_ms: int


class CountReply(Struct, frozen=True):
    count: int
    below: int


class ReadReply(Struct, frozen=True):
    message: str
    seq: int
    moved: bool
    unread: int
    badge: int | None


class Person(Struct, frozen=True):
    member: str
    at: int
    exact: bool
    left_at: int
    trail: list[int]


class ReceiptsReply(Struct, frozen=True):
    seq: int
    sender: str | None
    at_ms: int
    read: int
    unread: int
    left: int
    created_ms: int
    revision: int
    now: int
    part: Literal["q", "c", "y", ""]
    place: int
    last: str
    people: list[Person]


class Counted(Struct, frozen=True):
    read: int
    unread: int
    left: int


class BadgeReply(Struct, frozen=True):
    unread: int
    derived: int
    elsewhere: list[str]


class BadgesByTagsReply(Struct, frozen=True):
    total: int
    by_tag: dict[str, int]
    derived: int
    elsewhere: list[str]


class DerivedUnread(Struct, frozen=True):
    unread: int
    tags: tuple[str, ...]


class Applied(Struct, frozen=True):
    total: int
    derived: int
    ahead: int


class UserLoad(Struct, frozen=True):
    is_in: bool
    rooms: int
    tags: int
    weight: int
    new_tags: int
    new_weight: int


class Compared(Struct, frozen=True):
    """How many values were compared, and (name, stored, expected) of those that differ."""

    compared: int
    differences: list[tuple[str, str, str]]


class CopyReply(Struct, frozen=True):
    room: str
    revision: int
    cursor: int
    unread: int
    state: int
    tags: tuple[str, ...]


class UserState(Struct, frozen=True):
    member: str
    cursor: int
    unread: int
    state: int
    pending: bool
    ordered: bool


class Snapshot(Struct, frozen=True):
    revision: int
    tags: tuple[str, ...]
    active: bool
    states: list[UserState]


class Deliverers(Struct, frozen=True):
    deliverers: int
    refusing_target: str


class Claimed(Struct, frozen=True):
    held: bool
    now_ms: int
    waiting: int
    more: bool
    broken: int
    due: list[bytes]


class OutcomeRow(NamedTuple):
    membership: str
    revision: int
    seq: int
    verdict: str
    sent: int
    detail: str


class Revocations(Struct, frozen=True):
    now_s: int
    newest: int
    revoked: list[bytes]


class Hits(Struct, frozen=True):
    calls: int
    left_ms: int

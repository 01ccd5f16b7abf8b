"""What scripts answer, where it is no type of the domain. What the fields mean is in the header of
the script.
"""

from typing import NamedTuple

from msgspec import Struct

from readstate.domain.messages import MessageRef


class DeletedRoom(Struct, frozen=True):
    deleted: bool
    left: int


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


class CountReply(Struct, frozen=True):
    count: int
    below: int


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
    part: str
    place: int
    last: str
    people: list[Person]


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


class OutcomeRow(NamedTuple):
    membership: str
    revision: int
    seq: int
    verdict: str
    sent: int
    detail: str


class Hits(Struct, frozen=True):
    calls: int
    left_ms: int

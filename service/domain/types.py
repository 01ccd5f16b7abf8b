"""The values that operations take and give. Words as in docs/glossary.md."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct


class Status(Enum):
    """Whether a room counts. A frozen room is neither counted nor listed; its cursors still move."""

    ACTIVE = 1
    FROZEN = 0


class Reading(Struct, frozen=True):
    """The answer to "mark read"."""

    message: str  # id of the message that the member has now read up to
    seq: int  # its position
    moved: bool  # False: an older or equal position; nothing changed, nothing was announced
    unread: int  # countable messages of the room after the cursor
    badge: int  # unread over all the user's rooms


class Posted(Struct, frozen=True):
    """The answer to "post": where the message stands."""

    message: str
    seq: int
    ordinal: int
    at_ms: int
    created: bool  # False: the id was known already; nothing changed


class Deleted(Struct, frozen=True):
    """The answer to deleting or recalling messages."""

    count: int  # messages that were there and now are not; 0 when repeated


class TagBadges(Struct, frozen=True):
    """Unread per tag; a room with two of the tags is in both counts and once in the total."""

    total: int
    counts: dict[str, int]


class MessageRef(Struct, frozen=True):
    """What is remembered of a message. Bodies are never kept."""

    message: str
    seq: int
    sender: str  # "" when posted without a sender
    at_ms: int


class MemberState(Struct, frozen=True):
    """One member's read state in one room."""

    member: str
    cursor: int  # seq from which unread is counted
    unread: int
    last_read: str | None  # None until a first real read (joining is not reading), or no longer remembered


class Room(Struct, frozen=True):
    """A room as one of its readers sees it."""

    room: str
    status: Status
    tags: tuple[str, ...]  # sorted, distinct
    profile: Mapping[str, bytes]  # field name -> JSON text, as the backend gave it
    created_ms: int
    seq: int  # head
    member_count: int
    last: MessageRef | None
    me: MemberState | None  # the asking user's own state; None for a stranger


class Change(Enum):
    """What happened to a message that is pushed."""

    NEW = "new"
    EDIT = "edit"
    RECALL = "recall"


class Drift(Struct, frozen=True):
    """One difference that an audit found (and repaired, when asked to)."""

    app: str
    user: str
    room: str  # "" for a counter
    what: str  # "unread", "cursor", "tags", "state" ...; of a counter its field as in store/keys.py, e.g. "*" for the total
    stored: str
    expected: str

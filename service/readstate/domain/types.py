"""The values that operations take and give. Words as in docs/glossary.md."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct


class Status(Enum):
    """Whether a room counts. A frozen room is neither counted nor listed; its cursors still move."""

    ACTIVE = 1
    FROZEN = 0


class Made(Enum):
    """Who must have made a room for a change to happen. A backend may have taken it over meanwhile."""

    ANYHOW = ""
    BY_CLIENT = "1"
    NOT_BY_CLIENT = "0"


class MarkedRead(Struct, frozen=True):
    """The answer to "mark read"."""

    message: str  # id of the message that the member has now read up to
    seq: int  # its position
    moved: bool  # False: an older or equal position; nothing changed, nothing was announced
    unread: int  # countable messages of the room after the cursor
    badge: int | None  # unread over all the user's rooms; None: it was not asked for


class Posted(Struct, frozen=True):
    """The answer to "post": where the message stands, and what is kept of it."""

    message: str
    seq: int
    ordinal: int
    at_ms: int
    created: bool  # False: the id was known already; nothing changed
    moved: int = 0  # counters of members that it moved: two and one for each tag, of each member who was told
    sender: str | None = None


class Deleted(Struct, frozen=True):
    """The answer to deleting or recalling messages."""

    count: int  # messages that were there and now are not; 0 when repeated
    first: str | None = None  # of delete_messages: the first message that stays


class TagBadges(Struct, frozen=True):
    """Unread per tag; a room with two of the tags is in both counts and once in the total."""

    total: int
    counts: dict[str, int]


class MessageRef(Struct, frozen=True):
    """What is remembered of a message. Bodies are never kept."""

    message: str
    seq: int
    sender: str | None
    at_ms: int  # when it arrived here, or when it was sent as far as the poster said so


class Receipt(Struct, frozen=True):
    """That somebody had read a message, and since when."""

    member: str
    at_ms: int  # when their cursor first reached the message; unless `exact`: at the latest then
    exact: bool  # False: the journal has been trimmed past that move
    left: bool  # they were a member then and left since


class ReceiptsPage(Struct, frozen=True):
    """A page of who has, or who has not, read one message. Its sender is in neither list and in no number.

    Concerned are the members of the moment when it was posted; who joined later is in neither list. Who left after reading it stays
    among the readers, marked; who left without having read it goes.
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


class Subscriptions(Struct, frozen=True):
    """Which of a user's rooms changed for them."""

    changed: tuple[tuple[str, int], ...]  # (room, when its state for the user last changed, Unix ms)
    removed: tuple[tuple[str, int], ...]  # (room, when it was left or deleted); known for an hour


class MemberState(Struct, frozen=True):
    """One member's read state in one room."""

    member: str
    cursor: int  # seq from which unread is counted
    unread: int
    last_read: str | None  # None until a first real read (joining is not reading), or no longer remembered
    # The following only in Room.me; lists of members leave them out.
    moved_ms: int = 0  # when the cursor last moved, joining included
    has_read: bool = False  # whether there ever was a real read
    marked_ms: int | None = None  # time of the message from which the member has marked the room as unread
    joined: int = 0  # seq at which they joined: messages up to it do not concern them


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
    invited: bool = False  # the asking user is no member and may become one by joining
    by_client: bool = False  # a client made it, and no backend has taken it over

    @property
    def made(self) -> Made:
        """For changes that shall happen only while the room is in the hands in which it was seen."""
        return Made.BY_CLIENT if self.by_client else Made.NOT_BY_CLIENT


class RoomSummary(Struct, frozen=True):
    """What choosing among a user's rooms needs of one of them."""

    room: str
    status: Status
    created_ms: int
    last: MessageRef | None  # the newest message that is still there
    tags: tuple[str, ...]  # sorted, distinct; empty unless asked for
    profile: Mapping[str, bytes]  # of the fields asked for those that there are, as JSON text
    me: MemberState  # without the position: `cursor` is 0; `last_read` is None unless asked for

    @property
    def last_ms(self) -> int:
        """The time of the newest message, 0 without any."""
        return self.last.at_ms if self.last else 0


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
    what: str  # "unread", "cursor", "tags", "state" ...; of a counter "total", "derived", or its field as in store/keys.py
    stored: str
    expected: str

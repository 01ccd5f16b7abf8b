"""Wire types of receipts."""

from typing import Any

from msgspec import Struct, field


class Reader(Struct, frozen=True):
    """A member who has read a message: at `at`, or, unless `exact`, at the latest then.

    `left`: they were a member then and left since.
    """

    client: str
    at: str
    exact: bool
    left: bool


class Member(Struct, frozen=True):
    """A member who has not."""

    client: str


class ReceiptsResult(Struct, frozen=True):
    """A page of those who have, or have not, read a message.

    The counts are of all of them; its sender is in none.

    Concerned are the members of the moment when it was posted. `leftCount`: of those who had read
    it, how many left since; they are not in `readCount`.
    """

    room: str
    message: str
    sender: str | None
    message_time: str = field(name="messageTime")
    read_count: int = field(name="readCount")
    unread_count: int = field(name="unreadCount")
    left_count: int = field(name="leftCount")
    data: list[Any]  # Reader, or Member
    next: str | None


class MessageReceipts(Struct, frozen=True):
    """How many have read one message; numbers as in ReceiptsResult."""

    message: str
    read_count: int = field(name="readCount")
    unread_count: int = field(name="unreadCount")
    left_count: int = field(name="leftCount")


class ReceiptCountsResult(Struct, frozen=True):
    """The counts of several messages of a room. Unknown and deleted ones are left out."""

    room: str
    data: list[MessageReceipts]

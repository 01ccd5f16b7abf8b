"""Messages: where they stand in their rooms, and what is remembered of them."""

from enum import Enum
from typing import Protocol

from msgspec import Struct

from readstate.domain.client_rules import Made
from readstate.domain.limits import Charge, Id, free


class MessageRef(Struct, frozen=True):
    """What is remembered of a message. Bodies are never kept."""

    message: str
    seq: int
    sender: str | None
    at_ms: int  # when it was sent, if its poster gave that time; else when it arrived here


class Posted(Struct, frozen=True):
    """The answer to "post": where the message stands, and what is kept of it."""

    message: str
    seq: int
    ordinal: int
    at_ms: int
    created: bool  # False: the id was known already; nothing changed
    moved: int = 0  # counters of members that it moved: two and one for each tag, of each updated member
    sender: str | None = None


class Deleted(Struct, frozen=True):
    """The answer to deleting or recalling messages."""

    count: int  # messages that were there and now are not; 0 when repeated
    first: str | None = None  # of delete_messages: the first message that stays


class Change(Enum):
    """What happened to a message that is pushed."""

    NEW = "new"
    EDIT = "edit"
    RECALL = "recall"


class Messages(Protocol):
    """Operations on the messages of rooms."""

    async def post(
        self,
        *,
        app: str,
        room: str,
        sender: Id | None,
        message: Id | None = None,
        countable: bool = True,
        body: str = "{}",
        sender_must_be_member: bool = False,
        sent_ms: int | None = None,
        by_time: bool = False,
        move_cursor: bool | None = None,
        as_last: bool | None = None,
        notify: bool = True,
        made: Made = Made.ANYHOW,
    ) -> Posted:
        """Append a message. The sender's own cursor moves to it; for every other member one more
        message is unread if it is countable.

        `message`: the backend's id; without one it gets an id of ours, 24 hex, rising within the
            room. A known id changes nothing: the answer has its place, its sender and its time.
        `sender`: None posts without one.
        `body`: a JSON object that is pushed to the members and not kept.
        `sent_ms`: when it was sent, by its sender's clock (Unix ms); without it, now. It is the
            message's time from then on. If that is more than a minute ago, the sender's move is a
            receipt of "at the latest now".
        `by_time`: in a room of two it does not count for a reader whose `mark_read_until` lies
            beyond `sent_ms`: it was read before it came.
        `move_cursor`: False: the sender has not read anything by it, and has it unread like the
            others if it counts.
        `as_last`: False: it is never the room's last message. Both are what `countable` is unless
            given.
        `notify`: False: devices do not hear of it.
        `made`: as in Rooms.

        Raises RoomUnknown, NotMember (only with `sender_must_be_member`). It may be repeated
        exactly when `message` is given.
        """

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        """Push a changed body of a known message; no count changes.

        Raises RoomUnknown, MessageUnknown.
        """

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        """Delete a message; every badge that counted it falls by one. Repeating answers count 0.

        Raises RoomUnknown, MessageUnknown.
        """

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        """As delete_message, but members see the message again with the recalled `body`."""

    async def delete_messages(
        self, *, app: str, room: str, before: str | None = None, before_ms: int | None = None
    ) -> Deleted:
        """Delete all messages before the message `before`, or those sent before `before_ms` (Unix
        ms); with neither, all.

        None of them is unread for any member from then on, remembered or not; cursors stay. The
        time counts when there is no message `before`: the first message that stays is then the
        oldest one that was not sent before it. Times are known of remembered messages only:
        forgotten ones stay until the oldest remembered one goes. Raises RoomUnknown, MessageUnknown
        (`before` is not remembered, and no time is given). Safe to repeat.
        """

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        """What is remembered of a message. Messages up to the seq `after` count as unknown.

        Raises RoomUnknown, MessageUnknown.
        """

    async def count_messages(self, *, app: str, room: str, since_ms: int = 0, after: int = 0) -> int:
        """How many messages were sent after `since_ms` (Unix ms), without the deleted ones.

        Messages up to the seq `after` count as unknown. By a time or a seq only the newest 10,000
        are counted, as far as the room remembers them; without either all. Raises RoomUnknown.
        """

    async def find_message(self, *, app: str, user: str, message: str, searching: Charge = free) -> str:
        """The room of `user` that a message is in, for dialects that name messages alone. If
        several rooms have the same id, any of them.

        When it is not known at once, the user's rooms are searched: before that, `searching` is
        called with their number. Raises MessageUnknown, after as many questions to the store for a
        message of other users' rooms as for one that does not exist.
        """

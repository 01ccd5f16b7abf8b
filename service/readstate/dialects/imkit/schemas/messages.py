"""Wire types of messages."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from readstate.dialects.imkit.schemas import NonEmpty
from readstate.dialects.imkit.schemas.rooms import UserRef
from readstate.domain.limits import MAX_POSTS_PER_BATCH


class RoomMessage(Struct, frozen=True):
    """POST /rooms/:id/message; with `_id`: edit that message, or recall it with `messageType`
    recall.
    """

    id: str | None = field(name="_id", default=None)
    message_type: NonEmpty | None = field(name="messageType", default=None)
    countable: bool | None = None  # ours: false, and no unread count rises
    silent: bool | None = None  # ours: the same as `countable: false`


class BackendPost(Struct, frozen=True, kw_only=True):
    """What only the backend may say of a message; from a client it is passed over.

    When it was sent comes in any of three spellings, ISO-8601 or Unix milliseconds, up to a day
    ahead. Without one it is now.
    """

    message_time: str | None = field(name="messageTime", default=None)
    message_time_ms: int | None = field(name="messageTimeMS", default=None)
    created_at_ms: int | None = field(name="createdAtMS", default=None)
    notify: bool | None = None  # ours: false: no device hears of it
    # Both ours, and as whether it counts unless given.
    move_cursor: bool | None = field(name="moveCursor", default=None)  # false: its sender has not read anything by it
    as_last_message: bool | None = field(name="asLastMessage", default=None)  # false: never the room's lastMessage


class AdminMessage(BackendPost, frozen=True, kw_only=True):
    """POST /messages, and one item of POST /messages/batch; `_id` makes repeating it harmless."""

    room: NonEmpty
    sender: NonEmpty | None
    id: str | None = field(name="_id", default=None)
    message_type: NonEmpty | None = field(name="messageType", default=None)
    countable: bool | None = None
    silent: bool | None = None


class Batch(Struct, frozen=True):
    """POST /messages/batch: `messages`, or `paras` as the documentation calls them, at most 500.

    Each is an AdminMessage. What stands beside the list goes for all that do not say otherwise. In
    `paras` a `receiver` may stand for the room of the sender and that user, the sender may be left
    out, and a `$name$` in `message` and `extra` stands for the text that the item has under it.
    """

    messages: Annotated[list[Raw], Meta(max_length=MAX_POSTS_PER_BATCH)] | None = None
    paras: Annotated[list[Raw], Meta(max_length=MAX_POSTS_PER_BATCH)] | None = None


class _Message(Struct, frozen=True):
    mongo_id: str = field(name="_id")
    id: str
    app_id: str = field(name="appID")
    room: str
    message_time: str = field(name="messageTime")
    message_time_ms: int = field(name="messageTimeMS")
    created_at_ms: int = field(name="createdAtMS")


class MessageResult(_Message, frozen=True):
    """A message as it was given, and its place in time."""

    message_type: Any = field(name="messageType")
    sender: UserRef | str | None
    updated_at_ms: int = field(name="updatedAtMS")


class PostedResult(_Message, frozen=True):
    """A message of the backend as it was given.

    `created` is false when its `_id` was known already: nothing changed then, and the answer is
    what is stored. Of what a message says nothing is, so that only ids, sender and times are there.
    """

    sender: str | None
    created: bool  # ours
    message_type: Any = field(name="messageType", default=UNSET)


class BatchPosted(Struct, frozen=True):
    """Where one message of a batch stands.

    `created` is false when its `_id` was known already: sender and time are those stored.
    """

    mongo_id: str = field(name="_id")
    id: str
    room: str
    sender: str | None
    message_time_ms: int = field(name="messageTimeMS")
    created: bool


class BatchResult(Struct, frozen=True):
    """`results` has one envelope per item, in the order given; `count` of the messages were
    taken.
    """

    batch_id: str = field(name="batchID")
    count: int
    results: list[Any]


class MessagesDeletedResult(Struct, frozen=True):
    """`messageID` is `_all` when none is left, `_before` when all before the message `before` were
    deleted.
    """

    deleted_count: int = field(name="deletedCount")
    room_id: str = field(name="roomID")
    message_id: str = field(name="messageID")
    deleted_by: str = field(name="deletedBy")
    deleted_at: str = field(name="deletedAt")
    before: str | UnsetType = UNSET

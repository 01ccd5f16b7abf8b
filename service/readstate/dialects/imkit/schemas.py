"""The wire types of IMKit's HTTP API. Names and meanings are those of docs.imkit.io and of the published clients.

Requests ignore fields they do not know, as the original does, except where a misspelt one would
change what is asked for without a word; rooms, users and messages keep such fields as given (`body.free_fields`).
Results that carry free fields are built in `views`; the Structs here describe what they always have.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from readstate.domain.limits import (
    MAX_BADGES_PER_CALL,
    MAX_POSTS_PER_BATCH,
    MAX_READS_PER_CALL,
    MAX_TAG_CHARS,
    MAX_TAGS,
    MAX_TOKENS_PER_CALL,
)

Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_CHARS)]
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS)]
NonEmpty = Annotated[str, Meta(min_length=1)]


# Requests


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
    clients: Annotated[list[NonEmpty], Meta(min_length=1, max_length=MAX_BADGES_PER_CALL)] | None = (
        None  # ours: user ids, for backends
    )


class NewRoom(Struct, frozen=True):
    """POST /rooms/ and /rooms/createAndJoin; whatever else is given becomes the room's profile."""

    id: str | None = field(name="_id", default=None)
    members: list[str] | None = None
    invitee: str | list[str] | None = None
    room_tags: list[Tag] | None = field(name="roomTags", default=None)
    owner: str | None = None
    system_message: bool | None = field(name="systemMessage", default=None)
    invitation_required: bool | None = field(name="invitationRequired", default=None)


class RoomChange(Struct, frozen=True):
    """PUT /rooms/:id; whatever else is given goes into the room's profile."""

    room_tags: list[Tag] | None = field(name="roomTags", default=None)
    status: Literal[0, 1] | None = None  # 0 frozen, 1 active


class JoinRoom(Struct, frozen=True):
    """POST /rooms/:id/join"""

    system_message: bool | None = field(name="systemMessage", default=None)


class AddMember(Struct, frozen=True):
    """POST /rooms/:id/members/:uid. As Invitees."""

    system_message: bool | None = field(name="systemMessage", default=None)
    invitation_required: bool | None = field(name="invitationRequired", default=None)


class Invitees(Struct, frozen=True):
    """POST /rooms/:id/members. With `invitationRequired` they are invited, and members only when they join."""

    invitees: list[str]
    system_message: bool | None = field(name="systemMessage", default=None)
    invitation_required: bool | None = field(name="invitationRequired", default=None)


class Leavers(Struct, frozen=True):
    """POST /rooms/:id/delete/members; the own id alone: leave."""

    members: list[str]
    system_message: bool | None = field(name="systemMessage", default=None)


class RoomMessage(Struct, frozen=True):
    """POST /rooms/:id/message; with `_id`: edit that message, or recall it with `messageType` recall."""

    id: str | None = field(name="_id", default=None)
    message_type: NonEmpty | None = field(name="messageType", default=None)
    countable: bool | None = None  # ours: false, and nobody's unread count rises
    silent: bool | None = None  # ours: the same as `countable: false`


class BackendPost(Struct, frozen=True, kw_only=True):
    """What only the backend may say of a message; from a client it is passed over.

    When it was sent comes in any of three spellings, ISO-8601 or Unix milliseconds, up to a day ahead. Without one it is now.
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

    Each is an AdminMessage. What stands beside the list goes for all that do not say otherwise. In `paras` a `receiver` may stand
    for the room of the sender and that user, the sender may be left out, and a `$name$` in `message` and `extra` stands for the text
    that the item has under it.
    """

    messages: Annotated[list[Raw], Meta(max_length=MAX_POSTS_PER_BATCH)] | None = None
    paras: Annotated[list[Raw], Meta(max_length=MAX_POSTS_PER_BATCH)] | None = None


class NewUser(Struct, frozen=True):
    """POST /admin/clients; whatever else is given becomes the user's profile."""

    id: NonEmpty = field(name="_id")
    nickname: str | None = None
    avatar_url: str | None = field(name="avatarUrl", default=None)
    issue_access_token: bool | None = field(name="issueAccessToken", default=None)
    token: str | None = None
    expiration_date: str | None = field(name="expirationDate", default=None)


class ListedUser(Struct, frozen=True):
    """One item of POST /admin/clients/list."""

    id: NonEmpty = field(name="_id")
    nickname: str | None = None
    avatar_url: str | None = field(name="avatarUrl", default=None)


class NewUsers(Struct, frozen=True):
    """POST /admin/clients/list"""

    data: Annotated[list[ListedUser], Meta(max_length=MAX_POSTS_PER_BATCH)]


class TokenBinding(Struct, frozen=True):
    """PUT /admin/clients/:id/token. Without `expirationDate` the token lives as long as an issued one."""

    token: NonEmpty
    expiration_date: NonEmpty | None = field(name="expirationDate", default=None)


class TokenRevoking(Struct, frozen=True, forbid_unknown_fields=True):
    """DELETE /admin/clients/:id/token; without `token` all of the user's."""

    token: NonEmpty | None = None


# Results


class ReadResult(Struct, frozen=True):
    """How far the caller has read now. `badge` is the total over all rooms unless set up otherwise; `unread` is the room's (ours)."""

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
    """`results` has one envelope per item, in the order given; `badge` is the total after all of them."""

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


class CountResult(Struct, frozen=True):
    """How many messages of a room were sent after a time."""

    count: int


class RoomIdsResult(Struct, frozen=True):
    """`totalCount` counts all pages."""

    total_count: int = field(name="totalCount")
    data: list[str]


class MemberResult(Struct, frozen=True, omit_defaults=True):
    """One member's read state. `lastRead` only after a first real read.

    Before it `joinedAt` (ours) says since when they are a member.
    """

    client: str
    badge: int
    last_read: str | None = field(name="lastRead", default=None)
    joined_at: str | None = field(name="joinedAt", default=None)


class TagBadgesResult(Struct, frozen=True):
    """`totalBadge` counts a room once, however many of the tags it carries."""

    total_badge: int = field(name="totalBadge")
    data: dict[str, int]


class Reader(Struct, frozen=True):
    """Somebody who has read a message: at `at`, or, unless `exact`, at the latest then. `left`: they were a member then and left since."""

    client: str
    at: str
    exact: bool
    left: bool


class Member(Struct, frozen=True):
    """Somebody who has not."""

    client: str


class ReceiptsResult(Struct, frozen=True):
    """A page of those who have, or have not, read a message. The counts are of all of them; its sender is in none.

    Concerned are the members of the moment when it was posted. `leftCount`: of those who had read it, how many left since; they are not
    in `readCount`.
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


class UserResult(Struct, frozen=True):
    """A user; profile fields of the backend's own are there too."""

    mongo_id: str = field(name="_id")
    id: str
    app_id: str = field(name="appID")
    nickname: Any
    avatar_url: Any = field(name="avatarUrl")
    description: Any
    is_robot: Any = field(name="isRobot")
    mute: list[str]
    updated_at: str = field(name="updatedAt")


class UserRef(Struct, frozen=True):
    """A user inside a room or message."""

    mongo_id: str = field(name="_id")
    id: str
    nickname: Any
    avatar_url: Any = field(name="avatarUrl")
    description: Any
    is_robot: Any = field(name="isRobot")


class MemberProperty(Struct, frozen=True, omit_defaults=True):
    """One member's read state; `lastRead` only after a first real read."""

    client: str
    badge: int
    last_read: str | None = field(name="lastRead", default=None)


class LastMessage(Struct, frozen=True):
    """The newest message. Its content is not kept."""

    mongo_id: str = field(name="_id")
    id: str
    room: str
    sender: UserRef | None
    message_time: str = field(name="messageTime")
    message_time_ms: int = field(name="messageTimeMS")
    created_at_ms: int = field(name="createdAtMS")


class _Room(Struct, frozen=True):
    mongo_id: str = field(name="_id")
    id: str
    app_id: str = field(name="appID")
    room_type: Any = field(name="roomType")
    room_tags: list[str] = field(name="roomTags")
    status: Literal[0, 1]
    created_time: str = field(name="createdTime")
    created_time_ms: int = field(name="createdTimeMS")


class RoomResult(_Room, frozen=True):
    """A room; profile fields are there too. Per-user fields only for a caller who is somebody."""

    members: list[UserRef]


class CreatedRoomResult(_Room, frozen=True):
    """The same in the answer to POST /rooms/, where members are ids."""

    members: list[str]
    created: bool  # ours: false for a room that existed


class MessageTime(Struct, frozen=True):
    """Which message, and when it was sent."""

    mongo_id: str = field(name="_id")
    message_time_ms: int = field(name="messageTimeMS")


class RoomUnread(Struct, frozen=True, omit_defaults=True):
    """What `fields=unread` shows of a room. `lastRead` only after a first real read.

    Before it `joinedAtMS` says when the caller joined. `lastMessage` is missing in a room without
    messages.
    """

    mongo_id: str = field(name="_id")
    unread: int
    room_tags: tuple[str, ...] = field(name="roomTags")
    last_read: str | None = field(name="lastRead", default=None)
    joined_at_ms: int | None = field(name="joinedAtMS", default=None)
    last_message: MessageTime | None = field(name="lastMessage", default=None)


class RoomsResult(Struct, frozen=True):
    """A page of the caller's rooms."""

    total_count: int = field(name="totalCount")
    data: list[RoomResult]


class RoomsUnreadResult(Struct, frozen=True):
    """The same with `fields=unread`."""

    total_count: int = field(name="totalCount")
    data: list[RoomUnread]


class RoomDeletedResult(Struct, frozen=True):
    """A room that was deleted."""

    n: int
    ok: int


class MessageResult(Struct, frozen=True):
    """A message as it was given, and its place in time."""

    mongo_id: str = field(name="_id")
    id: str
    app_id: str = field(name="appID")
    room: str
    message_type: Any = field(name="messageType")
    sender: UserRef | str | None
    message_time: str = field(name="messageTime")
    message_time_ms: int = field(name="messageTimeMS")
    created_at_ms: int = field(name="createdAtMS")
    updated_at_ms: int = field(name="updatedAtMS")


class PostedResult(Struct, frozen=True):
    """A message of the backend as it was given. `created` is false when its `_id` was known already: nothing changed then, and the
    answer is what is stored. Of what a message says nothing is, so that only ids, sender and times are there."""

    mongo_id: str = field(name="_id")
    id: str
    app_id: str = field(name="appID")
    room: str
    sender: str | None
    message_time: str = field(name="messageTime")
    message_time_ms: int = field(name="messageTimeMS")
    created_at_ms: int = field(name="createdAtMS")
    created: bool  # ours
    message_type: Any = field(name="messageType", default=UNSET)


class BatchPosted(Struct, frozen=True):
    """Where one message of a batch stands. `created` is false when its `_id` was known already: sender and time are those stored."""

    mongo_id: str = field(name="_id")
    id: str
    room: str
    sender: str | None
    message_time_ms: int = field(name="messageTimeMS")
    created: bool


class BatchResult(Struct, frozen=True):
    """`results` has one envelope per item, in the order given; `count` of the messages were taken."""

    batch_id: str = field(name="batchID")
    count: int
    results: list[Any]


class MessagesDeletedResult(Struct, frozen=True):
    """`messageID` is `_all` when none is left, `_before` when all before the message `before` were deleted."""

    deleted_count: int = field(name="deletedCount")
    room_id: str = field(name="roomID")
    message_id: str = field(name="messageID")
    deleted_by: str = field(name="deletedBy")
    deleted_at: str = field(name="deletedAt")
    before: str | UnsetType = UNSET


class TokenResult(Struct, frozen=True):
    """A token of a user."""

    token: str
    client: str
    expiration_date: str = field(name="expirationDate")
    expiration_date_ms: int = field(name="expirationDateMS")


class RevokedToken(Struct, frozen=True):
    """`token` is empty for a custom token that the call did not name: only its digest is kept."""

    token: str
    created_at: str = field(name="createdAt")
    updated_at: str = field(name="updatedAt")
    expiration_date: str = field(name="expirationDate")
    expiration_date_ms: int = field(name="expirationDateMS")


class RevokedTokensResult(Struct, frozen=True):
    """Tokens that ended."""

    data: list[RevokedToken]


class UsersResult(Struct, frozen=True):
    """Users as they are now."""

    total_count: int = field(name="totalCount")
    data: list[UserResult]


class Empty(Struct, frozen=True):
    """`{}`"""

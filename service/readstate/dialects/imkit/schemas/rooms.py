"""Wire types of rooms and their members."""

from typing import Any, Literal

from msgspec import Struct, field

from readstate.dialects.imkit.schemas import Tag


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


class AddMember(JoinRoom, frozen=True):
    """POST /rooms/:id/members/:uid. As Invitees."""

    invitation_required: bool | None = field(name="invitationRequired", default=None)


class Invitees(AddMember, frozen=True, kw_only=True):
    """POST /rooms/:id/members.

    With `invitationRequired` they are invited, and members only when they join.
    """

    invitees: list[str]


class Leavers(JoinRoom, frozen=True, kw_only=True):
    """POST /rooms/:id/delete/members; the own id alone: leave."""

    members: list[str]


class CountResult(Struct, frozen=True):
    """How many messages of a room were sent after a time."""

    count: int


class Page(Struct, frozen=True):
    """A part of a list; `totalCount` counts all pages."""

    total_count: int = field(name="totalCount")


class RoomIdsResult(Page, frozen=True):
    """`totalCount` counts all pages."""

    data: list[str]


class MemberProperty(Struct, frozen=True, omit_defaults=True):
    """One member's read state; `lastRead` only after a first real read."""

    client: str
    badge: int
    last_read: str | None = field(name="lastRead", default=None)


class MemberResult(MemberProperty, frozen=True, omit_defaults=True):
    """One member's read state. `lastRead` only after a first real read.

    Before it `joinedAt` (ours) says since when they are a member.
    """

    joined_at: str | None = field(name="joinedAt", default=None)


class UserRef(Struct, frozen=True):
    """A user inside a room or message."""

    mongo_id: str = field(name="_id")
    id: str
    nickname: Any
    avatar_url: Any = field(name="avatarUrl")
    description: Any
    is_robot: Any = field(name="isRobot")


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
    """A room; profile fields are there too. Per-user fields only for a caller who is a user."""

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


class ChangesResult(Struct, frozen=True):
    """What has changed, and the version of that. `badge` is over all rooms."""

    version: str
    badge: int
    snapshot: bool
    more: bool
    rooms: list[RoomUnread]
    removed: list[str]


class RoomsResult(Page, frozen=True):
    """A page of the caller's rooms."""

    data: list[RoomResult]


class RoomsUnreadResult(Page, frozen=True):
    """The same with `fields=unread`."""

    data: list[RoomUnread]


class RoomDeletedResult(Struct, frozen=True):
    """A room that was deleted."""

    n: int
    ok: int

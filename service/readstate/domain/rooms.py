"""Rooms, their members, and which user is in which room."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from readstate.domain.client_rules import Made
from readstate.domain.limits import MAX_MEMBERS_SHOWN, Id, Members, RoomTags
from readstate.domain.messages import MessageRef


class Status(Enum):
    """Whether a room counts. A frozen one is neither counted nor listed; its cursors still move."""

    ACTIVE = 1
    FROZEN = 0


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
    # The rest only for the asking user; lists of members leave it out.
    moved_ms: int = 0  # when the cursor last moved, joining included
    has_read: bool = False  # whether there ever was a real read
    marked_ms: int | None = None  # time of the message from which the member has marked the room as unread
    joined: int = 0  # seq at which they joined: older messages do not concern them


class Room(Struct, frozen=True):
    """A room, and one user's state in it."""

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
        """For changes that may happen only while the room has not changed hands since."""
        return Made.BY_CLIENT if self.by_client else Made.NOT_BY_CLIENT


class RoomSummary(Struct, frozen=True):
    """What is needed of a room to choose among a user's rooms."""

    room: str
    status: Status
    created_ms: int
    last: MessageRef | None  # the newest message that is still there
    tags: tuple[str, ...]  # sorted, distinct; empty unless asked for
    profile: Mapping[str, bytes]  # of the fields asked for those that there are, as JSON text
    me: MemberState  # `last_read` is None unless asked for

    @property
    def last_ms(self) -> int:
        """The time of the newest message, 0 without any."""
        return self.last.at_ms if self.last else 0


class Rooms(Protocol):
    """Operations on rooms.

    `made` says who must have made the room, as the caller saw it (`Room.made`) when it was decided
    that they may change it. A room that has changed hands meanwhile is unknown to them.
    """

    async def create_room(
        self,
        *,
        app: str,
        room: Id,
        tags: RoomTags,
        profile: Mapping[str, bytes],
        members: Members,
        by_client: bool = False,
    ) -> bool:
        """Create a room and add `members`. True when it is new.

        A room that exists keeps its tags, profile, messages and cursors; the named members are
        added, unless a client asks (`by_client`): then nothing changes. A room that a client made
        is taken over when a backend makes it: it gets the tags and the profile, members that are
        not named leave, invitations end. Messages stay, and so do the cursors of the members who
        stay. Raises LimitReached.
        """

    async def add_members(
        self, *, app: str, room: str, members: Members, by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        """Add members; each starts at the head, with nothing unread.

        Returns those that were not members before. `by_client`: a client adds them, so that half of
        the limits on a user holds. Raises RoomUnknown, LimitReached.
        """

    async def invite(self, *, app: str, room: str, users: Members, made: Made = Made.ANYHOW) -> list[str]:
        """Let users join by themselves (`Room.invited`) until they have joined or are removed.

        They are no members. Members among `users` are passed over. A room keeps 1,000 open
        invitations. Returns those that were not invited before. Raises RoomUnknown, LimitReached.
        """

    async def remove_members(self, *, app: str, room: str, members: Members, made: Made = Made.ANYHOW) -> list[str]:
        """Remove members, and end the invitations of users who were only invited.

        The room leaves the members' badges in the same step. Returns those that were members.
        Raises RoomUnknown.
        """

    async def set_tags(
        self, *, app: str, room: str, tags: RoomTags, by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        """Replace the room's tags; every member's badges per tag follow. True when they changed.

        Raises RoomUnknown, LimitReached.
        """

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        """Freeze or thaw the room: a frozen one is not counted or listed. True when it changed.

        Raises RoomUnknown.
        """

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        """Set some profile fields (name -> JSON text); the others stay. Raises RoomUnknown."""

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        """Delete the room, its messages and its members' states. False when there was none."""

    async def room(self, *, app: str, room: str, user: str | None = None) -> Room:
        """The room, and in `me` the state of `user` if they are a member. Raises RoomUnknown."""

    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]:
        """As `room` for several; None for one that does not exist."""

    async def room_summary_each(
        self,
        *,
        app: str,
        rooms: Sequence[str],
        user: str,
        tags: bool = False,
        fields: Sequence[str] = (),
        last_read: bool = False,
    ) -> list[RoomSummary | None]:
        """What choosing among `rooms` needs; None for one that does not exist or without the user.

        Tags only with `tags`, and of the profile only `fields`: both may be large. With `last_read`
        also the message that the user read last, and the tags.
        """

    async def members(self, *, app: str, room: str, limit: int = MAX_MEMBERS_SHOWN) -> list[MemberState]:
        """Up to `limit` members with their states, in no particular order. Raises RoomUnknown."""

    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]:
        """As `members` for several; an empty list for a room that does not exist."""

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        """Ids of all rooms that the user is in, frozen ones included, in no particular order."""

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        """The user's rooms (frozen ones included) that changed for them after `since_ms` (Unix ms),
        and the rooms that they have left.

        A room above the fan-out limit is always among the changed.
        """

"""The wire types of this dialect.

Names and meanings are those of developer.rocket.chat and of the published clients.

A field that is `UNSET` has no key on the wire. Times are ISO-8601 UTC with milliseconds.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Natural = Annotated[int, Meta(ge=0)]


# Requests. Some forbid unknown fields, because every generation of the original does.


class MessageReceipts(Struct, frozen=True, forbid_unknown_fields=True):
    """GET chat.getMessageReadReceipts"""

    message: str = field(name="messageId", default="")  # required, but its absence has an error of its own
    offset: Natural | UnsetType = UNSET  # with neither of the two: all receipts
    count: Natural | UnsetType = UNSET  # above 100: 100; 0: all


class ReadRid(Struct, frozen=True, forbid_unknown_fields=True):
    """POST subscriptions.read"""

    room: str = field(name="rid")
    read_threads: bool | UnsetType = field(name="readThreads", default=UNSET)  # accepted; there are no threads here


class ReadRoomId(Struct, frozen=True, forbid_unknown_fields=True):
    """POST subscriptions.read, the room under its other name"""

    room: str = field(name="roomId")
    read_threads: bool | UnsetType = field(name="readThreads", default=UNSET)


class UnreadRoom(Struct, frozen=True, forbid_unknown_fields=True):
    """POST subscriptions.unread: from the newest message on"""

    room: str = field(name="roomId")


class FirstUnread(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a message."""

    message: str = field(name="_id")


class UnreadFrom(Struct, frozen=True, forbid_unknown_fields=True):
    """POST subscriptions.unread: from this message on"""

    first: FirstUnread = field(name="firstUnreadMessage")


class OneSubscription(Struct, frozen=True, forbid_unknown_fields=True):
    """GET subscriptions.getOne"""

    room: str = field(name="roomId")


class ManySubscriptions(Struct, frozen=True, forbid_unknown_fields=True):
    """GET subscriptions.get"""

    since: str = field(name="updatedSince", default="")  # ISO-8601; "": all


class ChannelCounters(Struct, frozen=True):
    """GET channels.counters"""

    room: str | UnsetType = field(name="roomId", default=UNSET)
    name: str | UnsetType = field(name="roomName", default=UNSET)
    user: str = field(name="userId", default="")


class GroupCounters(Struct, frozen=True, forbid_unknown_fields=True):
    """GET groups.counters"""

    room: str = field(name="roomId")
    user: str = field(name="userId", default="")


class NamedGroupCounters(Struct, frozen=True, forbid_unknown_fields=True):
    """GET groups.counters, the room by its name"""

    name: str = field(name="roomName")
    user: str = field(name="userId", default="")


class DirectCounters(Struct, frozen=True, forbid_unknown_fields=True):
    """GET im.counters and dm.counters"""

    room: str = field(name="roomId")
    user: str = field(name="userId", default="")


class ReadThread(Struct, frozen=True, forbid_unknown_fields=True):
    """POST chat.readThread"""

    message: str = field(name="tmid")


class LoginName(Struct, frozen=True):
    """A user, as the `user` of a login may name one."""

    username: str = ""  # or id
    email: str = ""


class Login(Struct, frozen=True):
    """POST login: a token as `resume`, or as the `password` of the user that is named in one of
    four ways
    """

    resume: str = ""
    user: str | LoginName = ""  # as a text: username, e-mail address or id
    username: str = ""  # or id
    email: str = ""
    password: str = ""


class Nothing(Struct, frozen=True):
    """A call that takes nothing."""


# Answers


class Done(Struct, frozen=True):
    """Nothing to say but that it was done."""

    success: Literal[True] = True


class FailureAnswer(Struct, frozen=True, kw_only=True):
    """Any refusal or fault."""

    success: Literal[False] = False
    error: str
    error_type: str | UnsetType = field(name="errorType", default=UNSET)
    details: Mapping[str, str] | UnsetType = UNSET
    status: Literal["error"] | UnsetType = UNSET
    message: str | UnsetType = UNSET


class Person(Struct, frozen=True):
    """A user, as receipts and subscriptions show one."""

    username: str
    name: str
    id: str = field(name="_id")


class MessageReceipt(Struct, frozen=True):
    """That a user has read a message, and since when."""

    id: str = field(name="_id")
    room: str = field(name="roomId")
    user_id: str = field(name="userId")
    message: str = field(name="messageId")
    ts: str
    updated_at: str = field(name="_updatedAt")  # a receipt never changes: the same as `ts`
    user: Person | UnsetType = UNSET  # no key for a user that the directory does not know


class MessageReceiptsAnswer(Struct, frozen=True):
    """Who has read a message."""

    receipts: list[MessageReceipt]
    success: Literal[True] = True


class Subscription(Struct, frozen=True, kw_only=True):
    """A room as one of its members sees it."""

    id: str = field(name="_id")
    room: str = field(name="rid")
    user: Person = field(name="u")
    t: Literal["c", "p", "d"]
    name: str
    fname: str
    ts: str  # when the room was created
    ls: str | UnsetType = UNSET  # last seen: no key until the first read
    open: Literal[True] = True
    alert: bool
    unread: int
    user_mentions: int = field(name="userMentions", default=0)
    group_mentions: int = field(name="groupMentions", default=0)
    archived: bool | UnsetType = UNSET
    updated_at: str = field(name="_updatedAt")


class SubscriptionAnswer(Struct, frozen=True):
    """One room as the caller sees it."""

    subscription: Subscription | None  # None: no such room, or the caller is not in it
    success: Literal[True] = True


class RemovedSubscription(Struct, frozen=True):
    """A room that the caller is no longer in."""

    id: str = field(name="_id")
    deleted_at: str = field(name="_deletedAt")


class SubscriptionsAnswer(Struct, frozen=True):
    """The caller's rooms, and those that they have left."""

    update: list[Subscription]
    remove: list[RemovedSubscription]
    success: Literal[True] = True


class CountersAnswer(Struct, frozen=True, kw_only=True):
    """All but `joined` are null for a user who is not in the room."""

    joined: bool
    members: int | None = None
    unreads: int | None = None
    unreads_from: str | None = field(name="unreadsFrom", default=None)
    msgs: int | None = None
    latest: str | None = None
    user_mentions: int | None = field(name="userMentions", default=None)
    success: Literal[True] = True


class LoggedIn(Struct, frozen=True):
    """Who has logged in, and with which token."""

    user: str = field(name="userId")
    token: str = field(name="authToken")
    me: Person


class LoginAnswer(Struct, frozen=True, kw_only=True):
    """A token that is good."""

    status: Literal["success"] = "success"
    data: LoggedIn
    success: Literal[True] = True


class LoggedOut(Struct, frozen=True):
    """A word for people."""

    message: str = "You've been logged out!"


class LogoutAnswer(Struct, frozen=True, kw_only=True):
    """A token that has ended."""

    status: Literal["success"] = "success"
    data: LoggedOut
    success: Literal[True] = True

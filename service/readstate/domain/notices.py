"""What is pushed to devices. The scripts publish notices last, so that those of a room have the
order of its changes.

Between Redis and the workers a notice is a msgpack array whose first item is the kind.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec import Struct


class _Notice(Struct, frozen=True, array_like=True):
    room: str


class CursorMoved(_Notice, frozen=True, array_like=True, tag="read"):
    """`member` has read `room` up to `message`. For every member, the reader's devices included."""

    member: str
    message: str
    seq: int


class MessagePosted(_Notice, frozen=True, array_like=True, tag="message"):
    """A message was posted, edited or recalled. `body` is the JSON object that was given for it."""

    message: str
    sender: str
    at_ms: int
    seq: int
    change: str  # a value of types.Change
    body: str


class MessageDeleted(_Notice, frozen=True, array_like=True, tag="deleted"):
    """`message` was deleted: "_all" when all were, "_before" when all before `first` were."""

    message: str
    first: str = ""  # the first that stays, "" for none


class RoomChanged(_Notice, frozen=True, array_like=True, tag="room"):
    """Members, tags, status or profile changed: ask for the room's present state."""


class Joined(_Notice, frozen=True, array_like=True, tag="joined"):
    """`members` are in the room from here on."""

    members: list[str]


class Left(_Notice, frozen=True, array_like=True, tag="left"):
    """`members` are no longer in the room and get no later notice of it."""

    members: list[str]


class RoomDeleted(_Notice, frozen=True, array_like=True, tag="gone"):
    """The room was deleted."""


class TokensRevoked(Struct, frozen=True, array_like=True, tag="revoked"):
    """Tokens of `user` were revoked: connections that used them are closed. `token_id` "": all that
    were issued before `before_s`.
    """

    user: str
    token_id: str
    before_s: int


Notice = CursorMoved | MessagePosted | MessageDeleted | RoomChanged | Joined | Left | RoomDeleted | TokensRevoked

decode_notice = msgspec.msgpack.Decoder(Notice).decode
encode_notice = msgspec.msgpack.Encoder().encode


class Notices(Protocol):
    """Notices of what happened, app by app. Each arrives at most once.

    `on_notice(app, notice)` is called in the order in which each room changed. `on_gap(app)` is
    called when notices may have been lost since the last one: state that is shown must be fetched
    again.
    """

    async def subscribe(self, app: str) -> None:
        """Subscribe to `app`; returns when every later notice will arrive. It needs one
        `unsubscribe` per call.
        """

    async def unsubscribe(self, app: str) -> None: ...

    def attach(self, on_notice: Callable[[str, Notice], None], on_gap: Callable[[str], Awaitable[None]]) -> None: ...

"""What is pushed to devices. The scripts publish notices last, so that those of a room have the
order of its changes.

Each room and each user is a *topic* of notices, with a channel of its own. Between Redis and the
workers a notice is a msgpack array whose first item is the kind.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct


class Topic(NamedTuple):
    """A room or a user, of which there are notices."""

    kind: Literal["room", "user"]
    app: str
    name: str

    @classmethod
    def room(cls, app: str, room: str) -> "Topic":
        return cls("room", app, room)

    @classmethod
    def user(cls, app: str, user: str) -> "Topic":
        return cls("user", app, user)


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


class CountsChanged(_Notice, frozen=True, array_like=True, tag="counts"):
    """Counts of members changed, and there is no other notice of it."""


class Joined(_Notice, frozen=True, array_like=True, tag="joined"):
    """`members` are in the room from here on."""

    members: list[str]


class Left(_Notice, frozen=True, array_like=True, tag="left"):
    """`members` are no longer in the room and get no later notice of it."""

    members: list[str]


class RoomDeleted(_Notice, frozen=True, array_like=True, tag="gone"):
    """The room was deleted."""


class Barrier(_Notice, frozen=True, array_like=True, tag="barrier"):
    """Nothing has changed: the place in the room's notices up to which `Notices.catch_up` knows."""

    barrier: str


class MembershipChanged(_Notice, frozen=True, array_like=True, tag="membership"):
    """Of a user: from here on they are a member of `room`, or no longer. It may come before or
    after the room's own `Joined` or `Left`.
    """

    is_member: bool


class CopyChanged(_Notice, frozen=True, array_like=True, tag="copy"):
    """Of a user, on the split plan: their copy of `room` has changed, or there is news of it. The
    room's own notice of that came before.
    """


class TokensRevoked(Struct, frozen=True, array_like=True, tag="revoked"):
    """Tokens of `user`, whose notice it is, were revoked: connections that used them are closed.
    `token_id` "": all that were issued before `before_s`.
    """

    user: str
    token_id: str
    before_s: int


OfRoom = (
    CursorMoved | MessagePosted | MessageDeleted | RoomChanged | CountsChanged | Joined | Left | RoomDeleted | Barrier
)
OfUser = MembershipChanged | CopyChanged | TokensRevoked
Notice = OfRoom | OfUser

decode_notice = msgspec.msgpack.Decoder(Notice).decode
encode_notice = msgspec.msgpack.Encoder().encode


class Recent(Struct, frozen=True):
    """What a room has announced lately. `members`: who of the users in question is a member."""

    members: frozenset[str]
    notices: Sequence[OfRoom]


class Notices(Protocol):
    """Notices of what happened. Each arrives at most once.

    `on_notice(topic, notice)` is called in the order in which each topic changed.
    `on_gap(topics)` is called when notices of these may have been lost: who shows their state must
    fetch it again.
    """

    async def subscribe(self, topics: Collection[Topic]) -> None:
        """Subscribe to each of `topics`; returns when every later notice of them will arrive.

        Each needs one `unsubscribe`. Raises Unavailable; then it is subscribed to none of them.
        """

    def is_heard(self, topic: Topic) -> bool:
        """Whether notices of a topic arrive: the subscription is confirmed, and was not lost."""

    def retain(self, topic: Topic) -> bool:
        """Subscribe once more to a topic of which notices arrive already.

        Returns False, and does nothing, when they do not.
        """

    def unsubscribe(self, topics: Iterable[Topic]) -> None:
        """Undo one `subscribe` or `retain` of each."""

    async def catch_up(self, room: Topic, users: Collection[str], barrier: str) -> Recent:
        """What was announced in a room within the last seconds, up to the notice `barrier`.

        It lacks what came too long before. Raises Unavailable.
        """

    def attach(
        self, on_notice: Callable[[Topic, Notice], None], on_gap: Callable[[Collection[Topic]], None]
    ) -> None: ...

"""From a notice to packets on sockets: encoded once, in the order in which the room changed.

Most notices say everything themselves and are passed on at once. A message needs the sender's profile, a changed room its present
state, and who is out of a room their new badge; while those are fetched, what happens in that room waits behind, and other rooms do not.

A room that changes again and again is told once in ROOM_EVERY_S: the first change at once, those that follow together at the end of the
time, by the state that the room has then. Who hears the room changes at once all the same.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from readstate import metrics
from readstate.dialects.imkit.sockets.audience import Audience
from readstate.dialects.imkit.sockets.connection import Connection
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.pace import Pace
from readstate.dialects.imkit.sockets.packets import Outgoing
from readstate.domain.notices import (
    CursorMoved,
    Joined,
    Left,
    MessageDeleted,
    MessagePosted,
    Notice,
    RoomChanged,
    RoomDeleted,
    TokensRevoked,
)
from readstate.errors import Fault, Refusal

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_WAITING = 1_000  # notices of one room behind a fetch
ROOM_EVERY_S = 1.0  # between two `room` events of one room

MessageView = Callable[[str, MessagePosted], Awaitable[bytes]]  # (app, notice) -> JSON; may raise ReadStateError
RoomView = Callable[[str, str], Awaitable[bytes]]  # (app, room) -> JSON; may raise ReadStateError
# (app, room, users who are out of it, whether it is deleted) -> the JSON for each; may raise ReadStateError
LeftViews = Callable[[str, str, Sequence[str], bool], Awaitable[Mapping[str, bytes]]]


class _Fetching:
    """What waits while something of a room is fetched."""

    __slots__ = ("fetch", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Notice] = deque()
        self.fetch: asyncio.Future[Any] | None = None


class Delivery:
    """See the module. `message_view` and `room_view` give what HTTP would answer; `revoked` hears of tokens that are void."""

    def __init__(
        self,
        audience: Audience[Connection],
        *,
        message_view: MessageView,
        room_view: RoomView,
        left_views: LeftViews,
        revoked: Callable[[str, TokensRevoked], None],
    ) -> None:
        self._audience = audience
        self._message_view = message_view
        self._room_view = room_view
        self._left_views = left_views
        self._revoked = revoked
        self._fetching: dict[tuple[str, str], _Fetching] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace: Pace[tuple[str, str]] = Pace(ROOM_EVERY_S, lambda key: self.deliver(key[0], RoomChanged(key[1])))

    def deliver(self, app: str, notice: Notice) -> None:
        """Pass a notice on, or let it wait its turn. Never waits itself."""
        if isinstance(notice, TokensRevoked):
            self._revoked(app, notice)
            return
        fetching = self._fetching.get((app, notice.room))
        if fetching is not None:
            fetching.waiting.append(notice)
            if len(fetching.waiting) > MAX_WAITING and fetching.fetch is not None:
                fetching.fetch.cancel()
        elif not self._tell_now(app, notice):
            self._fetching[app, notice.room] = fetching = _Fetching()
            fetching.waiting.append(notice)
            task = asyncio.create_task(self._work_off(app, notice.room, fetching))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Drop what waits."""
        self._pace.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tell_now(self, app: str, notice: Notice) -> bool:
        """Do what needs no fetching; False when it does."""
        match notice:
            case CursorMoved(room, member, message):
                payload = encode_json({"roomID": room, "memberID": member, "messageID": message})
                self._send(app, room, Outgoing("lastRead", payload, (room, member)))
            case MessageDeleted(room, message, first):
                deleted = {"room": room, "messageID": message} | ({"before": first} if first else {})
                self._send(app, room, Outgoing("messageDeleted", encode_json(deleted)))
            case Joined(room, members):
                self._audience.joined(app, room, members)
            case Left(room, members):
                if self._audience.among(app, members):
                    return False
                self._audience.left(app, room, members)
            case RoomDeleted(room):
                if self._audience.members(app, room):
                    return False
                self._audience.room_deleted(app, room)
            case MessagePosted(room):
                return not self._audience.hears(app, room)
            case RoomChanged(room):
                return not self._audience.hears(app, room) or self._pace.holds_back((app, room))
        return True

    async def _work_off(self, app: str, room: str, fetching: _Fetching) -> None:
        try:
            while fetching.waiting:
                notice = fetching.waiting.popleft()
                if not self._tell_now(app, notice):
                    await self._tell_fetched(app, notice, fetching)
        finally:
            del self._fetching[app, room]
            if fetching.fetch is not None:
                fetching.fetch.cancel()  # when we are stopped while it is under way

    async def _tell_fetched(self, app: str, notice: Notice, fetching: _Fetching) -> None:
        match notice:
            case MessagePosted(room):
                if payload := await self._fetched(fetching, "chat message", self._message_view(app, notice)):
                    self._send(app, room, Outgoing("chat message", payload))
            case RoomChanged(room):
                if any(isinstance(later, RoomChanged) for later in fetching.waiting):
                    return  # one more look at the room is coming, and will see this change too
                if payload := await self._fetched(fetching, "room", self._room_view(app, room)):
                    self._send(app, room, Outgoing("room", payload))
                    self._pace.told((app, room))
            case Left(room, members):
                out = self._audience.among(app, members)
                self._audience.left(app, room, members)
                await self._tell_left(app, room, out, fetching, deleted=False)
            case RoomDeleted(room):
                out = self._audience.members(app, room)
                self._audience.room_deleted(app, room)
                await self._tell_left(app, room, out, fetching, deleted=True)

    async def _tell_left(
        self, app: str, room: str, users: Sequence[str], fetching: _Fetching, *, deleted: bool
    ) -> None:
        """Tell all sockets of those who are out of a room so; they hear nothing of it any more."""
        payloads = await self._fetched(fetching, "room", self._left_views(app, room, users, deleted)) or {}
        for user, payload in payloads.items():
            self._send_to(self._audience.sockets_of(app, user), Outgoing("room", payload))

    async def _fetched(self, fetching: _Fetching, event: str, view: Awaitable[T]) -> T | None:
        """What is fetched for an event; None when it could not be."""
        fetching.fetch = fetch = asyncio.ensure_future(view)
        await asyncio.wait({fetch})
        if fetch.cancelled():
            metrics.NOTICES_DROPPED.labels("overload").inc()
            return None
        if error := fetch.exception():
            self._lost(event, error)
            return None
        return fetch.result()

    def _lost(self, event: str, error: BaseException) -> None:
        if isinstance(error, Refusal):
            return  # the room is gone, and with it whoever would have heard
        metrics.NOTICES_DROPPED.labels("unavailable").inc()
        unexpected = not isinstance(error, Fault)
        level = logging.ERROR if unexpected else logging.WARNING
        logger.log(level, "%s was not sent: %s", event, error, exc_info=error if unexpected else None)

    def _send(self, app: str, room: str, outgoing: Outgoing) -> None:
        # A list, because a socket that is found too slow leaves the audience on the spot.
        self._send_to(list(self._audience.hearing(app, room)), outgoing)

    def _send_to(self, hearing: Sequence[Connection], outgoing: Outgoing) -> None:
        for connection in hearing:
            connection.send(outgoing)
        if hearing:
            metrics.NOTICES_SENT.labels(outgoing.event).inc(len(hearing))

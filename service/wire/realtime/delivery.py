"""From a notice to packets on sockets: encoded once, in the order in which the room changed.

Most notices say everything themselves and are passed on at once. A message needs the sender's profile and a changed room its present
state; while those are fetched, what happens in that room waits behind, and other rooms do not.

A room that changes again and again is told once in ROOM_EVERY_S: the first change at once, those that follow together at the end of the
time, by the state that the room has then. Who hears the room changes at once all the same.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from service import metrics
from service.domain.notices import (
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
from service.errors import Fault, Refusal
from service.wire.realtime.audience import Audience
from service.wire.realtime.connection import Connection
from service.wire.realtime.encoding import Outgoing, encode_json
from service.wire.realtime.pace import Pace

logger = logging.getLogger(__name__)

MAX_WAITING = 1_000  # notices of one room behind a fetch
ROOM_EVERY_S = 1.0  # between two `room` events of one room

MessageView = Callable[[str, MessagePosted], Awaitable[bytes]]  # (app, notice) -> JSON; may raise ReadStateError
RoomView = Callable[[str, str], Awaitable[bytes]]  # (app, room) -> JSON; may raise ReadStateError


class _Fetching:
    """What waits while something of a room is fetched."""

    __slots__ = ("fetch", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Notice] = deque()
        self.fetch: asyncio.Task[bytes] | None = None


class Delivery:
    """See the module. `message_view` and `room_view` give what HTTP would answer; `revoked` hears of tokens that are void."""

    def __init__(
        self,
        audience: Audience[Connection],
        *,
        message_view: MessageView,
        room_view: RoomView,
        revoked: Callable[[str, TokensRevoked], None],
    ) -> None:
        self._audience = audience
        self._message_view = message_view
        self._room_view = room_view
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
                self._audience.left(app, room, members)
            case RoomDeleted(room):
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
                event, view = "chat message", self._message_view(app, notice)
            case RoomChanged(room):
                if any(isinstance(later, RoomChanged) for later in fetching.waiting):
                    return  # one more look at the room is coming, and will see this change too
                event, view = "room", self._room_view(app, room)
            case _:
                return
        fetching.fetch = asyncio.ensure_future(view)
        await asyncio.wait({fetching.fetch})
        if fetching.fetch.cancelled():
            metrics.NOTICES_DROPPED.labels("overload").inc()
        elif error := fetching.fetch.exception():
            self._lost(event, error)
        else:
            self._send(app, room, Outgoing(event, fetching.fetch.result()))
            if event == "room":
                self._pace.told((app, room))

    def _lost(self, event: str, error: BaseException) -> None:
        if isinstance(error, Refusal):
            return  # the room is gone, and with it whoever would have heard
        metrics.NOTICES_DROPPED.labels("unavailable").inc()
        unexpected = not isinstance(error, Fault)
        level = logging.ERROR if unexpected else logging.WARNING
        logger.log(level, "%s was not sent: %s", event, error, exc_info=error if unexpected else None)

    def _send(self, app: str, room: str, outgoing: Outgoing) -> None:
        # A list, because a socket that is found too slow leaves the audience on the spot.
        hearing = list(self._audience.hearing(app, room))
        for connection in hearing:
            connection.send(outgoing)
        if hearing:
            metrics.NOTICES_SENT.labels(outgoing.event).inc(len(hearing))

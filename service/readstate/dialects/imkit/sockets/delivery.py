"""From a notice to packets on connections: encoded once, in the order in which the room changed.

Most notices hold all that their event needs, and are sent at once. A message needs the sender's
profile, a changed room its present state, and a user who is out of a room the new badge. While
these are fetched, later notices of that room are queued. Other rooms do not wait.

When a room changes often, its `room` event is sent at most once in ROOM_EVERY_S: for the first
change at once, and for all that follow together at the end of that time, with the room's state at
that moment. Changes of membership take effect in the hub at once all the same.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from readstate import metrics
from readstate.dialects.imkit.sockets.connection import Connection, send_to_all
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.dialects.imkit.sockets.receipts import Receipts, receipt_event
from readstate.dialects.imkit.sockets.timers import Throttle
from readstate.domain import notices
from readstate.errors import Fault, Refusal
from readstate.tasks import Tasks

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_QUEUED = 1_000  # notices of one room during a fetch
ROOM_EVERY_S = 1.0  # between two `room` events of one room


class Payloads(Protocol):
    """Fetches payloads as JSON. May raise ReadStateError."""

    async def message(self, app: str, posted: notices.MessagePosted) -> bytes: ...
    async def room(self, app: str, room: str) -> bytes: ...
    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> Mapping[str, bytes]:
        """One payload for each of `users`, who are out of the room. `deleted`: the room is gone."""


class _RoomQueue:
    """The notices of a room that wait for a fetch."""

    __slots__ = ("fetch", "notices")

    def __init__(self) -> None:
        self.notices: deque[notices.OfRoom] = deque()
        self.fetch: asyncio.Future[Any] | None = None


class Arrival:
    """Users whose membership of a room is settled at a place in its notices, a barrier.

    `recent`: what the room has announced up to there. `lost`: at the end, those who have missed
    something.
    """

    def __init__(self, users: Collection[str]) -> None:
        loop = asyncio.get_running_loop()
        self.users = users
        self.recent: asyncio.Future[notices.Recent] = loop.create_future()
        self.lost: asyncio.Future[Collection[str]] = loop.create_future()
        self.has_asked = False  # for the room
        self.room_event: ServerEvent | None = None


class Delivery:
    """Sends each notice to the connections that `hub` names. Revocations go to `on_revoked`."""

    def __init__(
        self, hub: Hub[Connection], payloads: Payloads, *, on_revoked: Callable[[str, notices.TokensRevoked], None]
    ) -> None:
        self._hub = hub
        self._payloads = payloads
        self._on_revoked = on_revoked
        self._receipts = Receipts(hub)
        self._queues: dict[tuple[str, str], _RoomQueue] = {}
        self._arrivals: dict[str, Arrival] = {}  # barrier ->
        self._tasks = Tasks()
        self._throttle: Throttle[tuple[str, str]] = Throttle(
            ROOM_EVERY_S, lambda key: self._deliver(key[0], notices.RoomChanged(key[1]))
        )

    def deliver(self, topic: notices.Topic, notice: notices.Notice) -> None:
        """Send a notice, or queue it. Does not wait."""
        if isinstance(notice, notices.TokensRevoked):
            self._on_revoked(topic.app, notice)
        elif isinstance(notice, notices.MembershipChanged):
            self._hub.on_membership(topic.app, topic.name, notice.room, is_member=notice.is_member)
        elif not isinstance(notice, notices.CopyChanged):
            self._deliver(topic.app, notice)

    def expect(self, barrier: str, arrival: Arrival | None) -> None:
        """Settle `arrival` where `barrier` comes; None: no longer."""
        if arrival is not None:
            self._arrivals[barrier] = arrival
        else:
            self._arrivals.pop(barrier, None)

    def _deliver(self, app: str, notice: notices.OfRoom) -> None:
        queue = self._queues.get((app, notice.room))
        if queue is not None:
            queue.notices.append(notice)
            if len(queue.notices) > MAX_QUEUED and queue.fetch is not None:
                queue.fetch.cancel()
        elif not self._send_now(app, notice):
            self._queues[app, notice.room] = queue = _RoomQueue()
            queue.notices.append(notice)
            self._tasks.start(self._drain(app, notice.room, queue))

    async def stop(self) -> None:
        """Drop what is queued."""
        self._throttle.stop()
        self._receipts.stop()
        await self._tasks.stop()

    def _send_now(self, app: str, notice: notices.OfRoom) -> bool:
        """Process a notice without a fetch. Returns False when it needs one."""
        if isinstance(notice, notices.CursorMoved):
            self._receipts.send(app, notice)
            return True
        self._receipts.flush(app, notice.room)
        match notice:
            case notices.MessageDeleted(room):
                self._send_to_room(app, room, _deleted_event(notice))
            case notices.Joined(room, members):
                self._hub.on_joined(app, room, members)
            case notices.Left(room, members):
                if not set(members).isdisjoint(self._hub.local_members(app, room)):
                    return False
                self._hub.on_left(app, room, members)
            case notices.RoomDeleted(room):
                if self._hub.local_members(app, room):
                    return False
                self._hub.on_room_deleted(app, room)
            case notices.MessagePosted(room):
                return not self._hub.has_subscribers(app, room)
            case notices.RoomChanged(room):
                return not self._hub.has_subscribers(app, room) or self._throttle.defers((app, room))
            case notices.Barrier(_, barrier):
                return barrier not in self._arrivals
        return True

    async def _drain(self, app: str, room: str, queue: _RoomQueue) -> None:
        """Process the queued notices of a room one by one."""
        try:
            while queue.notices:
                notice = queue.notices.popleft()
                try:
                    if not self._send_now(app, notice):
                        await self._fetch_and_send(app, notice, queue)
                except Exception as error:  # those that wait behind it are sent all the same
                    self._report(type(notice).__name__, error)
        finally:
            del self._queues[app, room]
            if queue.fetch is not None:
                queue.fetch.cancel()  # in case this task was cancelled during the fetch

    async def _fetch_and_send(self, app: str, notice: notices.OfRoom, queue: _RoomQueue) -> None:
        match notice:
            case notices.MessagePosted(room):
                if payload := await self._fetch(queue, "chat message", self._payloads.message(app, notice)):
                    self._send_to_room(app, room, ServerEvent("chat message", payload))
            case notices.RoomChanged(room):
                if any(isinstance(later, notices.RoomChanged) for later in queue.notices):
                    return  # the room is fetched again for the later notice, with this change in it
                if payload := await self._fetch(queue, "room", self._payloads.room(app, room)):
                    self._send_to_room(app, room, ServerEvent("room", payload))
                    self._throttle.restart((app, room))
            case notices.Left(room, members):
                users = sorted(set(members).intersection(self._hub.local_members(app, room)))
                self._hub.on_left(app, room, members)
                await self._send_left(app, room, users, queue, deleted=False)
            case notices.RoomDeleted(room):
                users = self._hub.local_members(app, room)
                self._hub.on_room_deleted(app, room)
                await self._send_left(app, room, users, queue, deleted=True)
            case notices.Barrier(room, barrier):
                await self._settle(app, room, self._arrivals.pop(barrier), queue)

    # Who has joined, or left, and was not heard to

    async def _settle(self, app: str, room: str, arrival: Arrival, queue: _RoomQueue) -> None:
        recent = await self._fetch(queue, "room", arrival.recent)
        lost = arrival.users
        if recent is not None:
            brought = [await self._bring_in(app, room, user, recent, arrival, queue) for user in arrival.users]
            lost = [user for user, is_known in zip(arrival.users, brought, strict=True) if not is_known]
        if not arrival.lost.done():
            arrival.lost.set_result(lost)

    async def _bring_in(
        self, app: str, room: str, user: str, recent: notices.Recent, arrival: Arrival, queue: _RoomQueue
    ) -> bool:
        """Let `user` be in the room, or not, as it is, and send what they have missed.

        Returns False when that is not known.
        """
        is_member = user in recent.members
        if self._hub.is_member(app, user, room):
            if not is_member:
                self._hub.on_left(app, room, [user])
                await self._send_left(app, room, [user], queue, deleted=False)
            return True
        if not is_member:
            return True
        missed = _since_joining(recent.notices, user)
        if missed is None:
            return False
        self._hub.on_joined(app, room, [user])
        await self._send_missed(app, room, user, missed, arrival, queue)
        return True

    async def _send_missed(
        self, app: str, room: str, user: str, missed: Sequence[notices.OfRoom], arrival: Arrival, queue: _RoomQueue
    ) -> None:
        """Send what a room has announced since `user` joined. One `room` event stands for all."""
        has_room = False
        for notice in missed:
            event: ServerEvent | None = None
            match notice:
                case notices.CursorMoved():
                    event = receipt_event(notice)
                case notices.MessageDeleted():
                    event = _deleted_event(notice)
                case notices.MessagePosted():
                    if payload := await self._fetch(queue, "chat message", self._payloads.message(app, notice)):
                        event = ServerEvent("chat message", payload)
                case notices.RoomChanged() if not has_room:
                    has_room = True
                    event = await self._room_event(app, room, arrival, queue)
            if event is not None:
                send_to_all(self._hub.connections_of(app, user), event)

    async def _room_event(self, app: str, room: str, arrival: Arrival, queue: _RoomQueue) -> ServerEvent | None:
        """The room as it is now, the same for all who arrive together. None: it comes later, as the
        room had such an event a moment ago.
        """
        if not arrival.has_asked:
            arrival.has_asked = True
            if not self._throttle.defers((app, room)) and (
                payload := await self._fetch(queue, "room", self._payloads.room(app, room))
            ):
                arrival.room_event = ServerEvent("room", payload)
                self._throttle.restart((app, room))
        return arrival.room_event

    async def _send_left(self, app: str, room: str, users: Sequence[str], queue: _RoomQueue, *, deleted: bool) -> None:
        """Send the last event of a room to all connections of `users`, who are out of it."""
        payloads = await self._fetch(queue, "room", self._payloads.left(app, room, users, deleted)) or {}
        for user, payload in payloads.items():
            send_to_all(self._hub.connections_of(app, user), ServerEvent("room", payload))

    async def _fetch(self, queue: _RoomQueue, event: str, payload: Awaitable[T]) -> T | None:
        """The payload of an event; None when it could not be fetched."""
        queue.fetch = fetch = asyncio.ensure_future(payload)
        await asyncio.wait({fetch})
        if fetch.cancelled():
            metrics.NOTICES_DROPPED.labels("overload").inc()
            return None
        if error := fetch.exception():
            self._report(event, error)
            return None
        return fetch.result()

    def _report(self, event: str, error: BaseException) -> None:
        """Log and count a notice that was not sent."""
        if isinstance(error, Refusal):
            return  # the room is gone, so it has no members
        metrics.NOTICES_DROPPED.labels("unavailable").inc()
        unexpected = not isinstance(error, Fault)
        level = logging.ERROR if unexpected else logging.WARNING
        logger.log(level, "%s was not sent: %s", event, error, exc_info=error if unexpected else None)

    def _send_to_room(self, app: str, room: str, event: ServerEvent) -> None:
        send_to_all(self._hub.subscribers(app, room), event)


def _deleted_event(notice: notices.MessageDeleted) -> ServerEvent:
    deleted = {"room": notice.room, "messageID": notice.message} | ({"before": notice.first} if notice.first else {})
    return ServerEvent("messageDeleted", encode_json(deleted))


def _since_joining(recent: Sequence[notices.OfRoom], user: str) -> Sequence[notices.OfRoom] | None:
    """What follows the notice that `user` has joined, the last one; None without."""
    for place in range(len(recent) - 1, -1, -1):
        notice = recent[place]
        if isinstance(notice, notices.Joined) and user in notice.members:
            return recent[place + 1 :]
    return None

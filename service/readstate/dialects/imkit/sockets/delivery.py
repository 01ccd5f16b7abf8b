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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from readstate import metrics
from readstate.dialects.imkit.sockets.connection import Connection
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.dialects.imkit.sockets.timers import Throttle
from readstate.domain import notices
from readstate.errors import Fault, Refusal

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
        self.notices: deque[notices.Notice] = deque()
        self.fetch: asyncio.Future[Any] | None = None


class Delivery:
    """Sends each notice to the connections that `hub` names. Revocations go to `on_revoked`."""

    def __init__(
        self, hub: Hub[Connection], payloads: Payloads, *, on_revoked: Callable[[str, notices.TokensRevoked], None]
    ) -> None:
        self._hub = hub
        self._payloads = payloads
        self._on_revoked = on_revoked
        self._queues: dict[tuple[str, str], _RoomQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._throttle: Throttle[tuple[str, str]] = Throttle(
            ROOM_EVERY_S, lambda key: self.deliver(key[0], notices.RoomChanged(key[1]))
        )

    def deliver(self, app: str, notice: notices.Notice) -> None:
        """Send a notice, or queue it. Does not wait."""
        if isinstance(notice, notices.TokensRevoked):
            self._on_revoked(app, notice)
            return
        queue = self._queues.get((app, notice.room))
        if queue is not None:
            queue.notices.append(notice)
            if len(queue.notices) > MAX_QUEUED and queue.fetch is not None:
                queue.fetch.cancel()
        elif not self._send_now(app, notice):
            self._queues[app, notice.room] = queue = _RoomQueue()
            queue.notices.append(notice)
            task = asyncio.create_task(self._drain(app, notice.room, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Drop what is queued."""
        self._throttle.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send_now(self, app: str, notice: notices.Notice) -> bool:
        """Process a notice without a fetch. Returns False when it needs one."""
        match notice:
            case notices.CursorMoved(room, member, message):
                payload = encode_json({"roomID": room, "memberID": member, "messageID": message})
                self._send_to_room(app, room, ServerEvent("lastRead", payload, (room, member)))
            case notices.MessageDeleted(room, message, first):
                deleted = {"room": room, "messageID": message} | ({"before": first} if first else {})
                self._send_to_room(app, room, ServerEvent("messageDeleted", encode_json(deleted)))
            case notices.Joined(room, members):
                self._hub.on_joined(app, room, members)
            case notices.Left(room, members):
                if self._hub.local_users(app, members):
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
        return True

    async def _drain(self, app: str, room: str, queue: _RoomQueue) -> None:
        """Process the queued notices of a room one by one."""
        try:
            while queue.notices:
                notice = queue.notices.popleft()
                if not self._send_now(app, notice):
                    await self._fetch_and_send(app, notice, queue)
        finally:
            del self._queues[app, room]
            if queue.fetch is not None:
                queue.fetch.cancel()  # in case this task was cancelled during the fetch

    async def _fetch_and_send(self, app: str, notice: notices.Notice, queue: _RoomQueue) -> None:
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
                users = self._hub.local_users(app, members)
                self._hub.on_left(app, room, members)
                await self._send_left(app, room, users, queue, deleted=False)
            case notices.RoomDeleted(room):
                users = self._hub.local_members(app, room)
                self._hub.on_room_deleted(app, room)
                await self._send_left(app, room, users, queue, deleted=True)

    async def _send_left(self, app: str, room: str, users: Sequence[str], queue: _RoomQueue, *, deleted: bool) -> None:
        """Send the last event of a room to all connections of `users`, who are out of it."""
        payloads = await self._fetch(queue, "room", self._payloads.left(app, room, users, deleted)) or {}
        for user, payload in payloads.items():
            self._send(self._hub.connections_of(app, user), ServerEvent("room", payload))

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
        # A list, because a connection that is found to be too slow leaves the hub at once.
        self._send(list(self._hub.subscribers(app, room)), event)

    def _send(self, connections: Sequence[Connection], event: ServerEvent) -> None:
        for connection in connections:
            connection.send_event(event)
        if connections:
            metrics.NOTICES_SENT.labels(event.name).inc(len(connections))

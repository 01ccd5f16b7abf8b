"""Brings users into rooms to which this worker does not listen yet, or not for certain.

A user's notice says that they have joined a room, whose notices may already go on. So the worker
subscribes to the room, and then asks for what it has announced lately. A notice of its own, the
*barrier*, tells up to which of the room's notices the answer goes, so that none is missed and none
is sent twice. In the same way it is found out whether a user is in a room when its notices and the
user's say different things.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection

from readstate.dialects.imkit.sockets.connection import Connection
from readstate.dialects.imkit.sockets.delivery import Arrival, Delivery
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.domain.notices import Notices, Topic
from readstate.errors import ReadStateError
from readstate.tasks import Tasks

logger = logging.getLogger(__name__)

PATIENCE_S = 0.5  # for the room's own notice, when the room is listened to
WITHIN_S = 5.0


class Joining:
    """Settles who is in a room. `on_lost(topics)` is called with users of whom that is unknown."""

    def __init__(
        self,
        hub: Hub[Connection],
        notices: Notices,
        delivery: Delivery,
        on_lost: Callable[[Collection[Topic]], None],
    ) -> None:
        self._hub = hub
        self._notices = notices
        self._delivery = delivery
        self._on_lost = on_lost
        self._unsettled: dict[Topic, dict[str, bool]] = {}  # room -> user -> whether they are said to be in it
        self._tasks = Tasks()

    def on_unsettled(self, app: str, user: str, room: str, is_member: bool) -> None:
        """The user's notices say whether `user` is in `room`; the room's may not have said so."""
        topic = Topic.room(app, room)
        if topic in self._unsettled:
            self._unsettled[topic][user] = is_member
        elif is_member != self._hub.is_member(app, user, room):
            self._unsettled[topic] = {user: is_member}
            self._tasks.start(self._settle(topic))

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _settle(self, room: Topic) -> None:
        if self._hub.has_subscribers(room.app, room.name):
            await asyncio.sleep(PATIENCE_S)
        said = self._unsettled.pop(room)
        users = [user for user, joined in said.items() if self._hub.is_member(room.app, user, room.name) != joined]
        if not users:
            return
        try:
            async with asyncio.timeout(WITHIN_S):
                lost = await self._catch_up(room, users)
        except (ReadStateError, TimeoutError) as error:
            logger.warning("what a room has announced could not be read: %r", error)
            lost = users
        except Exception:  # as above: who stays in doubt would be deaf to the room
            logger.exception("what a room has announced could not be dealt with")
            lost = users
        if lost:
            self._on_lost([Topic.user(room.app, user) for user in lost])

    async def _catch_up(self, room: Topic, users: Collection[str]) -> Collection[str]:
        """Bring `users` into the room, or out of it. Returns those who have missed something."""
        arrival, barrier = Arrival(users), secrets.token_hex(8)
        await self._notices.subscribe([room])
        try:
            self._delivery.expect(barrier, arrival)
            recent = await self._notices.catch_up(room, users, barrier)
            if not arrival.recent.done():  # else too much waited behind the barrier
                arrival.recent.set_result(recent)
            return await arrival.lost
        finally:
            self._delivery.expect(barrier, None)
            arrival.recent.cancel()
            self._notices.unsubscribe([room])

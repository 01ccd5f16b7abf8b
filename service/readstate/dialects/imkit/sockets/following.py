"""Tells the connections that follow the read state of their user each change of it: `badge`.

Whatever may have changed the user's counts is announced: by the rooms to which the worker listens
anyway, or to the user. Then the worker asks which copies have changed since what it has told last.
So an event is never wrong, and none is missing, however many announcements were. Asking is also how
the user pays attention (`lua/lib/visits.lua`): a room that has stopped telling them is visited.

A user is asked for at once, and then at most every TELL_EVERY_S. Up to ASKED_AT_ONCE are asked for
together; under load users wait for their turn, and what is announced meanwhile costs nothing more.
"""

import asyncio
import logging
from itertools import islice

from readstate.dialects.imkit.sockets.connection import Connection, send_to_all
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.dialects.imkit.sockets.timers import Throttle
from readstate.domain import notices
from readstate.domain.changes import Changes, MovedRooms
from readstate.errors import Fault
from readstate.tasks import cancel_and_wait

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.25
ASKED_AT_ONCE = 64  # users
MOST_TOLD = 64  # rooms; of more, clients ask themselves, in pages
RETRY_S = 0.5  # after a fault of the store

# A client may have missed something. As of `badge`, the newest replaces what still waits.
SYNC = ServerEvent("sync", b"{}", ("", ""))


class _Follower:
    """A user and their connections. `told`: the version up to which they have heard all."""

    __slots__ = ("app", "connections", "has_missed", "told", "user")

    def __init__(self, app: str, user: str) -> None:
        self.app = app
        self.user = user
        self.connections: list[Connection] = []
        self.told: int | None = None  # None: not known yet
        self.has_missed = False  # there was an announcement meanwhile


class Following:
    """The users of this worker who have a connection that follows. Only `add` waits."""

    def __init__(self, hub: Hub[Connection], changes: Changes) -> None:
        self._hub = hub
        self._changes = changes
        self._followers: dict[tuple[str, str], _Follower] = {}
        self._waiting: dict[_Follower, None] = {}
        self._asking: asyncio.Task[None] | None = None
        self._throttle: Throttle[_Follower] = Throttle(TELL_EVERY_S, self._ask_soon)

    async def add(self, app: str, user: str, connection: Connection) -> None:
        """Tell `connection`, which is in the hub, all that changes from now on.

        Raises a Fault; then it is told nothing. A second call does nothing.
        """
        follower = self._followers.setdefault((app, user), _Follower(app, user))
        if connection in follower.connections:
            return
        follower.connections.append(connection)
        if follower.told is not None:
            return
        try:
            present = await self._changes.moved(app=app, user=user)
        except BaseException:
            self.remove(app, user, connection)
            raise
        if follower.told is None:
            follower.told = present.version
            if follower.has_missed:
                self._ask_soon(follower)

    def remove(self, app: str, user: str, connection: Connection) -> None:
        """Tell it nothing more, if it was told."""
        follower = self._followers.get((app, user))
        if follower is not None and connection in follower.connections:
            follower.connections.remove(connection)
            if not follower.connections:
                del self._followers[app, user]

    def hear(self, source: notices.Source, notice: notices.Notice) -> None:
        """Something was announced: find out what has changed for those whom it concerns."""
        if not self._followers:
            return
        app = source.app
        match notice:
            case notices.CursorMoved():
                self.note(app, notice.member)
            case notices.MembershipChanged() | notices.CopyChanged():
                self.note(app, source.name)
            case notices.MessagePosted(change="edit"):
                pass
            case notices.MessagePosted() | notices.MessageDeleted() | notices.RoomChanged() | notices.CountsChanged():
                for user in self._hub.local_members(app, notice.room):
                    self.note(app, user)

    def note(self, app: str, user: str) -> None:
        """Something of what `user` is told may have changed."""
        follower = self._followers.get((app, user))
        if follower is None:
            return
        if follower.told is None:
            follower.has_missed = True
        elif not self._throttle.defers(follower):
            self._ask_soon(follower)

    def call_back(self, app: str, user: str, connection: Connection) -> None:
        """`connection` is in the hub again, and has missed something."""
        send_to_all([connection], SYNC)
        self.note(app, user)

    async def stop(self) -> None:
        """Tell no more."""
        self._throttle.stop()
        await cancel_and_wait(self._asking)

    def _ask_soon(self, follower: _Follower) -> None:
        if not follower.connections:
            return
        self._waiting[follower] = None
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())

    async def _ask_all(self) -> None:
        while self._waiting:
            batch = list(islice(self._waiting, ASKED_AT_ONCE))
            for follower in batch:
                del self._waiting[follower]
                self._throttle.restart(follower)
            answers = await asyncio.gather(*(self._ask(follower) for follower in batch), return_exceptions=True)
            for follower, answer in zip(batch, answers, strict=True):
                if isinstance(answer, BaseException):
                    if not self._throttle.defers(follower):  # the question took longer than that
                        self._waiting[follower] = None
                    if not isinstance(answer, Fault):
                        logger.error("changes could not be asked for", exc_info=answer)
                else:
                    _tell(follower, answer)
            if any(isinstance(answer, BaseException) for answer in answers):
                await asyncio.sleep(RETRY_S)

    async def _ask(self, follower: _Follower) -> MovedRooms:
        assert follower.told is not None
        return await self._changes.moved(app=follower.app, user=follower.user, since=follower.told)


def _tell(follower: _Follower, moved: MovedRooms) -> None:
    assert follower.told is not None
    # A user who had no room yet had no version: what has changed since then cannot be asked for.
    is_first = follower.told == 0 and moved.version > 0
    if moved.lost or is_first or len(moved.rooms) > MOST_TOLD:
        follower.told = moved.version
        send_to_all(follower.connections, SYNC)
        return
    for room in moved.rooms:
        since, follower.told = follower.told, moved.version if room is moved.rooms[-1] else room.version
        payload = {
            "since": str(since),
            "version": str(follower.told),
            "badge": moved.badge,
            "room": room.room,
            "unread": room.unread if room.there else 0,
            "tags": room.tags if room.there else (),
        }
        if not room.there:
            payload["removed"] = True
        send_to_all(follower.connections, ServerEvent("badge", encode_json(payload), ("", room.room)))

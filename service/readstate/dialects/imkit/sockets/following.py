"""Tells the connections that follow the read state of their user each change of it: `badge`.

Whatever may have changed the user's counts is announced: by the rooms to which the worker listens
anyway, or to the user. Then the worker asks which copies have changed since what it has told last.
So none is missing, however many announcements were. An answer that has several rooms is told in as
many events, the oldest change first. All of these have the badge of the whole answer: with a
version before the last one it may be ahead of what the rooms told so far add up to.

Asking is also how the user pays attention (`lua/lib/visits.lua`): a room that has stopped telling
them is visited.

A user is asked for at once, and then at most every TELL_EVERY_S, one question at a time. There are
at most ASKED_AT_ONCE questions in all; under load users wait for their turn, and what is announced
meanwhile costs nothing more. A question that needs a node that is away waits for it some seconds.
So users whose last question has failed have FAILING_AT_ONCE of these places, and the others go on.
"""

import asyncio
import logging

from readstate.dialects.imkit.sockets.connection import Connection, send_to_all
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.dialects.imkit.sockets.timers import Throttle, Timeouts
from readstate.domain import notices
from readstate.domain.changes import Changes, MovedRooms
from readstate.errors import Fault
from readstate.tasks import Tasks

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.25
ASKED_AT_ONCE = 64  # users
FAILING_AT_ONCE = 16  # of these
MOST_TOLD = 64  # rooms; of more, clients ask themselves, in pages
RETRY_S = 0.5  # after a fault of the store

# A client may have missed something. As of `badge`, the newest replaces what still waits.
SYNC = ServerEvent("sync", b"{}", ("", ""))


class _Follower:
    """A user and their connections. `told`: the version up to which they have heard all."""

    __slots__ = ("app", "connections", "has_missed", "is_asked_for", "is_failing", "told", "user")

    def __init__(self, app: str, user: str) -> None:
        self.app = app
        self.user = user
        self.connections: list[Connection] = []
        self.told: int | None = None  # None: not known yet
        self.is_asked_for = False  # or waits for a place
        self.has_missed = False  # there was an announcement meanwhile
        self.is_failing = False  # the last question met a fault


class Following:
    """The users of this worker who have a connection that follows. Only `add` and `stop` wait."""

    def __init__(self, hub: Hub[Connection], changes: Changes) -> None:
        self._hub = hub
        self._changes = changes
        self._followers: dict[tuple[str, str], _Follower] = {}
        self._questions = Tasks()
        self._places = asyncio.Semaphore(ASKED_AT_ONCE)
        self._failing_places = asyncio.Semaphore(FAILING_AT_ONCE)
        self._throttle: Throttle[_Follower] = Throttle(TELL_EVERY_S, self._ask_soon)
        self._retries: Timeouts[_Follower] = Timeouts(RETRY_S, self._ask_soon)

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

    def on_notice(self, topic: notices.Topic, notice: notices.Notice) -> None:
        """Something was announced: find out what has changed for those whom it concerns."""
        if not self._followers:
            return
        app = topic.app
        match notice:
            case notices.CursorMoved():
                self.note(app, notice.member)
            case notices.MembershipChanged() | notices.CopyChanged():
                self.note(app, topic.name)
            case notices.MessagePosted(change="edit"):
                pass
            case (
                notices.MessagePosted()
                | notices.MessageDeleted()
                | notices.RoomChanged()
                | notices.CountsChanged()
                | notices.RoomDeleted()  # of a room above the fan-out limit members are told nothing
            ):
                for user in self._hub.local_members(app, notice.room):
                    self.note(app, user)

    def note(self, app: str, user: str) -> None:
        """Something of what `user` is told may have changed."""
        follower = self._followers.get((app, user))
        if follower is None:
            return
        if follower.told is None:
            follower.has_missed = True
        else:
            self._ask_in_time(follower)

    def resubscribe(self, app: str, user: str, connection: Connection) -> None:
        """`connection` is in the hub again, and has missed something."""
        send_to_all([connection], SYNC)
        self.note(app, user)

    async def stop(self) -> None:
        """Tell no more, and wait until no question is left."""
        self._throttle.stop()
        self._retries.stop()
        await self._questions.stop()

    def _ask_in_time(self, follower: _Follower) -> None:
        if not self._throttle.defers(follower):
            self._ask_soon(follower)

    def _ask_soon(self, follower: _Follower) -> None:
        """Ask for `follower` as soon as there is a place, but for one that is asked for anyway."""
        if follower.is_asked_for:
            follower.has_missed = True
        elif follower.connections and follower not in self._retries:
            follower.is_asked_for = True
            self._questions.start(self._ask_in_turn(follower))

    async def _ask_in_turn(self, follower: _Follower) -> None:
        if follower.is_failing:
            async with self._failing_places, self._places:
                await self._ask(follower)
        else:
            async with self._places:
                await self._ask(follower)
        follower.is_asked_for = False
        if follower.has_missed:
            self._ask_in_time(follower)

    async def _ask(self, follower: _Follower) -> None:
        """Ask once, and tell the answer. A fault leads to another attempt.

        After any other error there is none before the next announcement: nothing has been told
        meanwhile, and the next answer has it all.
        """
        assert follower.told is not None
        if not follower.connections:
            return
        self._throttle.restart(follower)
        follower.has_missed = False
        try:
            moved = await self._changes.moved(app=follower.app, user=follower.user, since=follower.told)
            follower.is_failing = False
            _tell(follower, moved)
        except Fault:
            follower.is_failing = True
            self._retries.start(follower)
        except Exception:
            logger.exception("changes could not be asked for")


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

"""Sends `lastRead` to the connections in a room: at once, or several together when there are many.

A read in a room with 1,000 connections is 1,000 packets, and when all of them read, a million. So
after each one, the next of its room wait for a *window*, and then go out together: of each member
the newest, in the order in which they came, as one packet. The window is the time in which the
worker writes what it has to write: WRITE_S for each connection in the room, and what is left of
such times of other rooms, up to MAX_BACKLOG_S. While that is below MIN_WINDOW_S there is none: in
small rooms each read is told at once, as long as the worker is quiet.

Whatever else a room announces comes after the reads that were before it (`flush`).
"""

import asyncio
from collections.abc import Collection

from readstate import metrics
from readstate.dialects.imkit.sockets.connection import Connection
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import EventBatch, ServerEvent
from readstate.domain.notices import CursorMoved

WRITE_S = 20e-6  # twice what a packet to one connection takes, so half of the time is for the rest
MIN_WINDOW_S = 0.005
MAX_BACKLOG_S = 0.05


class Receipts:
    """The `lastRead` events of all rooms. No method waits."""

    def __init__(self, hub: Hub[Connection]) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[tuple[str, str], dict[str, CursorMoved]] = {}  # in a window: room -> member -> newest
        self._busy_until = 0.0

    def send(self, app: str, moved: CursorMoved) -> None:
        """Tell the room of a read, now or at the end of the window."""
        waiting = self._waiting.get((app, moved.room))
        if waiting is None:
            self._tell(app, moved.room, (moved,))
        else:
            waiting.pop(moved.member, None)  # it comes last, as it is the newest
            waiting[moved.member] = moved

    def flush(self, app: str, room: str) -> None:
        """Tell a room now of what waits."""
        if waiting := self._waiting.get((app, room)):
            self._waiting[app, room] = {}
            self._write(app, room, waiting.values())

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _tell(self, app: str, room: str, reads: Collection[CursorMoved]) -> None:
        """Tell a room, and begin a window if it is long enough."""
        written = self._write(app, room, reads)
        now = self._loop.time()
        window_s = min(max(self._busy_until - now, 0.0), MAX_BACKLOG_S) + written * WRITE_S
        self._busy_until = now + window_s
        if window_s >= MIN_WINDOW_S:
            self._waiting[app, room] = {}
            self._loop.call_later(window_s, self._end_window, app, room)

    def _end_window(self, app: str, room: str) -> None:
        if waiting := self._waiting.pop((app, room), None):
            self._tell(app, room, waiting.values())

    def _write(self, app: str, room: str, reads: Collection[CursorMoved]) -> int:
        """Returns to how many connections."""
        batch = EventBatch([receipt_event(moved) for moved in reads])
        first, is_single = batch.events[0], len(batch.events) == 1
        written = only_own = 0
        # A list, because a connection that is found to be too slow leaves the hub at once.
        for connection in list(self._hub.subscribers(app, room)):
            if connection.watched is not None and room not in connection.watched:
                only_own += _send_own(connection, room, batch)
            elif is_single:
                connection.send_event(first)
                written += 1
            else:
                connection.send_batch(batch)
                written += 1
        if written or only_own:
            metrics.NOTICES_SENT.labels("lastRead").inc(written * len(batch.events) + only_own)
        return written + only_own


def _send_own(connection: Connection, room: str, batch: EventBatch) -> int:
    """To a connection that shows other rooms: what its own user has read. Returns how many."""
    user = connection.session.user if connection.session else ""
    for event in batch.events:
        if event.receipt == (room, user):
            connection.send_event(event)
            return 1
    return 0


def receipt_event(moved: CursorMoved) -> ServerEvent:
    """The event of a read."""
    payload = {"roomID": moved.room, "memberID": moved.member, "messageID": moved.message}
    return ServerEvent("lastRead", encode_json(payload), (moved.room, moved.member))

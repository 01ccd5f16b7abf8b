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
            self._begin_window(app, moved.room, self._write(app, moved))
        else:
            waiting.pop(moved.member, None)  # it comes last, as it is the newest
            waiting[moved.member] = moved

    def flush(self, app: str, room: str) -> None:
        """Tell a room now of what waits."""
        if waiting := self._waiting.get((app, room)):
            self._waiting[app, room] = {}
            self._write_all(app, room, waiting.values())

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _begin_window(self, app: str, room: str, written: int) -> None:
        """Let the next reads of a room wait, if that is long enough. `written`: connections."""
        now = self._loop.time()
        window_s = written * WRITE_S
        if self._busy_until > now:
            window_s += min(self._busy_until - now, MAX_BACKLOG_S)
        self._busy_until = now + window_s
        if window_s >= MIN_WINDOW_S:
            self._waiting[app, room] = {}
            self._loop.call_later(window_s, self._end_window, app, room)

    def _end_window(self, app: str, room: str) -> None:
        if waiting := self._waiting.pop((app, room), None):
            self._begin_window(app, room, self._write_all(app, room, waiting.values()))

    def _write(self, app: str, moved: CursorMoved) -> int:
        """Tell of one read. Returns to how many connections."""
        event = receipt_event(moved)
        # A list, because a connection that is found to be too slow leaves the hub at once.
        connections = list(self._hub.subscribers(app, moved.room))
        written = len(connections)
        for connection in connections:
            if connection.watched is None or moved.room in connection.watched or moved.member == _user(connection):
                connection.send_event(event)
            else:
                written -= 1
        if written:
            metrics.NOTICES_SENT.labels("lastRead").inc(written)
        return written

    def _write_all(self, app: str, room: str, reads: Collection[CursorMoved]) -> int:
        """Tell of several together. Returns to how many connections."""
        batch = EventBatch([receipt_event(moved) for moved in reads])
        by_member = {moved.member: event for moved, event in zip(reads, batch.events, strict=True)}
        all_of_them = one_of_them = 0
        for connection in list(self._hub.subscribers(app, room)):
            if connection.watched is None or room in connection.watched:
                connection.send_batch(batch)
                all_of_them += 1
            elif own := by_member.get(_user(connection)):
                connection.send_event(own)
                one_of_them += 1
        metrics.NOTICES_SENT.labels("lastRead").inc(all_of_them * len(batch.events) + one_of_them)
        return all_of_them + one_of_them


def _user(connection: Connection) -> str:
    return connection.session.user if connection.session else ""


def receipt_event(moved: CursorMoved) -> ServerEvent:
    """The event of a read."""
    payload = {"roomID": moved.room, "memberID": moved.member, "messageID": moved.message}
    return ServerEvent("lastRead", encode_json(payload), (moved.room, moved.member))

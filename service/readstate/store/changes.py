"""Changes of a user's read state after a version."""

import re
from collections.abc import Awaitable

from readstate.domain.changes import MAX_CHANGES, ChangedRooms, MovedRooms
from readstate.domain.limits import Charge, free
from readstate.domain.rooms import RoomSummary, Status
from readstate.errors import Invalid
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.lua import Change, ChangesReply, MovedCopiesReply
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox
from readstate.store.rooms import RedisRooms
from readstate.store.visits import Visits

# A version, or a place in a snapshot: the version of the room that came last, and that of the user
# when the snapshot began.
_SINCE = re.compile(r"(\d{1,15})(?:-(\d{1,15}))?", re.ASCII)


class RedisChanges(Operations):
    """Implements domain.changes.Changes."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds, *, rooms: RedisRooms) -> None:
        super().__init__(executor, outbox, bounds)
        self._visits = Visits(executor, outbox, bounds)
        self._rooms = rooms

    async def changes(
        self,
        *,
        app: str,
        user: str,
        since: str = "",
        limit: int = MAX_CHANGES,
        derived: Charge = free,
        looked_at: Charge = free,
    ) -> ChangedRooms:
        place, began = _parse(since)

        def ask() -> Awaitable[ChangesReply]:
            call = lua.changes(app=app, user=user, settings=self._settings, since=place, began=began)
            return self._executor.call(call, Keys.user(app, user))

        reply = await ask()
        derived(reply.derived)
        reply, _ = await self._visits.visit_all(app, user, reply, ask, follow=True)
        # Versions rise from change to change, so a page can end after any of them.
        changed = sorted(reply.changed, key=lambda change: change.version)
        looked_at(len(changed))
        listed, more = changed[:limit], len(changed) > limit
        rooms = await self._present(app, user, [change.room for change in listed if change.there])
        present = {room.room for room in rooms}
        return ChangedRooms(
            version=_next(reply, began, listed[-1] if more else None),
            badge=reply.unread,
            snapshot=reply.whole,
            more=more,
            rooms=rooms,
            removed=[change.room for change in listed if change.room not in present],
        )

    async def moved(self, *, app: str, user: str, since: int = 0) -> MovedRooms:
        def ask() -> Awaitable[MovedCopiesReply]:
            call = lua.moved_copies(app=app, user=user, settings=self._settings, since=since)
            return self._executor.call(call, Keys.user(app, user))

        reply, _ = await self._visits.visit_all(app, user, await ask(), ask, follow=True)
        return MovedRooms(
            version=reply.version,
            badge=reply.unread,
            lost=reply.lost,
            rooms=sorted(reply.moved, key=lambda room: room.version),
        )

    async def _present(self, app: str, user: str, rooms: list[str]) -> list[RoomSummary]:
        found = await self._rooms.room_summary_each(app=app, rooms=rooms, user=user, tags=True, last_read=True)
        return [room for room in found if room is not None and room.status is Status.ACTIVE]


def _parse(since: str) -> tuple[int, int]:
    if not since:
        return 0, 0
    match = _SINCE.fullmatch(since)
    if match is None:
        raise Invalid("since", "since must be a version that an earlier answer gave")
    return int(match[1]), int(match[2] or 0)


def _next(reply: ChangesReply, began: int, last: Change | None) -> str:
    """The version for the next question. `last`: the last room listed, if there are more."""
    if last is None:
        return str(reply.version)
    if reply.whole:
        return f"{last.version}-{reply.version}"
    return f"{last.version}-{began}" if began else str(last.version)

"""Cursors: how far each member has read."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from readstate.domain.types import Reading
from readstate.errors import ReadStateError
from readstate.store.badges import RedisBadges
from readstate.store.decoding import text, texts
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox


class RedisReading(Operations):
    """Implements domain.ports.Reading."""

    def __init__(self, executor: Executor, outbox: Outbox, badges: RedisBadges, *, journal: str, events: bool) -> None:
        super().__init__(executor, outbox)
        self._outbox = outbox
        self._badges = badges
        self._journal = journal
        self._events = events

    async def mark_read(
        self,
        *,
        app: str,
        room: str,
        user: str,
        message: str,
        tell_backend: bool = True,
        with_badge: bool = True,
        derived: Callable[[int], None] = lambda _: None,
    ) -> Reading:
        args = (app, user, message, self._journal, self._event_shard(app, room) if tell_backend else "")
        reading = _reading(await self._change("mark_read", app, room, args))
        return await self._with_badge(app, user, reading, derived) if with_badge else reading

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]]
    ) -> list[Reading | ReadStateError]:
        changes = [(room, (app, user, message, self._journal, self._event_shard(app, room))) for room, message in items]
        replies = await self._outbox.change_each("mark_read", app, changes)
        return [reply if isinstance(reply, ReadStateError) else _reading(reply) for reply in replies]

    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int, tell_backend: bool = True, with_badge: bool = True
    ) -> Reading:
        args = (app, user, until_ms, self._journal, self._event_shard(app, room) if tell_backend else "")
        reading = _reading(await self._change("mark_read_until", app, room, args))
        return await self._with_badge(app, user, reading) if with_badge else reading

    async def mark_unread(self, *, app: str, room: str, user: str, message: str) -> None:
        await self._change("mark_unread", app, room, [app, user, message])

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        return int(await self._change("set_unread", app, room, [app, user, count]))

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        return texts(await self._executor.call(self._scripts["acknowledge"], [Keys.room(app, room)], [user, *messages]))

    def _event_shard(self, app: str, room: str) -> int | str:
        return Keys.event_shard(Keys.room(app, room)) if self._events else ""

    async def _with_badge(
        self, app: str, user: str, reading: Reading, derived: Callable[[int], None] = lambda _: None
    ) -> Reading:
        """The reading with the user's badge, which the script does not know on the split plan or beside derived rooms."""
        if reading.badge < 0:
            return replace(reading, badge=await self._badges.badge(app=app, user=user, tags=(), derived=derived))
        return reading


def _reading(reply: Sequence[Any]) -> Reading:
    last, seq, moved, unread, badge = reply
    return Reading(text(last), seq, moved == 1, unread, badge)

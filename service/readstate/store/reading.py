"""Cursors: how far each member has read."""

from collections.abc import Callable, Sequence
from typing import Any

from readstate.domain.limits import check_many
from readstate.domain.types import MarkedRead
from readstate.errors import Invalid, ReadStateError
from readstate.store.badges import RedisBadges
from readstate.store.decoding import text, texts
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox


class RedisReading(Operations):
    """Implements domain.reading.Reading."""

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
    ) -> MarkedRead:
        args = (app, user, message, self._journal, self._event_shard(app, room) if tell_backend else "")
        reply = await self._change("mark_read", app, room, args)
        return await self._with_badge(app, user, reply, derived) if with_badge else _marked(reply)

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]], derived: Callable[[int], None] = lambda _: None
    ) -> tuple[list[MarkedRead | ReadStateError], int]:
        changes = [(room, (app, user, message, self._journal, self._event_shard(app, room))) for room, message in items]
        replies = await self._outbox.change_each("mark_read", app, changes)
        outcomes = [reply if isinstance(reply, ReadStateError) else _marked(reply) for reply in replies]
        return outcomes, await self._badges.badge(app=app, user=user, derived=derived)

    async def mark_read_until(
        self,
        *,
        app: str,
        room: str,
        user: str,
        until_ms: int | None = None,
        tell_backend: bool = True,
        with_badge: bool = True,
    ) -> MarkedRead | None:
        args = (app, user, until_ms or 0, self._journal, self._event_shard(app, room) if tell_backend else "")
        reply = await self._change("mark_read_until", app, room, args)
        if not reply[0]:
            return None
        return await self._with_badge(app, user, reply) if with_badge else _marked(reply)

    async def mark_unread(self, *, app: str, room: str, user: str, message: str | None = None) -> None:
        await self._change("mark_unread", app, room, [app, user, message or ""])

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        if count < 0:
            raise Invalid("count", "count must be 0 or more")
        return int(await self._change("set_unread", app, room, [app, user, count]))

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        check_many("messages", messages)
        return texts(await self._executor.call(self._scripts["acknowledge"], [Keys.room(app, room)], [user, *messages]))

    def _event_shard(self, app: str, room: str) -> int | str:
        return Keys.event_shard(Keys.room(app, room)) if self._events else ""

    async def _with_badge(
        self, app: str, user: str, reply: Sequence[Any], derived: Callable[[int], None] = lambda _: None
    ) -> MarkedRead:
        """The answer with the user's badge: a script cannot tell it on the split plan or beside derived rooms."""
        message, seq, moved, unread, badge = reply
        if badge < 0:
            badge = await self._badges.badge(app=app, user=user, derived=derived)
        return MarkedRead(text(message), seq, moved == 1, unread, badge)


def _marked(reply: Sequence[Any]) -> MarkedRead:
    message, seq, moved, unread, _ = reply
    return MarkedRead(text(message), seq, moved == 1, unread, None)

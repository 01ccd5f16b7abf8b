"""Cursors: how far each member has read."""

from collections.abc import Sequence

from msgspec.structs import replace

from readstate.domain.limits import Charge, check_many, free
from readstate.domain.reading import MarkedRead
from readstate.errors import Invalid, ReadStateError
from readstate.store import lua
from readstate.store.badges import RedisBadges
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.operations import Operations, after_a_change
from readstate.store.outbox import Outbox


class RedisReading(Operations):
    """Implements domain.reading.Reading."""

    def __init__(
        self, executor: Executor, outbox: Outbox, bounds: Bounds, *, badges: RedisBadges, events: bool
    ) -> None:
        super().__init__(executor, outbox, bounds)
        self._badges = badges
        self._events = events

    async def mark_read(
        self,
        *,
        app: str,
        room: str,
        user: str,
        message: str,
        notify_backend: bool = True,
        with_badge: bool = True,
        derived: Charge = free,
    ) -> MarkedRead:
        shard = self._event_shard(app, room) if notify_backend else ""
        call = lua.mark_read(
            app=app, user=user, message=message, shard=shard, settings=self._settings, with_badge=with_badge
        )
        if not with_badge:
            return await self._change(call, app, room)
        reply = await self._outbox.change_read(call, app, room, user)
        return reply if reply.badge is not None else await self._with_badge(app, user, reply, derived)

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]], derived: Charge = free
    ) -> tuple[list[MarkedRead | ReadStateError], int]:
        changes = []
        for room, message in items:
            shard = self._event_shard(app, room)
            call = lua.mark_read(
                app=app, user=user, message=message, shard=shard, settings=self._settings, with_badge=False
            )
            changes.append((room, call))
        outcomes = await self._outbox.change_each(app, changes)
        with after_a_change(not all(isinstance(outcome, ReadStateError) for outcome in outcomes)):
            return outcomes, await self._badges.badge(app=app, user=user, derived=derived)

    async def mark_read_until(
        self,
        *,
        app: str,
        room: str,
        user: str,
        until_ms: int | None = None,
        notify_backend: bool = True,
        with_badge: bool = True,
    ) -> MarkedRead | None:
        shard = self._event_shard(app, room) if notify_backend else ""
        call = lua.mark_read_until(
            app=app, user=user, until_ms=until_ms or 0, shard=shard, settings=self._settings, with_badge=with_badge
        )
        reply = await self._outbox.change_read(call, app, room, user)
        if not reply.message:
            return None
        return await self._with_badge(app, user, reply) if with_badge else reply

    async def mark_unread(self, *, app: str, room: str, user: str, message: str | None = None) -> None:
        call = lua.mark_unread(app=app, user=user, message=message or "", settings=self._settings)
        await self._change(call, app, room)

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        if count < 0:
            raise Invalid("count", "count must be 0 or more")
        call = lua.set_unread(app=app, user=user, count=count, settings=self._settings)
        return await self._change(call, app, room)

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        check_many("messages", messages)
        return await self._executor.call(lua.acknowledge(user=user, messages=messages), Keys.room(app, room))

    def _event_shard(self, app: str, room: str) -> str:
        return str(Keys.event_shard(Keys.room(app, room))) if self._events else ""

    async def _with_badge(self, app: str, user: str, reply: MarkedRead, derived: Charge = free) -> MarkedRead:
        """The answer with the badge, which a script lacks beside derived rooms and when split."""
        if reply.badge is not None:
            return reply
        with after_a_change():
            return replace(reply, badge=await self._badges.badge(app=app, user=user, derived=derived))

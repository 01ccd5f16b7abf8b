"""Exports and imports in tests: a store's lines, and stores that break off."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from readstate.domain.transfer import VERSION, Header, Line, MemberLine, RoomLine, StayLine
from readstate.errors import RoomUnknown, Unavailable
from readstate.store.executor import Executor
from readstate.store.exports import RedisExport
from readstate.store.imports import RedisImport
from readstate.store.redis_store import RedisStore
from readstate.transfer.importing import Import


async def exported(executor: Executor, app: str) -> list[Line]:
    """The lines of an app: users and rooms by name, and within a room each kind by name."""
    store = RedisExport(executor, app)
    lines: list[Line] = []
    for user in sorted({user async for user in store.users()}):
        line = await store.user(user)
        assert line is not None
        lines.append(line)
    for room in sorted({room async for room in store.rooms()}):
        with contextlib.suppress(RoomUnknown):  # of a deleted one the head is kept for a while
            lines += in_order(await store.room(room))
    return lines


def in_order(lines: Sequence[Line]) -> list[Line]:
    """A room's lines; members and stays, which have no order, by name."""
    members = sorted((line for line in lines if isinstance(line, MemberLine)), key=lambda one: one.user)
    stays = sorted((line for line in lines if isinstance(line, StayLine)), key=lambda one: (one.user, one.joined))
    rest = [line for line in lines if not isinstance(line, MemberLine | StayLine)]
    return [*rest[:-1], *members, *stays, rest[-1]]


async def bring_in(store: RedisStore, lines: Iterable[Line], app: str, *, source: str = "some") -> Import:
    """Import lines into an app."""
    executor = store.rooms._executor
    importing = Import(RedisImport(executor, store.outbox, store.bounds, app=app, source=source))
    await importing.run(enumerate([Header(VERSION, source, app, 0), *lines], 1))
    await store.outbox.idle()
    return importing


class Breaking:
    """An executor that dies after so many calls: none is answered from then on."""

    def __init__(self, executor: Executor, calls: int) -> None:
        self._executor = executor
        self._left = calls
        self.plan, self.scripts = executor.plan, executor.scripts

    @property
    def has_died(self) -> bool:
        return self._left < 0

    async def call(self, *arguments: Any, **options: Any) -> Any:
        self._count()
        return await self._executor.call(*arguments, **options)

    async def call_each(self, calls: Sequence[Any]) -> Any:
        self._count()
        return await self._executor.call_each(calls)

    async def command(self, *parts: Any, **options: Any) -> Any:
        self._count()
        return await self._executor.command(*parts, **options)

    async def each_node(self, *parts: Any) -> Any:
        self._count()
        return await self._executor.each_node(*parts)

    async def slots(self) -> Any:
        self._count()
        return await self._executor.slots()

    async def scan(self, pattern: str) -> AsyncIterator[str]:
        self._count()
        async for key in self._executor.scan(pattern):
            yield key

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unavailable("died")


def rooms_of(lines: Iterable[Line]) -> list[str]:
    return [line.room for line in lines if isinstance(line, RoomLine)]

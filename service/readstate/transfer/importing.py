"""An import: the users and rooms of a file, several of them at a time."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

from msgspec import Struct

from readstate.domain.transfer import EndLine, Header, Line, OfRoom, RoomLine, UserLine, WholeLine
from readstate.errors import Invalid
from readstate.store.imports import RedisImport
from readstate.transfer.files import TransferError

AT_ONCE = 16  # users and rooms


class Room(Struct):
    """The lines of a room so far, and the number of the first one."""

    number: int
    begins: RoomLine
    lines: list[OfRoom]


class Import:
    """Brings in the lines of one file. `counted`: users, and rooms by what became of them."""

    def __init__(self, store: RedisImport) -> None:
        self.counted: Counter[str] = Counter()
        self.whole = False  # the export was not broken off
        self._store = store
        self._room: Room | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, lines: Iterable[tuple[int, Line]]) -> None:
        """Raises TransferError, and what RedisImport does except for Invalid."""
        try:
            for number, line in lines:
                await self._import_line(number, line)
            await self._wait_for(0)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _import_line(self, number: int, line: Line) -> None:
        if isinstance(line, RoomLine):
            # One that was begun and has no end was broken off, or looked at again.
            self._room = Room(number, line, [])
        elif isinstance(line, UserLine):
            await self._start(self._user(number, line))
        elif isinstance(line, WholeLine):
            self.whole = True
        elif not isinstance(line, Header):
            await self._import_line_of_room(number, line)

    async def _import_line_of_room(self, number: int, line: OfRoom | EndLine) -> None:
        if self._room is None:
            raise TransferError(f"line {number} belongs to no room")
        if not isinstance(line, EndLine):
            self._room.lines.append(line)
        elif line.room != self._room.begins.room:
            raise TransferError(f"line {number} ends room {line.room}, which has not begun")
        else:
            room, self._room = self._room, None
            await self._start(self._import_room(room))

    async def _start(self, work: Coroutine[Any, Any, None]) -> None:
        await self._wait_for(AT_ONCE - 1)
        self._running.add(asyncio.create_task(work))

    async def _wait_for(self, most: int) -> None:
        """Until at most so many are under way. Raises what one of them did."""
        while len(self._running) > most:
            done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            errors = [error for task in done if (error := task.exception())]
            if errors:
                raise errors[0]

    async def _user(self, number: int, line: UserLine) -> None:
        try:
            await self._store.user(line)
        except Invalid as refused:
            raise TransferError(f"line {number}: {refused}") from None
        self.counted["users"] += 1

    async def _import_room(self, room: Room) -> None:
        try:
            outcome = await self._store.room(room.begins, room.lines)
        except Invalid as refused:
            raise TransferError(f"room {room.begins.room}, which begins in line {room.number}: {refused}") from None
        self.counted[f"rooms {outcome.value}"] += 1

"""An export: users, then rooms, each whole before the next one begins."""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import IO

from readstate.batches import as_batches
from readstate.domain.transfer import VERSION, Header, Line, WholeLine, encode_line
from readstate.errors import RoomUnknown
from readstate.files import written
from readstate.store.exports import RedisExport
from readstate.transfer.files import Finished, TransferError, create_file

AT_ONCE = 16  # users, and rooms, each of which is in memory as a whole

Advance = Callable[[str, int], None]  # is told of so many more "users" or "rooms"


def ignored(_what: str, _more: int) -> None:
    """Tell of no progress."""


class Export:
    """Writes one app into a file. `finished`: what is in it already."""

    def __init__(self, file: IO[bytes], finished: Finished, advance: Advance = ignored) -> None:
        self._file = file
        self._users, self._rooms = finished.users, finished.rooms
        self._header = finished.header
        self._advance = advance

    async def run(self, app: str, store: RedisExport) -> None:
        """Raises TransferError for a file of another app, OSError, and what RedisExport does."""
        if self._header is None:
            self._write([Header(VERSION, secrets.token_hex(8), app, time.time_ns() // 1_000_000)])
        elif self._header.app != app:
            raise TransferError(f"the file is an export of app {self._header.app}")
        await self._users_of(store)
        await self._rooms_of(store)
        self._write([WholeLine(len(self._users), len(self._rooms))])

    async def _users_of(self, store: RedisExport) -> None:
        async for batch in as_batches(_new(store.users(), self._users), AT_ONCE):
            for line in await asyncio.gather(*map(store.user, batch)):
                self._write([line] if line else [])
            self._advance("users", len(batch))

    async def _rooms_of(self, store: RedisExport) -> None:
        async for batch in as_batches(_new(store.rooms(), self._rooms), AT_ONCE):
            for lines in await asyncio.gather(*(_lines_of(store, room) for room in batch)):
                self._write(lines)
            self._advance("rooms", len(batch))

    def _write(self, lines: Sequence[Line]) -> None:
        self._file.writelines(encode_line(line) + b"\n" for line in lines)


async def _new(names: AsyncIterator[str], known: set[str]) -> AsyncIterator[str]:
    """Those that are not `known` yet; they become so."""
    async for name in names:
        if name not in known:
            known.add(name)
            yield name


async def _lines_of(store: RedisExport, room: str) -> Sequence[Line]:
    """None when it was deleted meanwhile."""
    with contextlib.suppress(RoomUnknown):
        return await store.room(room)
    return ()


async def export_to(path: Path, app: str, store: RedisExport, *, resume: bool, advance: Advance = ignored) -> bool:
    """Export an app into a file. With `resume` an export that was broken off is gone on with.

    Returns whether there was anything to do. Raises TransferError, OSError, and what RedisExport
    does.
    """
    finished = Finished()
    if resume:
        finished.read(path)
        if finished.whole:
            return False
        os.truncate(path, finished.end)
    with written(path), path.open("ab") if resume else create_file(path) as file:
        await Export(file, finished, advance).run(app, store)
        file.flush()
        os.fsync(file.fileno())
    return True

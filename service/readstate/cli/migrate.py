"""`readstate migrate`: migrates the data of an earlier version to the layout of this one."""

import argparse
import asyncio
import sys
from time import monotonic

from readstate.cli.arguments import note
from readstate.cli.existing_store import existing_store
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.layout import StoreLayout
from readstate.store.noted_layout import LAYOUT

ABOUT = """\
Services of the earlier version must be stopped first. A service of this version may run meanwhile,
and so may other runs of this command. It can be interrupted and started again.
Exit code: 0 everything is migrated, 2 it could not be carried out.
"""
BAR = 40  # columns
REPORT_EVERY_S = 10.0  # where there is no terminal


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = ABOUT
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    asyncio.run(_migrate())
    return 0


async def _migrate() -> None:
    async with existing_store(note, begun=False) as (executor, _settings):
        layout = StoreLayout(executor)
        await layout.begin()
        if layout.is_whole:
            note(f"the data have layout {LAYOUT} already; nothing is to be done")
            return
        progress = _Progress(await _count_rooms(executor))
        await layout.migrate(progress.add)
        progress.end()
        note(f"the data have layout {layout.describe()}")


async def _count_rooms(executor: Executor) -> int:
    rooms = 0
    async for _ in executor.scan(Keys.every_room):
        rooms += 1
    return rooms


class _Progress:
    """Shows how many rooms of all are done: as a bar on a terminal, elsewhere in lines."""

    def __init__(self, rooms: int) -> None:
        self._rooms = rooms
        self._done = 0
        self._bar = sys.stderr.isatty()
        self._reported_s = monotonic()

    async def add(self, rooms: int) -> None:
        # New rooms may come while a service runs, and a scan may come to a room twice.
        self._done += rooms
        self._rooms = max(self._rooms, self._done)
        if self._bar:
            filled = BAR * self._done // self._rooms
            bar = "#" * filled + "-" * (BAR - filled)
            print(f"\r[{bar}] {self._counts()}", end="", file=sys.stderr, flush=True)
        elif monotonic() - self._reported_s >= REPORT_EVERY_S:
            self._report()

    def end(self) -> None:
        if self._bar:
            print(file=sys.stderr)
        else:
            self._report()

    def _report(self) -> None:
        self._reported_s = monotonic()
        note(self._counts())

    def _counts(self) -> str:
        return f"{self._done:,} of {self._rooms:,} rooms"

"""`readstate import`: brings in the users and rooms of a file."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

from readstate.cli.arguments import note, text
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.transfer import Header, Line
from readstate.settings import Settings
from readstate.store.executor import Executor
from readstate.store.imports import RedisImport
from readstate.store.redis_store import redis_store
from readstate.transfer.files import lines_of, read_lines
from readstate.transfer.importing import Import

ABOUT = """\
The service may run meanwhile. A room that is there already stays as it is. An import that was
broken off is gone on with by the same command, within a week; see docs/export-and-import.md.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = ABOUT
    parser.add_argument("file", type=Path, help="an export, plain or gzipped")
    parser.add_argument("--app", type=text, help="into this app (default: the one that was exported)")
    parser.set_defaults(run=run)


@on_store
async def run(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    store = redis_store(executor, **settings.bounds())
    with args.file.open("rb") as file:
        lines = read_lines(lines_of(file))
        first = next(lines)
        header = first[1]
        assert isinstance(header, Header)  # read_lines has seen to it
        app = args.app or header.app
        await app_registry(executor, settings).check(app)
        importing = Import(RedisImport(executor, store.outbox, store.bounds, app=app, source=header.id))
        try:
            await importing.run(_shown(file, lines))
        finally:
            await store.outbox.idle()
    counted = ", ".join(f"{count:,} {what}" for what, count in sorted(importing.counted.items()))
    note(f"{counted or 'nothing'}, into app {app}")
    if not importing.whole:
        note("the export was broken off: whatever else it was to have is missing")


def _shown(file: IO[bytes], lines: Iterator[tuple[int, Line]]) -> Iterator[tuple[int, Line]]:
    """The lines, with a bar on a terminal that shows how far in the file they are."""
    console = Console(stderr=True)
    with Progress(
        BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=os.fstat(file.fileno()).st_size)
        for line in lines:
            progress.update(task, completed=file.tell())
            yield line

"""`readstate import`: brings in the users and rooms of a file."""

import argparse
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

from readstate.cli.arguments import many, note, text
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.identity import FIRST_APP
from readstate.domain.transfer import Header, Line
from readstate.settings import Settings
from readstate.store.executor import Executor
from readstate.store.imports import RedisImport
from readstate.store.redis_store import redis_store
from readstate.transfer import mattermost, rocketchat
from readstate.transfer.files import lines_of, read_lines
from readstate.transfer.importing import Import

ABOUT = """\
The service may run meanwhile. A room that is there already stays as it is. An import that was
broken off is gone on with by the same command, within a week; see docs/export-and-import.md.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = ABOUT
    parser.add_argument("file", type=Path, help="an export, plain or gzipped; with --from what that product wrote")
    parser.add_argument(
        "--from",
        dest="source",
        choices=(mattermost.SOURCE, rocketchat.SOURCE),
        help="a bulk export of Mattermost (the .jsonl file), or a directory with a mongodump of Rocket.Chat",
    )
    parser.add_argument(
        "--app", type=text, help="into this app (default: the one that was exported, else the first one)"
    )
    parser.set_defaults(run=run)


@on_store
async def run(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    store = redis_store(executor, **settings.bounds())
    with closing(_lines(args, settings)) as lines:
        header = next(lines)[1]
        assert isinstance(header, Header)  # _lines has seen to it
        app = args.app or header.app
        await app_registry(executor, settings).check(app)
        importing = Import(RedisImport(executor, store.outbox, store.bounds, app=app, source=header.id))
        try:
            await importing.run(lines)
        finally:
            await store.outbox.idle()
    counted = ", ".join(_counted(what, count) for what, count in sorted(importing.counted.items()))
    note(f"{counted or 'nothing'}, into app {app}")
    if args.source is None and not importing.whole:
        note("the file has no last line, `whole`: an export that was broken off, of which the rest is missing")


def _counted(what: str, count: int) -> str:
    noun, _, outcome = what.partition(" ")
    return " ".join(filter(None, (many(count, noun.removesuffix("s")), outcome)))


def _lines(args: argparse.Namespace, settings: Settings) -> Generator[tuple[int, Line]]:
    """The lines of what is imported, with their numbers, the header first."""
    app, history = args.app or FIRST_APP, settings.message_history
    if args.source == rocketchat.SOURCE:
        yield from enumerate(rocketchat.read_rocketchat(args.file, app, history), 1)
        return
    with args.file.open("rb") as file:
        shown = _shown(file, lines_of(file))
        if args.source == mattermost.SOURCE:
            yield from enumerate(mattermost.read_mattermost(shown, app, history), 1)
        else:
            yield from read_lines(shown)


def _shown(file: IO[bytes], lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, with a bar on a terminal that shows how far in the file they are."""
    console = Console(stderr=True)
    with Progress(
        BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=os.fstat(file.fileno()).st_size)
        for line in lines:
            progress.update(task, completed=file.tell())
            yield line

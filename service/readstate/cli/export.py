"""`readstate export`: writes the users and rooms of an app into a file."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from readstate.cli.arguments import many, note, text
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.identity import FIRST_APP
from readstate.settings import Settings
from readstate.store.executor import Executor
from readstate.store.exports import RedisExport
from readstate.transfer.exporting import export_to

ABOUT = """\
The service may run meanwhile. Each room is written as it was at one moment, each member as they
were at a moment after that. The file holds no tokens and no keys; see docs/export-and-import.md.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = ABOUT
    parser.add_argument("file", type=Path, help="a new file; it is gzipped when its name ends in .gz")
    parser.add_argument("--app", type=text, default=FIRST_APP, help="which app (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on with a file whose export was broken off")
    parser.set_defaults(run=run)


@on_store
async def run(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await app_registry(executor, settings).check(args.app)
    columns = TextColumn("{task.description}"), TimeElapsedColumn()
    counts = {"users": 0, "rooms": 0}
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(what: str, more: int) -> None:
            counts[what] += more
            progress.update(task, description=f"{counts['users']:,} users, {counts['rooms']:,} rooms")

        store = RedisExport(executor, args.app)
        written = await export_to(args.file, args.app, store, resume=args.resume, advance=advance)
    if written:
        users, rooms = many(counts["users"], "user"), many(counts["rooms"], "room")
        note(f"{args.file} is whole; written: {users} and {rooms}")
    else:
        note(f"{args.file} is whole already; nothing is to be done")

"""`readstate people`: lists, shows, exports and erases users."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from readstate.cli.arguments import note, tell_administration, text
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.identity import FIRST_APP
from readstate.domain.limits import check_id
from readstate.domain.personal_data import check_name
from readstate.domain.transfer import encode_line
from readstate.errors import Invalid
from readstate.files import written
from readstate.settings import Settings
from readstate.store.executor import Executor
from readstate.store.people import RedisPeople
from readstate.store.person import RedisPerson
from readstate.store.redis_store import redis_store
from readstate.transfer.files import create_file


def declare(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="print the id of everyone who was created or is in a room")
    showing = commands.add_parser("show", help="print a user's profile, tokens and rooms, as lines of JSON")
    exporting = commands.add_parser("export", help="write all that is kept of a user into a file; looks at every room")
    erasing = commands.add_parser("erase", help="erase a user for good; docs/people.md says what stays of them")
    for command, run in ((listing, _list), (showing, _show), (exporting, _export), (erasing, _erase)):
        command.add_argument("--app", type=text, default=FIRST_APP, help="whose (default: %(default)s)")
        command.set_defaults(run=run)
    for command in (showing, exporting, erasing):
        command.add_argument("user", type=text)
    exporting.add_argument("file", type=Path, help="a new file; it is gzipped when its name ends in .gz")
    erasing.add_argument(
        "--as",
        dest="name",
        type=text,
        help="the name that stands in for theirs in rooms; random digits come behind it (default: erased)",
    )


@on_store
async def _list(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await app_registry(executor, settings).check(args.app)
    async for user in _people(args, executor, settings).users():
        print(user)


@on_store
async def _show(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await _check(args, executor, settings)
    person = RedisPerson(executor, args.app, args.user)
    for line in await person.side():
        sys.stdout.write(encode_line(line).decode() + "\n")


@on_store
async def _export(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await _check(args, executor, settings)
    person = RedisPerson(executor, args.app, args.user)
    lines = 0
    tell_administration("an export of a user has begun", app=args.app, user=args.user)
    with written(args.file), create_file(args.file) as file:
        async for line in person.everything():
            file.write(encode_line(line) + b"\n")
            lines += 1
    note(f"{args.file} has {lines:,} lines about {args.user}")


@on_store
async def _erase(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await app_registry(executor, settings).check(args.app)
    check_id("user", args.user)
    if args.name is not None:
        check_name("as", args.name, args.user)
    there = await RedisPerson(executor, args.app, args.user).exists()
    tell_administration("an erasure of a user has begun", app=args.app, user=args.user)
    console = Console(stderr=True)
    columns = TextColumn("{task.completed:,.0f} rooms"), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        people = _people(args, executor, settings)
        name = await people.erase(args.user, args.name, lambda rooms: progress.advance(task, rooms))
    tell_administration("a user was erased", app=args.app, user=args.user)
    print(f"{args.user} is erased; {name} stands in for them in rooms")
    if not there:
        note(f"there was no user {args.user} in app {args.app}; what an earlier erasure had left of them is gone, too")
    note(f"`readstate audit --app {args.app} --user {args.user} --erased` looks for what is left")


def _people(args: argparse.Namespace, executor: Executor, settings: Settings) -> RedisPeople:
    store = redis_store(executor, **settings.bounds())
    return RedisPeople(executor, store.outbox, store.bounds, args.app)


async def _check(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    """Raises Invalid unless there are such an app and such a user."""
    check_id("user", args.user)
    await app_registry(executor, settings).check(args.app)
    if not await RedisPerson(executor, args.app, args.user).exists():
        raise Invalid("user", f"there is no user {args.user} in app {args.app}")

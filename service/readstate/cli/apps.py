"""`readstate apps`: adds, lists, rotates and removes apps (tenants)."""

import argparse
import re

from readstate.cli.arguments import note
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.identity import FIRST_APP
from readstate.settings import Settings
from readstate.store.apps import NewApp
from readstate.store.executor import Executor

MAX_OVERLAP_S = 90 * 86_400  # the longest time for which a rotated key is kept

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def declare(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    adding = commands.add_parser("add", help="add an app and print its keys; the API key is shown only now")
    adding.add_argument("--keep-data", action="store_true", help="take over what an earlier app of this name stored")
    rotating = commands.add_parser("rotate", help="give an app a new API key and print it; the users' tokens stay")
    rotating.add_argument(
        "--keep-old-for",
        type=_duration,
        default=0,
        metavar="TIME",
        help="accept the present key for this time after it: 30m, 24h, 7d (default: it ends at once). "
        "A key that was kept before ends at once",
    )
    removing = commands.add_parser("remove", help="shut an app out; what it stored stays")
    for command, change in ((adding, _add), (rotating, _rotate), (removing, _remove)):
        command.add_argument("app", help="1 to 32 lower-case letters, digits and hyphens")
        command.set_defaults(run=change)
    commands.add_parser("list", help="print every app and its client key").set_defaults(run=_list)


def _duration(argument: str) -> int:
    """`30m`, `24h` or `7d` in seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", argument)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else 0
    if not 0 < seconds <= MAX_OVERLAP_S:
        raise argparse.ArgumentTypeError("must be a time of 1m to 90d, such as 30m, 24h or 7d")
    return seconds


@on_store
async def _add(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    _print_keys(await app_registry(executor, settings).add(args.app, keep_data=args.keep_data))


@on_store
async def _rotate(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    _print_keys(await app_registry(executor, settings).rotate(args.app, keep_old_for_s=args.keep_old_for))


@on_store
async def _remove(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    await app_registry(executor, settings).remove(args.app)
    print(f"{args.app} is shut out within seconds")


def _print_keys(new: NewApp) -> None:
    print(f"app         {new.app}\nclient key  {new.client_key}\nAPI key     {new.api_key}")


@on_store
async def _list(_args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    for app in await app_registry(executor, settings).list():
        print(f"{app.app}\t{app.client_key or '-'}")
    if not settings.client_key:
        note(
            f"the client key of {FIRST_APP} is not known here; "
            "it is in READSTATE_CLIENT_KEY of the service, or its data directory"
        )

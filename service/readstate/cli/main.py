"""The command `readstate`. Expected failures are one line on standard error and exit code 2, without a traceback."""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from readstate.errors import ReadStateError
from readstate.process.embedded import EmbeddedError
from readstate.process.stopping import Stopped, end_by, stop_by_exception
from readstate.settings import Settings, SettingsError
from readstate.store.server_check import ServerRefused

CANNOT = 2
MAX_OVERLAP_S = 90 * 86_400  # for which a rotated key may be kept

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: of this process). Returns the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = _parser(arguments).parse_args(arguments)
    try:
        stop_by_exception()
        return int(args.run(args))
    except Stopped as stopped:
        end_by(stopped.signum)
    except (SettingsError, EmbeddedError, ServerRefused, ReadStateError, OSError) as error:
        print(f"readstate: {error}", file=sys.stderr)
        return CANNOT


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="readstate", description="Keeps read state for chat products. Settings: the READSTATE_ variables."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="run the service until it is told to stop")
    serve.set_defaults(run=_serve)

    replay = commands.add_parser("replay", help="feed a traffic file to a running service and check every count")
    if "replay" in arguments:
        # Its libraries are of no use to the other commands.
        from readstate import replay as replaying

        replaying.add_arguments(replay)
        replay.set_defaults(run=replaying.main)

    audit = commands.add_parser(
        "audit", help="recompute what is stored and print every difference; exit code 1 if there was one"
    )
    audit.add_argument("--repair", action="store_true", help="mend what differs")
    audit.add_argument(
        "--app", type=_text, help="only this app; with --user or --room theirs (default: the first one, called default)"
    )
    one = audit.add_mutually_exclusive_group()
    one.add_argument("--user", type=_text, help="only this user")
    one.add_argument("--room", type=_text, help="only this room")
    audit.set_defaults(run=_look_after, command="audit")

    _add_apps(commands.add_parser("apps", help="add, list, rotate or remove apps (tenants)"))
    _add_tokens(commands.add_parser("tokens", help="end the tokens of an app or of one user"))

    deliver = commands.add_parser(
        "deliver", help="deliver webhooks until told to stop; `serve` runs one, more may run anywhere"
    )
    deliver.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # the process to end with
    deliver.set_defaults(run=_look_after, command="deliver")

    _add_webhooks(commands.add_parser("webhooks", help="list or replay webhooks that could not be delivered"))
    return parser


def _text(argument: str) -> str:
    """An argument that names something stored. Raises ArgumentTypeError for bytes that are not UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8") from None
    return argument


def _add_webhooks(webhooks: argparse.ArgumentParser) -> None:
    commands = webhooks.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("list", help="print every dead letter").set_defaults(run=_look_after, command="webhooks list")
    replay = commands.add_parser("replay", help="deliver dead letters again; also to a receiver that had answered 410")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("id", type=_text, nargs="*", default=[], help="ids of events, as `list` prints them")
    which.add_argument("--all", action="store_true", help="all of them")
    replay.set_defaults(run=_look_after, command="webhooks replay")


def _duration(argument: str) -> int:
    """`30m`, `24h` or `7d` in seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", argument)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else 0
    if not 0 < seconds <= MAX_OVERLAP_S:
        raise argparse.ArgumentTypeError("must be a time of 1m to 90d, such as 30m, 24h or 7d")
    return seconds


def _add_apps(apps: argparse.ArgumentParser) -> None:
    commands = apps.add_subparsers(metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="add an app and print its keys; the API key is shown only now")
    add.add_argument("--keep-data", action="store_true", help="take over what an earlier app of this name stored")
    rotate = commands.add_parser("rotate", help="give an app a new API key and print it; the users' tokens stay")
    rotate.add_argument(
        "--keep-old-for",
        type=_duration,
        default=0,
        metavar="TIME",
        help="accept the key before for so long: 30m, 24h, 7d (default: it ends at once). One that was kept before ends at once",
    )
    remove = commands.add_parser("remove", help="shut an app out; what it stored stays")
    for name, command in {"apps add": add, "apps rotate": rotate, "apps remove": remove}.items():
        command.add_argument("app", help="1 to 32 lower-case letters, digits and hyphens")
        command.set_defaults(run=_look_after, command=name)
    commands.add_parser("list", help="print every app and its client key").set_defaults(
        run=_look_after, command="apps list"
    )


def _add_tokens(tokens: argparse.ArgumentParser) -> None:
    commands = tokens.add_subparsers(metavar="COMMAND", required=True)
    end = commands.add_parser("end", help="end tokens for good: calls and sockets that use them, within 5 seconds")
    end.add_argument(
        "--app", type=_text, required=True, help="all tokens of the users of this app; the first one is called default"
    )
    end.add_argument("--user", type=_text, help="only those of this user")
    end.set_defaults(run=_look_after, command="tokens end")


def _serve(_args: argparse.Namespace) -> int:
    from readstate.process.supervisor import StartError, serve

    try:
        return serve(Settings.from_environ(os.environ))
    except StartError as error:
        print(f"readstate: {error}", file=sys.stderr)
        return CANNOT


def _look_after(args: argparse.Namespace) -> int:
    # The service itself does without what these commands need.
    from readstate.cli.looking_after import COMMANDS

    return COMMANDS[args.command](args)

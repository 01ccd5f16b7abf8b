"""The command `readstate`. An expected failure is one line on standard error, with exit code 2."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword

from readstate.errors import ReadStateError, SettingsError
from readstate.files import in_words
from readstate.process.embedded import EmbeddedError
from readstate.process.listener import StartError
from readstate.process.stopping import Stopped, end_by, stop_by_exception
from readstate.store.server_check import ServerRefused
from readstate.transfer.files import TransferError

CANNOT = 2

# Each command is a module of this package. Its `declare` adds arguments and names what runs.
COMMANDS = {
    "serve": "run the service until it is told to stop",
    "doctor": "look at settings, machine, store and receiver, and say what to do; changes nothing",
    "status": "show what a running service does, on one screen; --watch: live",
    "replay": "feed a traffic file to a running service and check every count",
    "bench": "load a running service, find the rate that it keeps, and leave a report",
    "demo": "replay a sample file against a temporary service; takes a few seconds",
    "audit": "recompute what is stored and print every difference; exit code 1 if there was one",
    "export": "write the users and rooms of an app into a file, while the service goes on",
    "import": "bring in the users and rooms of such a file; what is there already stays",
    "migrate": "migrate the data of an earlier version to the layout of this one; a running service does it as well",
    "people": "list, show, export or erase users",
    "apps": "add, list, rotate or remove apps (tenants)",
    "token": "print a token for a user, for developers",
    "tokens": "end the tokens of an app or of one user",
    "deliver": "deliver webhooks until told to stop; `serve` runs one, more may run anywhere",
    "webhooks": "list or replay webhooks that could not be delivered",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: of this process). Returns the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments:
        _parser(arguments).print_help(sys.stderr)
        return CANNOT
    args = _parser(arguments).parse_args(arguments)
    try:
        stop_by_exception()
        return int(args.run(args))
    except Stopped as stopped:
        end_by(stopped.signum)
    except OSError as error:
        print(f"readstate: {in_words(error)}", file=sys.stderr)
        return CANNOT
    except (SettingsError, StartError, EmbeddedError, ServerRefused, ReadStateError, TransferError) as error:
        print(f"readstate: {error}", file=sys.stderr)
        return CANNOT


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="readstate", description="Keeps read state for chat products. Settings: the READSTATE_ variables."
    )
    parser.add_argument("--version", action="version", version=f"readstate {version('readstate')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in arguments:
            # Only then, since each command needs libraries that the others do without.
            declare(name, command)
    return parser


def declare(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `name`, and name what runs."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module = f"{name}_" if iskeyword(name) else name
    import_module(f"readstate.cli.{module}").declare(parser)

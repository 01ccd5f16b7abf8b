"""`readstate doctor`: looks at settings, machine, store and receiver, and says what to do."""

import argparse
import asyncio
import os

import msgspec

from readstate.doctor.examination import examine
from readstate.doctor.finding import Finding, Level

EXIT_CODES = {Level.OK: 0, Level.WARNING: 1, Level.WRONG: 2}
SOCKETS = 10_000
ABOUT = """\
Nothing is changed, and nothing is written to the store. It can be run before a start, and beside a
running service, with the same READSTATE_ variables.
Exit code: 0 all is well, 1 there are warnings, 2 something is wrong.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = ABOUT
    parser.add_argument("--json", action="store_true", help="print a JSON array of check, level and says")
    parser.add_argument(
        "--sockets",
        type=_number,
        default=SOCKETS,
        metavar="N",
        help=f"sockets that are expected on this machine (default: {SOCKETS:,})",
    )
    parser.add_argument("--allow-warnings", action="store_true", help="exit code 0 when there are only warnings")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    findings = asyncio.run(examine(os.environ, args.sockets))
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    else:
        print("\n".join(map(_line, findings)))
    code = max(EXIT_CODES[finding.level] for finding in findings)
    return 0 if code == EXIT_CODES[Level.WARNING] and args.allow_warnings else code


def _line(finding: Finding) -> str:
    return f"{finding.level.value:<8} {finding.check}: {finding.says}"


def _number(argument: str) -> int:
    if not argument.isdigit() or not 0 < int(argument) <= 10_000_000:
        raise argparse.ArgumentTypeError("must be a whole number of 1 to 10000000")
    return int(argument)

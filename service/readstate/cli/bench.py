"""`readstate bench`: a load on a running service, and a report."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from random import randrange

import uvloop

from readstate.bench.report import page
from readstate.bench.run import Wanted, bench
from readstate.cli.arguments import note
from readstate.files import written
from readstate.replay.api import ReplayError
from readstate.urls import mistake_in_service_url

WRONG, NOT_DONE = 1, 2  # exit codes

MORE = """\
Calls come at random moments and are timed from these, so a service that stalls cannot hide it. Without
--rate the rate is doubled until p99 passes the bound, and then narrowed down. The rooms that it makes
and its tokens are removed at the end; its users stay, and are the same the next time. Load a service
that is not in use meanwhile.
Exit code: 0 done, 1 no rate was kept or a notice went wrong, 2 the load could not be carried out.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = MORE
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service is (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        default=os.environ.get("READSTATE_API_KEY", ""),
        help="the backend's key (default: READSTATE_API_KEY)",
    )
    parser.add_argument("--client-key", default="", help="with it users call by tokens of their own, as clients do")
    parser.add_argument("--p99-ms", type=_above_zero(float), default=50.0, metavar="MS", help="the bound (default: 50)")
    parser.add_argument(
        "--seconds", type=_above_zero(float), default=10.0, metavar="S", help="of load at each rate (default: 10)"
    )
    parser.add_argument(
        "--rate", type=_above_zero(float), default=0.0, metavar="N", help="calls a second; without it the rate is found"
    )
    parser.add_argument("--users", type=_above_zero(int), default=200, metavar="N", help="who call (default: 200)")
    parser.add_argument(
        "--rooms", type=_above_zero(int), default=40, metavar="N", help="that they are in (default: 40)"
    )
    parser.add_argument(
        "--listeners", type=_count, default=3, metavar="N", help="sockets that check the notices (default: 3)"
    )
    parser.add_argument(
        "--connections", type=_above_zero(int), default=64, metavar="N", help="HTTP connections (default: 64)"
    )
    parser.add_argument("--prefix", default="bench", help="of the ids that it makes (default: %(default)s)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the moments and choices (default: another each time)")
    parser.add_argument(
        "--report", type=Path, default=Path("readstate-bench.html"), help="where it goes (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(args).items() if name not in ("run", "report")}
    given |= {"url": args.url.rstrip("/"), "seed": randrange(2**31) if args.seed is None else args.seed}
    try:
        if not args.api_key:
            raise ReplayError("an API key is needed: give --api-key or set READSTATE_API_KEY")
        # First, since the other sentence shows the URL.
        if "@" in args.url:
            raise ReplayError("--url must not have a password: the calls are made without it")
        if mistake := mistake_in_service_url(args.url):
            raise ReplayError(mistake)
        _check_writable(args.report)
        result = uvloop.run(bench(Wanted(**given), lambda line: print(line, flush=True)))
    except ReplayError as error:
        note(str(error))
        return NOT_DONE
    for line in (result.verdict(), result.verdict_of_notices(), *result.doubts()):
        print(line, flush=True)
    with written(args.report):
        args.report.write_text(page(result), encoding="utf-8")
    print(f"The report is in {args.report}.")
    return WRONG if result.wrong_notices or result.best is None else 0


def _check_writable(report: Path) -> None:
    """Raises OSError when it is not, which is better known before the load than after it."""
    was_there = report.exists()
    report.open("a").close()
    if not was_there:
        report.unlink()


def _above_zero(kind: Callable[[str], float]) -> Callable[[str], float]:
    def parse(argument: str) -> float:
        try:
            number = kind(argument)
        except ValueError:
            number = 0
        if not 0 < number < 1e6:
            raise argparse.ArgumentTypeError("must be a number above 0")
        return number

    return parse


def _count(argument: str) -> int:
    try:
        number = int(argument)
    except ValueError:
        number = -1
    if not 0 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1000")
    return number

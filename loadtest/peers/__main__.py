"""`python -m loadtest.peers`: measure, and write docs/compared.md. `make bench-peers` is the same.

It ends with a day that is predicted from the new figures, and writes docs/capacity.md, too. A short
run (--quick) and one of some contestants (--only) write to reports/peers/ instead. --page
writes the pages anew from the figures that are kept, and measures nothing.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from loadtest.bench import machine
from loadtest.bench.bench import run
from loadtest.bench.processes import ROOT
from loadtest.bench.report import QUIET_SHARE
from loadtest.capacity import renew
from loadtest.capacity.measure import measured
from loadtest.peers import page
from loadtest.peers.measure import CONTESTANTS, FULL, QUICK, Run, measure
from loadtest.peers.postgres_server import postgres_version

DOCS = ROOT / "docs"
REPORTS = ROOT / "reports" / "peers"


def main(arguments: Sequence[str]) -> int:
    """Returns 0; 2 when it could not be measured."""
    chosen = _parser().parse_args(arguments)
    # SIGTERM ends it in an orderly way too: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    place = REPORTS if chosen.quick or chosen.only else DOCS
    try:
        found = page.read(DOCS) if chosen.page else _measure(chosen)
    except machine.BenchError as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 2
    written = page.write(place, found)
    if place == DOCS:
        costs = renew.renew(renew.from_peers(found))
        if not chosen.page:
            renew.renew(measured(costs))
    print(f"{page.summary(found)}\n\nwritten to {written.relative_to(ROOT)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.peers", description="Compare with doing it yourself.")
    parser.add_argument("--quick", action="store_true", help="a short day of few people; the figures mean little")
    parser.add_argument("--only", type=_names, default=(), help=f"some of {', '.join(CONTESTANTS)}, with commas")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the pages from the kept figures")
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in CONTESTANTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}")
    return names


def _measure(chosen: argparse.Namespace) -> Run:
    account = machine.CpuAccount()
    lengths = QUICK if chosen.quick else FULL
    with machine.on_core(machine.DRIVER_CORE):
        found = run(measure(lengths, chosen.only or tuple(CONTESTANTS)))
    others, stolen = account.others_share(), account.stolen_share()
    warning = ": the machine was busy, **do not rely on the figures**" if others + stolen > QUIET_SHARE else ""
    found.conditions = [
        *machine.facts(),
        ("PostgreSQL", postgres_version()),
        ("people", found.people),
        ("length", f"{found.posts:,} posts; the mixed day in {lengths.turns} turns"),
        ("taken by others", f"{others:.1%} of the cores' time by other processes, {stolen:.1%} by guests{warning}"),
        ("took", f"{account.elapsed_s / 60:.1f} minutes"),
    ]
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

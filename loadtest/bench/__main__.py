"""`python -m loadtest.bench`: measure, print the table, write the page.

`make bench` is the same; `make bench-check` adds --check.

A full run writes docs/benchmarks.md. A run of some rows (--rows) and a short one (--quick) write to
reports/bench/ instead.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from loadtest.bench import machine, ratios, report
from loadtest.bench.bench import Bench
from loadtest.bench.check import ROWS as CHECKED_ROWS
from loadtest.bench.check import check
from loadtest.bench.drive import LOCUST_ONLY
from loadtest.bench.figures import MEASURES, NAMES, RowResult, not_measured, say
from loadtest.bench.lengths import FULL, QUICK, WHOLE, Lengths
from loadtest.bench.machine import BenchError
from loadtest.bench.population import PopulationSize
from loadtest.bench.processes import ROOT
from loadtest.bench.rows import ROWS
from loadtest.capacity import renew

DOCS = ROOT / "docs"
REPORTS = ROOT / "reports" / "bench"
BUSY_LOAD = 0.5  # a quiet machine is below


def main(arguments: Sequence[str]) -> int:
    """Measure, or with --check compare.

    Returns 0 when it was measured and nothing was lost, 1 when a ratio was lost, and 2 when nothing
    could be measured.
    """
    chosen = _parser().parse_args(arguments)
    # SIGTERM ends it in an orderly way too: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    if not machine.tool("wrk"):
        print(f"{LOCUST_ONLY}.")
    if machine.load_average() > BUSY_LOAD:
        print(f"The machine is busy (load average {machine.load_average():.1f}): do not rely on these figures.")
    try:
        with machine.on_core(machine.DRIVER_CORE):
            if chosen.check:
                return _check(chosen.rows or CHECKED_ROWS)
            lengths = QUICK if chosen.quick else WHOLE if chosen.whole else FULL
            return _measure(chosen.rows or tuple(ROWS), lengths, full=not (chosen.quick or chosen.rows))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description="Measure what a read costs.")
    parser.add_argument(
        "--rows", type=_rows, help=f"only these rows, by name or letter, e.g. put_ceiling,f ({', '.join(ROWS)})"
    )
    parser.add_argument(
        "--quick", action="store_true", help="short and small: shows where things stand, in a few minutes"
    )
    parser.add_argument(
        "--whole", action="store_true", help="rows ad to af at their whole length, half an hour more than usual"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare ratios with those of the last full run; 1 when one is over 15 %% worse (of memory: 5 %%)",
    )
    return parser


def _rows(text: str) -> tuple[str, ...]:
    rows = tuple(dict.fromkeys(NAMES.get(row, row) for row in text.split(",")))
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no row {', '.join(unknown)}; the rows are {', '.join(ROWS)}")
    return rows


def _measure(rows: Sequence[str], lengths: Lengths, *, full: bool) -> int:
    account = machine.CpuAccount()
    outcomes: dict[str, RowResult] = {}
    with Bench(lengths) as bench:
        for row in rows:
            print(f"{MEASURES[row].letter}  {row}: {MEASURES[row].what}", flush=True)
            outcomes[row] = _try(partial(ROWS[row], bench))
            say(outcomes[row].measured)
    conditions = report.Conditions(
        facts=machine.facts(),
        others_share=account.others_share(),
        stolen_share=account.stolen_share(),
        pinned=machine.can_pin(),
        minutes=account.elapsed_s / 60,
        population=str(PopulationSize("http", lengths.users)),
    )
    place = DOCS if full else REPORTS
    report.write(place, outcomes, bench.plots, conditions)
    if full:
        renew.renew(renew.from_rows(outcomes))
    print(f"\n{report.table(outcomes)}\n\nwritten to {(place / report.PAGE).relative_to(ROOT)}")
    if not conditions.quiet:
        print(
            f"The machine was busy with something else ({conditions.others_share:.0%} of its time): do not "
            "rely on these figures."
        )
    return 2 if all(outcome.reached is None for outcome in outcomes.values()) else 0


def _try(measure: Callable[[], RowResult]) -> RowResult:
    """A row that cannot be measured does not stop the others."""
    try:
        return measure()
    except BenchError as error:
        return not_measured(str(error))


def _check(rows: Sequence[str]) -> int:
    kept = ratios.read(Path(DOCS, report.PICTURES, ratios.FILE))
    with Bench(QUICK) as bench:
        lost = check({row: partial(_try, partial(ROWS[row], bench)) for row in rows}, kept)
    print("\n".join(["lost:", *lost]) if lost else "no ratio has lost more than it may")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

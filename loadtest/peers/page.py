"""docs/compared.md, from the figures of a run, which are kept beside it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from loadtest.bench.machine import BenchError
from loadtest.bench.report import markdown
from loadtest.peers import words
from loadtest.peers.contestant import WORKER
from loadtest.peers.measure import Cost, Measured, Run
from loadtest.peers.work import Kind

PAGE = "compared.md"
KEPT = Path("benchmarks", "peers.json")
MIB = 2**20


def read(docs: Path) -> Run:
    """The figures that are kept. Raises BenchError when there are none."""
    try:
        return msgspec.json.decode((docs / KEPT).read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError) as error:
        raise BenchError(f"there are no figures ({error}); run `make bench-peers` first") from None


def write(docs: Path, run: Run) -> Path:
    """Write the page into `docs`, and the figures beside it. Returns the path of the page."""
    (docs / KEPT).parent.mkdir(parents=True, exist_ok=True)
    (docs / KEPT).write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")
    (docs / PAGE).write_text(page(run), encoding="utf-8")
    return docs / PAGE


def summary(run: Run) -> str:
    """The mixed day, for a terminal."""
    return "\n".join(
        f"{words.TITLES[name]:26}{total(one.cost):8.0f} us of CPU a call{one.wrong:6} of {one.asked} badges wrong"
        for name, one in run.found.items()
    )


def total(cost: Cost) -> float:
    return sum(cost.values())


def page(run: Run) -> str:
    calls = ", ".join(f"{count:,} x {act}" for act, count in run.calls.items())
    parts = [
        "# Compared with doing it yourself",
        "Written by `make bench-peers`; do not edit. What takes part: `loadtest/peers/`.",
        words.INTRO,
        markdown(("", ""), [(f"**{words.TITLES[name]}**", words.WHO[name]) for name in run.found]),
        "In each of them, marking a message read answers with the reader's badge.",
        "## A day",
        markdown(_DAY_HEADER, _day(run)),
        words.ABOUT_DAY,
        "## By kind of call",
        "Server CPU of one call, in us.",
        markdown(*_columns(run, "", [(_kind_name(run, kind), _of_kind(kind)) for kind in Kind])),
        f"{words.ABOUT_SCHEMAS}{_better(run)}",
        "## Memory and disk",
        f"With {run.rooms:,} rooms, {run.states:,} pairs of a user and a room, and {run.posts:,} messages.",
        markdown(*_columns(run, "MiB", _PLACES)),
        words.ABOUT_DISK,
        "## What is counted right",
        words.ABOUT_CHECKS,
        markdown(*_checks(run)),
        "## What each leaves to do",
        words.LEFT_TO_DO,
        "## How it was measured",
        markdown(("", ""), [*run.conditions, ("calls of the day", calls)]),
        words.NOT_SHOWN,
    ]
    return "\n\n".join(parts) + "\n"


def _better(run: Run) -> str:
    """Which schema took less in this day."""
    computed, counters = run.found.get("postgres_off"), run.found.get("postgres_counters")
    if computed is None or counters is None:
        return ""
    return f"\nIn this day {'counters' if total(counters.cost) < total(computed.cost) else 'computing'} took less."


_DAY_HEADER = (
    "",
    "server CPU of a call, us",
    "of it the worker's",
    "times the scripts",
    "calls per second",
    "badges wrong",
)


def _day(run: Run) -> Iterable[tuple[str, ...]]:
    for name, one in run.found.items():
        yield (
            words.TITLES[name],
            f"**{total(one.cost):.0f}**",
            f"{one.cost[WORKER]:.0f}" if WORKER in one.cost else "",
            f"{total(one.cost) / total(run.found['scripts'].cost):.1f}" if "scripts" in run.found else "",
            f"{one.rate:,.0f}",
            f"{one.wrong} of {one.asked}",
        )


def _columns(
    run: Run, corner: str, lines: Sequence[tuple[str, Callable[[Measured], str]]]
) -> tuple[list[str], list[list[str]]]:
    """A column for each who takes part."""
    return [corner, *(words.TITLES[name] for name in run.found)], [
        [title, *(cell(one) for one in run.found.values())] for title, cell in lines
    ]


def _kind_name(run: Run, kind: Kind) -> str:
    members = run.members.get(kind.value)
    return f"{kind.value} ({members:.0f} members)" if members else kind.value


def _of_kind(kind: Kind) -> Callable[[Measured], str]:
    return lambda one: f"{total(one.by_kind[kind.value]):.0f}" if kind.value in one.by_kind else ""


_PLACES: list[tuple[str, Callable[[Measured], str]]] = [
    ("memory in the end", lambda one: f"{one.memory / MIB:.1f}"),
    ("disk in the end", lambda one: f"{one.disk / MIB:.1f}"),
]


def _checks(run: Run) -> tuple[list[str], list[list[str]]]:
    """What is wrong is in bold."""
    questions = list(next(iter(run.found.values())).checks)
    return _columns(run, "", [(question, _finding(question)) for question in questions])


def _finding(question: str) -> Callable[[Measured], str]:
    def cell(one: Measured) -> str:
        found = one.checks[question]
        return found.text if found.right else f"**{found.text}**"

    return cell

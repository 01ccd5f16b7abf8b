"""What a run writes: the table, `benchmarks.md`, the plots, and the ratios for later runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import pictures, ratios
from loadtest.bench.figures import MEASURES, Plots, RowResult

PAGE = "benchmarks.md"
PICTURES = "benchmarks"
HEADER = ("", "row", "measure", "reach", "measured", "reached")
QUIET_SHARE = 0.1  # of the cores' time; interrupts that no process is charged with are in it

METHOD = """\
Everything ran on one machine with two cores and on temporary directories: the HTTP server on core
0; Valkey and the driver on core 1 (rows f to h and k to s: Valkey on core 0, the driver on core 1).
In rows v to ah the driver also holds the sockets. Each is of a user in 50 rooms of 20, but those of
the storm in row ah.

Valkey is the embedded one with the configuration of `make run`, over a unix socket, append-only file
included. In row u it is a single server and a cluster, both over TCP. Every "mark read" is a forward
move by a distinct (user, room, message); that is checked against the number of published notices.
Each caller has a token, and it is verified. In rows a to u no client listens to the notices.

* **Closed** (rows a to d, f, j, u, v, y): 64 connections (f: 50; u: 32 and 1). Each sends its next
  call when the last was answered. This finds a capacity and says nothing about latency.
* **Open** (rows e, i, z, ab, af, ag): arrivals of a Poisson stream at a fixed rate, whatever the
  answers do. A call is timed from its fixed moment, so waiting is not hidden. In rows z to ag that
  moment is known to a millisecond.
* Two compared things run in turn (A B A B ...) within one run, after a warm-up. A ratio is the
  median over the pairs.
"""

SHOWS_NOT = """\
* No network: everything is on one machine. Times are comparable only within one run. Between
  machines compare the ratios.
* One server process of each kind. With Valkey on the core of the driver, its own limit is not
  reached in rows a to c; in row d it is near.
* In rows a to u no sockets were connected: row v has what delivering a notice costs the workers.
* The sockets of one process take time from each other, and from Valkey: what they hear late is in the
  latencies.
* Runs of seconds say nothing about days. A large population was loaded only where a row says so.
* Other processes on the machine took their share, which is given above.
"""


@dataclass(frozen=True)
class Conditions:
    """What the machine was like."""

    facts: Sequence[tuple[str, str]]
    others_share: float  # of all cores' time, to processes that are not ours
    stolen_share: float  # the same, to other guests of the host
    pinned: bool
    minutes: float
    population: str

    def lines(self) -> list[tuple[str, str]]:
        warning = "" if self.quiet else ": the machine was busy, **do not rely on the figures**"
        pinning = "each process on its core" if self.pinned else "none: this system has no second core or no way to pin"
        return [
            *self.facts,
            ("people over HTTP", self.population),
            ("pinning", pinning),
            (
                "taken by others",
                f"{self.others_share:.1%} of the cores' time by other processes, {self.stolen_share:.1%} by "
                f"other guests{warning}",
            ),
            ("took", f"{self.minutes:.0f} minutes"),
        ]

    @property
    def quiet(self) -> bool:
        return self.others_share + self.stolen_share < QUIET_SHARE


def table(outcomes: Mapping[str, RowResult]) -> str:
    """The figures for a terminal."""
    lines = [HEADER]
    lines += [
        (MEASURES[row].letter, row, MEASURES[row].what, MEASURES[row].reach, outcome.measured, _reached(outcome))
        for row, outcome in outcomes.items()
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def write(directory: Path, outcomes: Mapping[str, RowResult], plots: Plots, conditions: Conditions) -> None:
    """Write the page into `directory`, and beside it the plots and the ratios."""
    beside = directory / PICTURES
    beside.mkdir(parents=True, exist_ok=True)
    drawn = _draw(plots)
    for name, (_, picture) in drawn.items():
        (beside / name).write_text(picture, encoding="utf-8")
    (directory / PAGE).write_text(
        _page(outcomes, conditions, {name: title for name, (title, _) in drawn.items()}), encoding="utf-8"
    )
    ratios.write(beside / ratios.FILE, outcomes)


def _draw(plots: Plots) -> dict[str, tuple[str, str]]:
    """File name -> (title, SVG)."""
    drawn = {}
    if plots.throughput:
        title = "Calls of one worker over HTTP"
        drawn["throughput.svg"] = title, pictures.bars(title, plots.throughput, "per second")
    if plots.latency:
        loads = sorted(plots.latency, key=lambda found: found[0])
        series = {f"p{name}": [(rate, found[name]) for rate, found in loads] for name in ("50", "90", "99", "99.9")}
        picture = pictures.lines("Latency of PUT lastRead, open arrivals", "arrivals per second", "ms", series)
        drawn["latency.svg"] = "Latency over load", picture
    if plots.memory:
        named = [(f"{rooms} rooms a user", size) for rooms, size in plots.memory]
        drawn["memory.svg"] = (
            "Memory per read state",
            pictures.bars("Memory per read state, rooms of 20, two tags", named, "bytes"),
        )
    return drawn


def _page(outcomes: Mapping[str, RowResult], conditions: Conditions, titles: Mapping[str, str]) -> str:
    figures = [
        (
            MEASURES[row].letter,
            row,
            MEASURES[row].what,
            MEASURES[row].reach,
            f"**{outcome.measured}**",
            _reached(outcome),
        )
        for row, outcome in outcomes.items()
    ]
    parts = [
        "# Benchmarks",
        "Written by `make bench`; do not edit. How to run it: [loadtest/README.md](../loadtest/README.md#benchmark).",
        markdown(HEADER, figures),
        *(f"![{title}]({PICTURES}/{name})" for name, title in titles.items()),
        "## How it was measured",
        METHOD.rstrip(),
        markdown(("", ""), conditions.lines()),
        "## What the figures do not show",
        SHOWS_NOT.rstrip(),
        "## Row by row",
        *(_details(row, outcome) for row, outcome in outcomes.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _details(row: str, outcome: RowResult) -> str:
    parts = [f"**{MEASURES[row].letter}. {MEASURES[row].what}: {outcome.measured}**"]
    if outcome.table:
        parts.append(markdown(outcome.table[0], outcome.table[1:]))
    if outcome.notes:
        parts.append("\n".join(f"* {note}" for note in outcome.notes))
    return "\n\n".join(parts)


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of a page."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _reached(outcome: RowResult) -> str:
    return {True: "yes", False: "no", None: "-"}[outcome.reached]

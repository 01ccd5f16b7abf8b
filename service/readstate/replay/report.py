"""What a replay found, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """The service said `got` where counting says `expected`."""

    what: str
    expected: object
    got: object

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected!r}, got {self.got!r}"


@dataclass(frozen=True)
class Report:
    """The figures of one replay. Durations in seconds."""

    events: int
    skipped: int
    rooms: int
    users: int
    posts: int
    reads: int
    joins: int
    leaves: int
    feeding_s: float
    comparing_s: float
    calls: int
    repeats: int
    values: int
    differences: Sequence[Difference]


def print_report(report: Report, console: Console) -> None:
    """Print the summary table and the first differences."""
    table = Table("", "count", "per second", title="Replay", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in ("events", "posts", "reads", "joins", "leaves"):
        number = getattr(report, name)
        table.add_row(name, f"{number:,}", f"{number / max(report.feeding_s, 1e-9):,.0f}")
    table.add_row("values compared", f"{report.values:,}", f"{report.values / max(report.comparing_s, 1e-9):,.0f}")
    seconds = report.feeding_s + report.comparing_s
    table.add_row("HTTP calls", f"{report.calls:,}", f"{report.calls / max(seconds, 1e-9):,.0f}")
    table.add_section()
    for name in ("rooms", "users", "skipped", "repeats"):
        table.add_row(name, f"{getattr(report, name):,}", "")
    table.add_row(
        "duration", f"{seconds:.1f} s", f"{report.feeding_s:.1f} s feeding, {report.comparing_s:.1f} s comparing"
    )
    table.add_section()
    table.add_row("differences", f"{len(report.differences):,}", "")
    console.print(table)
    for difference in report.differences[:SHOWN]:
        console.print(escape(str(difference)), highlight=False)
    if len(report.differences) > SHOWN:
        console.print(f"... and {len(report.differences) - SHOWN:,} more")

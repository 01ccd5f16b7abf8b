"""What a replay found, and how it is printed."""

from dataclasses import dataclass, field

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


@dataclass
class Report:
    """The figures of one replay, as they come. Durations in seconds."""

    events: int = 0
    skipped: int = 0
    rooms: int = 0
    users: int = 0
    posts: int = 0
    reads: int = 0
    joins: int = 0
    leaves: int = 0
    feeding_s: float = 0.0
    comparing_s: float = 0.0
    calls: int = 0
    repeats: int = 0
    values: int = 0
    differences: list[Difference] = field(default_factory=list)


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

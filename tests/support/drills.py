"""Drills: failures under load, with the truth kept outside of the service.

Each has a short form among the other tests, and a long one for `make drills`, which prints a table.
"""

import shutil
import statistics
from collections import Counter
from dataclasses import dataclass, field

import pytest

Table = list[tuple[str, ...]]
TABLE = pytest.StashKey[Table]()

HEADINGS = ("drill", "done", "lost", "wrong", "seen going back", "longest outage", "faults")


@dataclass
class Found:
    """What a drill has done, and what went wrong in it."""

    done: Counter[str] = field(default_factory=Counter)
    allowed_to_be_lost: int = 0  # what was answered at the level `fast`, and was then lost by a failover
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # what a caller would get as 500, or a refusal
    outages_s: list[float] = field(default_factory=list)

    def count(self, what: str, more: int = 1) -> None:
        """So much more was done of this."""
        self.done[what] += more

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.wrong, *self.back, *self.errors]

    @property
    def outage(self) -> str:
        """The longest time without an answer, and the median where there were several."""
        if not self.outages_s:
            return "-"
        middle = f" (p50 {statistics.median(self.outages_s):.1f} s)" if len(self.outages_s) > 1 else ""
        return f"{max(self.outages_s):.1f} s{middle}"


class Drill:
    """What a drill is told, and where it reports."""

    def __init__(self, *, long: bool, table: Table) -> None:
        self.long = long
        self._table = table
        self._server = ""

    def server(self, name: str | None) -> str | None:
        """The path of the server to use: None stands for the bundled one.

        Skips the test in its short form, and where that server is not installed.
        """
        if name is None:
            return None
        path = shutil.which(name)
        if path is None or not self.long:
            pytest.skip(f"in the long form only, and where {name} is installed")
        self._server = f", {name}"
        return path

    def report(self, name: str, found: Found) -> None:
        """Add a row to the table. Fails when there was a fault."""
        done = ", ".join(f"{count:,} {what}" for what, count in found.done.items())
        lost = str(len(found.lost)) + (f" ({found.allowed_to_be_lost} at `fast`)" if found.allowed_to_be_lost else "")
        numbers = (len(found.wrong), len(found.back), found.outage, len(found.faults))
        self._table.append((name + self._server, done, lost, *map(str, numbers)))
        assert found.faults == []


def as_text(table: Table) -> list[str]:
    """The rows of a table in Markdown, as docs/failure-drills.md has it."""
    return [f"| {' | '.join(row)} |" for row in (HEADINGS, ("---",) * len(HEADINGS), *table)]

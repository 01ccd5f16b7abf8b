"""Drills: failures under load, with the truth kept outside of the service.

Each has a short form among the other tests, and a long one for `make drills`, which prints a table.
"""

from collections.abc import Mapping

import pytest

Table = list[tuple[str, Mapping[str, object]]]
TABLE = pytest.StashKey[Table]()


class Drill:
    """What a drill is told, and where it reports."""

    def __init__(self, *, long: bool, table: Table) -> None:
        self.long = long
        self._table = table

    def report(self, name: str, **figures: object) -> None:
        """Add a row to the table: what was done, and what was found."""
        self._table.append((name, figures))


def as_text(table: Table) -> list[str]:
    """The rows, one a line."""
    width = max((len(name) for name, _ in table), default=0)
    return [
        f"{name:{width}}  " + ", ".join(f"{what.replace('_', ' ')} {figure}" for what, figure in figures.items())
        for name, figures in table
    ]

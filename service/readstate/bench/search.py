"""The search for the highest rate at which a service keeps its bound.

Rates are doubled until one is too high, or halved until one is kept. Then the gap between the two
is halved, by ratio, until it is small.
"""

from math import sqrt

CLOSE = 1.1  # the ratio of the two rates at which the search ends
LOWEST, HIGHEST = 1.0, 100_000.0  # calls a second


class Search:
    """Says which rate to try next, and learns whether it was kept."""

    def __init__(self, first: float) -> None:
        self._first = first
        self.kept = 0.0  # the highest rate that was kept; 0: none
        self.too_high = 0.0  # the lowest that was not; 0: none

    def next_rate(self) -> float | None:
        """The rate to try next; None when there is nothing more to learn."""
        if not self.kept and not self.too_high:
            return self._first
        if not self.too_high:
            return min(self.kept * 2, HIGHEST) if self.kept < HIGHEST else None
        if not self.kept:
            return self.too_high / 2 if self.too_high / 2 >= LOWEST else None
        return sqrt(self.kept * self.too_high) if self.too_high / self.kept > CLOSE else None

    def note(self, rate: float, *, is_kept: bool) -> None:
        """Learn what became of a rate. One above a rate that was too high says nothing."""
        if is_kept:
            self.kept = max(self.kept, rate)
        else:
            self.too_high = min(self.too_high or rate, rate)

"""Percentiles of measured times."""

from collections.abc import Iterable

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Milliseconds by percentile: the smallest value that so many percent do not exceed.

    Empty when there are no values.
    """
    ordered = sorted(seconds)
    return (
        {f"{percent:g}": round(ordered[_rank(len(ordered), percent)] * 1000, 4) for percent in PERCENTILES}
        if ordered
        else {}
    )


def _rank(count: int, percent: float) -> int:
    # In thousandths, since 99.9 % of a number is not exact in binary.
    return max(0, -(-count * round(percent * 10) // 1000) - 1)

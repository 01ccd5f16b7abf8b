"""The search for a rate, and what is said of what it found."""

import re

import pytest

from readstate.bench.ledger import Balance
from readstate.bench.report import page
from readstate.bench.result import Result, Step
from readstate.bench.search import CLOSE, HIGHEST, LOWEST, Search


def searched(first: float, capacity: float) -> tuple[Search, list[float]]:
    """The search against a service that keeps every rate up to its capacity, and what it tried."""
    search, tried = Search(first), []
    while (rate := search.next_rate()) is not None:
        tried.append(rate)
        search.note(rate, is_kept=rate <= capacity)
    return search, tried


@pytest.mark.parametrize("capacity", [3.0, 99.0, 100.0, 777.0, 52_000.0])
def test_the_capacity_is_enclosed(capacity: float) -> None:
    search, tried = searched(100.0, capacity)
    assert search.kept <= capacity < search.too_high <= search.kept * CLOSE
    assert len(tried) == len(set(tried)) <= 16


def test_a_search_ends_at_the_bounds() -> None:
    assert searched(100.0, 0.0)[0].too_high < LOWEST * 2
    assert searched(100.0, HIGHEST * 9)[0].kept == HIGHEST


def a_step(offered: float, p99_ms: float, *, failed: int = 0, is_hopeless: bool = False, lag_ms: float = 0.1) -> Step:
    by_percentile = {"50": 1.0, "90": 2.0, "99": p99_ms, "99.9": p99_ms}
    statuses = {200: 10_000 - failed} | ({429: failed} if failed else {})
    return Step(offered, 10_000, 1.0, statuses, by_percentile, {"badge": by_percentile}, {"99": lag_ms}, is_hopeless)


def test_a_rate_is_kept_within_the_bound_and_with_few_failures() -> None:
    assert a_step(1, 50.0).is_kept(50.0)
    assert a_step(1, 9.0, failed=10).is_kept(50.0)
    assert not a_step(1, 9.0, failed=11).is_kept(50.0)
    assert not a_step(1, 50.1).is_kept(50.0)
    assert not a_step(1, 9.0, is_hopeless=True).is_kept(50.0)


def test_the_verdict_names_the_best_rate_and_the_next_one() -> None:
    result = Result(50.0, [], [a_step(100, 5.0), a_step(400, 300.0), a_step(200, 9.0)])
    assert result.verdict() == "At 200 calls a second p99 is within 50 ms; at 400 it does not."
    assert Result(50.0, [], [a_step(100, 51.0)]).verdict() == "No rate that was tried keeps a p99 of 50 ms."


def test_doubts_are_said() -> None:
    refused, late = a_step(100, 5.0, failed=11), a_step(50, 5.0, lag_ms=11.0)
    assert [doubt[:9] for doubt in Result(50.0, [], [refused, late]).doubts()] == ["Calls wer", "The drive"]
    assert Result(50.0, [], [a_step(50, 5.0)]).doubts() == []


def test_a_driver_that_is_late_is_said_where_no_rate_was_kept() -> None:
    """Its lateness may be why."""
    steps = [a_step(100, 900.0, lag_ms=400.0), a_step(50, 70.0, lag_ms=11.0)]
    assert ["late by 11.0 ms" in doubt for doubt in Result(50.0, [], steps).doubts()] == [True]
    assert Result(50.0, []).doubts() == []


def test_a_notice_that_is_missing_is_in_the_report() -> None:
    result = Result(50.0, [("service", "readstate <1>")], [a_step(100, 5.0)], Balance(7, 1, 0, 0, 0, 0, 0))
    shown = page(result)
    assert result.wrong_notices
    assert "NOTICES WENT WRONG. 7 arrived; missing 1, duplicate 0" in shown
    assert "readstate &lt;1&gt;" in shown
    assert "http" not in shown, "the page needs nothing else"


def test_the_picture_has_a_scale_and_nothing_outside() -> None:
    """A p99 far above the bound is drawn at the highest line, which says so."""
    (picture,) = re.findall(r"<svg.*?</svg>", page(Result(50.0, [], [a_step(100, 5.0), a_step(200, 9000.0)])))
    assert ">50 ms<" in picture
    assert ">200 ms and more<" in picture
    _, _, width, height = map(float, re.findall(r"viewBox='(.*?)'", picture)[0].split())
    for across, up in re.findall(r"c?x='([\d.]+)' c?y='([\d.]+)'", picture):
        assert 0 < float(across) < width
        assert 10 <= float(up) < height

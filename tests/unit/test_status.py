"""What two looks at /metrics say of the time between them."""

import pytest

from readstate.status.numbers import Between, Labels, Moment

CALLS, SECONDS = "calls_total", "call_seconds"


def moment(at_s: float, **samples: float) -> Moment:
    return Moment(at_s, {(CALLS, (("operation", name),)): value for name, value in samples.items()})


def histogram(at_s: float, buckets: dict[str, float], total_s: float) -> Moment:
    samples: dict[tuple[str, Labels], float] = {
        (f"{SECONDS}_bucket", (("le", bound),)): count for bound, count in buckets.items()
    }
    samples[f"{SECONDS}_count", ()] = max(buckets.values())
    samples[f"{SECONDS}_sum", ()] = total_s
    return Moment(at_s, samples)


def test_rates_are_per_second_and_the_highest_comes_first() -> None:
    between = Between(moment(10, badge=5, post=1, room=7), moment(12, badge=6, post=21, room=7))
    assert between.rates(CALLS, "operation") == {"post": 10.0, "badge": 0.5}
    assert between.rate(CALLS) == 10.5
    assert between.rate(CALLS, operation="badge") == 0.5


def test_a_counter_that_was_begun_again_counts_from_zero() -> None:
    """After a restart of the service."""
    assert Between(moment(0, badge=1000), moment(1, badge=3)).rate(CALLS) == 3


def test_what_is_new_counts_in_full() -> None:
    assert Between(moment(0), moment(1, badge=3)).rate(CALLS) == 3


def test_mean_and_quantile_are_of_the_time_between() -> None:
    earlier = histogram(0, {"0.1": 100, "1.0": 100, "+Inf": 100}, 5)
    later = histogram(1, {"0.1": 190, "1.0": 200, "+Inf": 200}, 10)
    between = Between(earlier, later)
    assert between.mean_s(SECONDS) == pytest.approx(0.05)
    assert between.quantile_s(SECONDS, 0.9) == 0.1
    assert between.quantile_s(SECONDS, 0.99) == 1.0


def test_without_calls_there_is_neither() -> None:
    between = Between(*(histogram(at, {"0.1": 5, "+Inf": 5}, 1) for at in (0, 1)))
    assert between.mean_s(SECONDS) is None
    assert between.quantile_s(SECONDS, 0.99) is None

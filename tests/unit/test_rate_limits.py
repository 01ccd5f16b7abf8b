"""Token buckets by a clock that the test sets, and concurrent calls."""

import pytest

from readstate.dialects.access import costs
from readstate.dialects.access.rate_limits import CAPACITY_S, MAX_BUCKETS, MAX_EXPENSIVE_CALLS, Buckets, RateLimits
from readstate.dialects.http.client_address import AddressCounts, network_of
from readstate.dialects.http.output_buffers import LARGE_BYTES, MAX_BYTES, OutputBuffers
from readstate.dialects.imkit import api as imkit
from readstate.dialects.imkit.reading import FAST_ROUTES
from readstate.dialects.rocketchat import api as rocketchat
from readstate.dialects.tencent import api as tencent
from readstate.errors import TooManyRequests


class Clock:
    """Seconds, as the test wants them. They begin far from 0, as a machine's do."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Buckets


def test_a_full_bucket_gives_its_capacity_at_once_and_then_its_rate(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(5, 2, clock)
    assert [buckets.take("ann") for _ in range(10)] == [0.0] * 10
    assert buckets.take("ann") == pytest.approx(0.2)
    clock.now_s += 1
    assert [buckets.take("ann") for _ in range(5)] == [0.0] * 5
    assert buckets.take("ann") > 0
    clock.now_s += 1000
    assert [buckets.take("ann") for _ in range(10)] == [0.0] * 10
    assert buckets.take("ann") > 0


def test_buckets_are_separate(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(1, 1, clock)
    assert buckets.take("ann") == 0
    assert buckets.take("ann") > 0
    assert buckets.take("ben") == 0


def test_a_refusal_takes_nothing(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(1, 10, clock)
    assert buckets.take("ann", 8) == 0
    for _ in range(100):
        assert buckets.take("ann", 5) == pytest.approx(3)
    assert buckets.take("ann", 2) == 0


def test_what_is_owed_is_waited_for(clock: Clock) -> None:
    """An expensive call makes the next one wait for as long as it cost."""
    buckets: Buckets[str] = Buckets(10, 1, clock)
    assert buckets.charge("ann", 5) == 0
    assert buckets.charge("ann", 25) == pytest.approx(2)
    assert buckets.take("ann", 1) == pytest.approx(2.1)
    clock.now_s += 2.2
    assert buckets.take("ann", 1) == 0


def test_what_is_given_back_is_there_again_and_never_more_than_the_capacity(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(1, 3, clock)
    assert buckets.take("ann", 3) == 0
    buckets.charge("ann", -1)
    assert buckets.take("ann", 1) == 0
    buckets.charge("ann", -100)
    assert len(buckets) == 0
    assert buckets.take("ann", 3) == 0
    assert buckets.take("ann", 1) > 0


def test_what_costs_more_than_a_bucket_holds_is_taken_from_a_full_one(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(1, 10, clock)
    assert buckets.take("ann", 25) == 0
    assert buckets.take("ann", 25) == pytest.approx(25)
    clock.now_s += 25
    assert buckets.take("ann", 25) == 0


def test_no_rate_is_no_limit_and_remembers_no_caller(clock: Clock) -> None:
    buckets: Buckets[str] = Buckets(0, 10, clock)
    assert {buckets.take("ann", 1000) for _ in range(1000)} == {0.0}
    assert buckets.charge("ann", 1000) == 0
    assert len(buckets) == 0


def test_only_so_many_buckets_are_remembered_and_full_ones_are_forgotten_first(clock: Clock) -> None:
    buckets: Buckets[int] = Buckets(1, 10, clock)
    buckets.charge(-1, 1000)  # owes for long, and is the oldest
    buckets.take(-2)
    clock.now_s += 5
    for number in range(MAX_BUCKETS + 1000):
        buckets.take(number)
        assert len(buckets) <= MAX_BUCKETS
    assert buckets.take(-1) > 900


# Users, apps, backends, addresses


def refused(limits: RateLimits, user: str, cost: float = 1, app: str = "a") -> int:
    """0 when the call may be made, otherwise the Retry-After."""
    try:
        limits.take(app, user, cost)
    except TooManyRequests as error:
        return error.retry_after_s
    return 0


def test_a_user_s_rate_is_that_of_the_user_alone(clock: Clock) -> None:
    limits = RateLimits(user=10, now=clock)
    assert refused(limits, "ann", 10 * CAPACITY_S) == 0
    assert refused(limits, "ann") == 1
    assert refused(limits, "ann", 55) == 6
    assert refused(limits, "ben") == 0
    assert refused(limits, "ann", app="b") == 0
    assert refused(limits, "") == 0


def test_an_app_alone_is_never_held_to_its_rate(clock: Clock) -> None:
    several = False
    limits = RateLimits(app=1, several_apps=lambda: several, now=clock)
    assert not any(refused(limits, f"u{number}") for number in range(100))
    several = True
    assert [refused(limits, f"u{number}") > 0 for number in range(12)] == [False] * 10 + [True] * 2
    assert refused(limits, "u0", app="b") == 0


def test_a_call_that_the_app_cannot_pay_costs_the_user_nothing(clock: Clock) -> None:
    limits = RateLimits(user=1, app=1, several_apps=lambda: True, now=clock)
    assert refused(limits, "ann", 10) == 0
    for _ in range(20):
        assert refused(limits, "ben", 5) == 5
    clock.now_s += 10
    assert refused(limits, "ben", 10) == 0


def test_a_backend_has_a_rate_of_its_own(clock: Clock) -> None:
    limits = RateLimits(user=1, backend=1, now=clock)
    assert refused(limits, "ann", 10) == 0
    assert refused(limits, "", 10) == 0
    assert refused(limits, "") == 1
    assert refused(limits, "", app="b") == 0


def test_at_most_four_dear_calls_of_a_user_at_once(clock: Clock) -> None:
    limits = RateLimits(now=clock)
    running = [limits.at_once("a", "ann", costs.EXPENSIVE) for _ in range(MAX_EXPENSIVE_CALLS)]
    for one in running:
        one.__enter__()
    with pytest.raises(TooManyRequests), limits.at_once("a", "ann", costs.EXPENSIVE):
        pass
    for other in (
        ("a", "ann", costs.EXPENSIVE - 1),
        ("a", "ben", costs.EXPENSIVE),
        ("b", "ann", costs.EXPENSIVE),
        ("a", "", costs.EXPENSIVE),
    ):
        with limits.at_once(*other):
            pass
    running[0].__exit__(None, None, None)
    with limits.at_once("a", "ann", costs.EXPENSIVE):
        pass
    for one in running[1:]:
        one.__exit__(None, None, None)
    assert not limits._expensive


def test_every_call_has_its_cost() -> None:
    handlers = [*imkit.HANDLERS, *rocketchat.HANDLERS, *tencent.HANDLERS]
    assert {
        handler.opt["operation"].name: handler.opt["operation"].cost
        for handler in handlers
        if handler.opt["operation"].cost < costs.READ
    } == {}


def test_no_expensive_call_takes_the_fast_path() -> None:
    """The fast path does not count concurrent calls."""
    assert all(route.operation.cost < costs.EXPENSIVE for route in FAST_ROUTES.all)


# Addresses


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("no:address", "no:address"),
        ("n" * 9000, "n" * 64),
        ("n:" * 9000, "n:" * 32),
    ],
)
def test_an_address_is_counted_as_what_one_household_has(address: str, network: str) -> None:
    assert network_of(address) == network


def test_an_address_holds_so_many_and_a_line_a_minute_says_so(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    held = AddressCounts("sockets", 2, clock)
    for _ in range(2):
        assert held.may_hold_more("192.0.2.1")
        held.hold("192.0.2.1")
    assert not any(held.may_hold_more("192.0.2.1") for _ in range(10))
    assert held.may_hold_more("192.0.2.2")
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["192.0.2.1 holds 2 sockets"]
    assert "READSTATE_TRUSTED_PROXIES" in caplog.text
    clock.now_s += 61
    assert not held.may_hold_more("192.0.2.1")
    assert len(caplog.records) == 2
    held.release("192.0.2.1")
    assert held.may_hold_more("192.0.2.1")
    held.release("192.0.2.1")
    assert not held._held


# Answers that are not taken


class Line:
    """A connection with so much left to send."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.closed = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return self.closed


def test_who_does_not_take_answers_gets_no_more_until_they_are_taken() -> None:
    buffers: OutputBuffers[str] = OutputBuffers()
    lines = [Line(MAX_BYTES // 2), Line(MAX_BYTES // 2), Line(LARGE_BYTES + 1)]
    for line in lines:
        buffers.note("ann", line)
    with pytest.raises(TooManyRequests):
        buffers.check("ann")
    buffers.check("ben")
    lines[0].left = 0
    buffers.check("ann")
    lines[1].closed = True
    lines[2].left = LARGE_BYTES
    buffers.check("ann")
    assert not buffers.transports


def test_who_took_everything_and_never_calls_again_is_forgotten() -> None:
    buffers: OutputBuffers[int] = OutputBuffers()
    for number in range(1000):
        line = Line(MAX_BYTES)
        buffers.note(number, line)
        line.closed = True
    assert len(buffers.transports) <= 2

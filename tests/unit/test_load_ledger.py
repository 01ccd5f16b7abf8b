"""The load test's ledger finds every notice that does not arrive exactly once and in order."""

import pytest

from loadtest.run import locust_command
from loadtest.target import Target, TargetError
from readstate.bench.ledger import Balance, Ledger

ONE, TWO = ("room", "ann", "0001"), ("room", "ann", "0002")
KEYS = {"LOAD_URL": "http://h:1/", "LOAD_API_KEY": "a", "LOAD_CLIENT_KEY": "c"}


def a_ledger(*listeners: str) -> Ledger:
    ledger = Ledger()
    for listener in listeners:
        ledger.listen(listener, ["room"], 0.0)
    return ledger


def balance(**counts: int) -> Balance:
    return Balance(
        **(
            dict.fromkeys(("arrived", "missing", "duplicate", "reordered", "unexpected", "superseded", "late"), 0)
            | counts
        )
    )


def test_a_notice_is_timed_at_every_listener() -> None:
    ledger = a_ledger("l1", "l2")
    assert ledger.cause(ONE, 10.0) == []
    assert ledger.arrive("l1", ONE, 10.25) == 0.25
    assert ledger.due == 1
    assert ledger.arrive("l2", ONE, 10.5) == 0.5
    assert ledger.balance() == balance(arrived=2)


def test_a_notice_may_arrive_before_its_cause_is_entered() -> None:
    """The id of a post is known from the answer only, and the notice may be faster."""
    ledger = a_ledger("l1")
    assert ledger.arrive("l1", ONE, 10.5) is None
    assert ledger.cause(ONE, 10.0) == [0.5]
    assert ledger.balance() == balance(arrived=1)


def test_what_does_not_arrive_is_missing() -> None:
    ledger = a_ledger("l1", "l2")
    ledger.cause(ONE, 10.0)
    ledger.arrive("l2", ONE, 10.1)
    assert ledger.balance() == balance(arrived=1, missing=1)
    assert ledger.balance().wrong == 1


def test_a_second_arrival_is_a_duplicate() -> None:
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.arrive("l1", ONE, 10.1)
    assert ledger.arrive("l1", ONE, 10.2) is None
    assert ledger.balance() == balance(arrived=1, duplicate=1)


def test_a_newer_notice_may_stand_for_an_older_but_not_overtake_it() -> None:
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.cause(TWO, 10.1)
    ledger.arrive("l1", TWO, 10.2)
    assert ledger.due == 0
    assert ledger.balance() == balance(arrived=1, superseded=1)
    ledger.arrive("l1", ONE, 10.3)
    assert ledger.balance() == balance(arrived=2, reordered=1)


def test_what_nobody_caused_is_unexpected() -> None:
    ledger = a_ledger("l1")
    ledger.arrive("l1", ONE, 10.0)
    assert ledger.balance() == balance(arrived=1, unexpected=1)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_failed_call_leaves_it_open(arrives: bool) -> None:
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.void(ONE)
    if arrives:
        ledger.arrive("l1", ONE, 10.1)
    assert ledger.balance() == balance(arrived=int(arrives))


def test_who_comes_later_is_owed_nothing_of_before() -> None:
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.listen("l2", ["room"], 10.05)
    ledger.arrive("l1", ONE, 10.1)
    ledger.arrive("l2", ONE, 10.1)
    assert ledger.balance() == balance(arrived=2)


def test_who_was_cut_off_is_owed_nothing_until_they_listen_again() -> None:
    """What came after all, to the new connection, was caused."""
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.unlisten("l1", ["room"])
    ledger.cause(("room", "ben", "0001"), 10.1)
    assert ledger.due == 0
    ledger.listen("l1", ["room"], 10.2)
    ledger.cause(TWO, 10.3)
    ledger.arrive("l1", ONE, 10.4)
    assert ledger.due == 1
    assert ledger.balance() == balance(arrived=1, missing=1)


def test_what_comes_late_is_no_fault_but_is_told() -> None:
    ledger = a_ledger("l1")
    ledger.cause(ONE, 10.0)
    ledger.arrive("l1", ONE, 11.5)
    ledger.arrive("l1", TWO, 12.5)
    ledger.cause(TWO, 10.0)
    assert ledger.balance() == balance(arrived=2, late=2)
    assert not ledger.balance().wrong


@pytest.mark.parametrize("hears", [True, False])
def test_who_comes_while_a_post_is_under_way_is_owed_nothing_of_it(hears: bool) -> None:
    """Its id comes with the answer. The notice may have come before they listened, or after."""
    ledger = a_ledger("l1")
    ledger.arrive("l1", ONE, 10.1)
    ledger.listen("l2", ["room"], 10.2)
    if hears:
        ledger.arrive("l2", ONE, 10.3)
    ledger.cause(ONE, 10.0)
    assert ledger.due == 0
    assert ledger.balance() == balance(arrived=1 + hears)


def test_the_target_comes_from_the_environment() -> None:
    target = Target.from_environ({**KEYS, "LOAD_ROOMS": "7", "LOAD_ARRIVALS": "0.5", "LOAD_STORM_EVERY": "20"})
    assert (target.url, target.rooms, target.arrivals, target.storm_every) == ("http://h:1", 7, 0.5, 20.0)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "set LOAD_URL, LOAD_API_KEY, LOAD_CLIENT_KEY: the address"),
        ({**KEYS, "LOAD_API_KEY": ""}, "set LOAD_API_KEY: the address"),
        ({**KEYS, "LOAD_ROOMS": "many"}, "LOAD_ROOMS must be a number, not 'many'"),
        ({**KEYS, "LOAD_ROOMS": "0"}, "LOAD_ROOMS must be above 0"),
    ],
)
def test_what_is_missing_in_the_environment_is_said(environ: dict[str, str], message: str) -> None:
    with pytest.raises(TargetError) as error:
        Target.from_environ(environ)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"LOAD_MODEL": "closed"}, "LOAD_MODEL must be one of"),
        ({"LOAD_USERS": "-1"}, "LOAD_USERS must be a whole number"),
    ],
)
def test_a_wrong_choice_of_load_is_said(wrong: dict[str, str], message: str) -> None:
    chosen = {
        "LOAD_MODEL": "mixed",
        "LOAD_USERS": "4",
        "LOAD_LISTENERS": "1",
        "LOAD_TIME": "1s",
        "LOAD_REPORT": "r.html",
    }
    with pytest.raises(TargetError, match=message):
        locust_command(chosen | wrong)

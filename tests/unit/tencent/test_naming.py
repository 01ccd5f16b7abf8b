"""Names of Tencent and of this service."""

import pytest

from readstate.dialects.tencent.naming import (
    is_account,
    is_group,
    is_message_key,
    message_key,
    message_of_seq,
    room_of_group,
    time_ms,
)
from readstate.domain.direct import direct_room


@pytest.mark.parametrize("name", ["a", " ", "~" * 32, "a b", "0", "1e15", "dramon1", "...", ".a", "a."])
def test_accounts(name: str) -> None:
    assert is_account(name)


@pytest.mark.parametrize("name", ["", "x" * 33, "a\n", "\na", "a\nb", "a\0", "\x7f", "é", "\u00a0", "日本", ".", ".."])
def test_no_accounts(name: str) -> None:
    assert not is_account(name)


@pytest.mark.parametrize(
    "name", ["@TGS#1", "x" * 95, "@TGS#_g@TOPIC#_t", "@TGS#_g@TOPIC#_" + "x" * 81, "direct:", "direct:x", "..."]
)
def test_groups(name: str) -> None:
    assert is_group(name)


@pytest.mark.parametrize("name", ["", "x" * 96, "@TOPIC#_" + "x" * 89, "g\n", "é", "direct:" + "9" * 5000, ".", ".."])
def test_no_groups(name: str) -> None:
    assert not is_group(name)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a"), ("a:b", "c"), ("x" * 32, "y" * 32), (" ", ":")])
def test_the_room_of_a_pair_is_one_room_and_no_group(one: str, other: str) -> None:
    room = direct_room(one, other)
    assert room == direct_room(other, one)
    assert not is_group(room)


def test_pairs_do_not_meet() -> None:
    pairs = [("a", "b:c"), ("a:b", "c"), ("1", "a"), ("11", "a"), ("a", ""), ("", "a:")]
    assert len({direct_room(*pair) for pair in pairs}) == len(pairs)


def test_a_topic_is_a_room_of_its_own() -> None:
    assert room_of_group("g") == "g"
    assert room_of_group("g", "g@TOPIC#_t") == "g@TOPIC#_t"


def test_messages() -> None:
    assert message_of_seq(5) == "5"
    assert message_key(1, 22, 1_700_000_000) == "1_22_1700000000"
    assert is_message_key("31906_833502_1572869830")


@pytest.mark.parametrize(
    "key", ["", "1_2", "1_2_3_4", "a_2_3", "4294967296_2_3", "1_4294967296_3", "1_2_3\n", "\u0661_2_3", "-1_2_3"]
)
def test_no_message_keys(key: str) -> None:
    assert not is_message_key(key)


def test_reading_up_to_a_second_covers_what_was_sent_in_it() -> None:
    """It holds nothing of the next one."""
    assert time_ms(5) // 1000 == 5
    assert time_ms(5) + 1 == 6000

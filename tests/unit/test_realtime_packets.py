"""What a client may say and how fast, what it is told, and the clock of all sockets."""

import asyncio
import contextlib

import pytest

from readstate.dialects.imkit.sockets.delay import Delay
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.packets import (
    EVENTS_AT_ONCE,
    EVENTS_PER_S,
    PATIENCE_S,
    Bucket,
    Outgoing,
    Packet,
    Said,
    Violation,
    packets_of,
    understand,
)
from tests.security.fuzz.frames import TEXT, heard

# What is told


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_packet_is_a_finished_websocket_frame(length: int) -> None:
    """Long-polling sends what is in it. Lengths at which the frame's own head changes."""
    packet = Packet("x" * length)
    assert heard(packet.frame) == [(TEXT, packet.text)]
    assert packet.text == b"x" * length


def test_an_event_outside_ascii_is_utf8() -> None:
    packet = Outgoing("room", '{"name":"né \U0001f600"}'.encode()).packet(Encoding.RAW)
    assert packet.text.decode() == '42["room",{"name":"né \U0001f600"}]'


# What is said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", Said("0", "/", "", None, "0")),
        ('0{"token":1}', Said("0", "/", "", {"token": 1}, '0{"token":1}')),
        ("0/admin,", Said("0", "/admin", "", None, "0/admin,")),
        ("0/admin", Said("0", "/admin", "", None, "0/admin")),
        ('0/admin?a=b,{"a":1}', Said("0", "/admin", "", {"a": 1}, '0/admin?a=b,{"a":1}')),
        ("1", Said("1", "/", "", None, "1")),
        ('2["conf",{}]', Said("2", "/", "", ["conf", {}], '2["conf",{}]')),
        ('2/,07["conf"]', Said("2", "/", "07", ["conf"], '2/,07["conf"]')),
        ("3" + "9" * 100 + "[1]", Said("3", "/", "9" * 100, [1], "3" + "9" * 100 + "[1]")),
    ],
)
def test_a_socket_io_packet_is_understood(text: str, said: Said) -> None:
    assert understand(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        '51-["x",{"_placeholder":true,"num":0}]',
        "61-",
        "4",
        "[",
        "0[1]",
        "0x",
        "1{}",
        "2",
        "2{}",
        "2[]",
        "2[7]",
        '22-["x"]',
        '2abc["x"]',
        '2\u0664["x"]',
        "3",
        "31{}",
        "3" + "9" * 101 + "[]",
        "2" + "[" * 60_000,
        '2["conf",',
    ],
)
def test_what_no_client_sends_is_a_violation(text: str) -> None:
    """Binary packets, packets that only servers send, what a type does not hold, and what is no packet at all."""
    with pytest.raises(Violation):
        understand(text)


def test_the_packets_of_a_post_are_read_one_by_one() -> None:
    assert list(packets_of('40\x1e42["né"]\x1e'.encode())) == ["40", '42["né"]', ""]
    assert list(packets_of(b"")) == [""]
    with pytest.raises(Violation):
        list(packets_of(b"40\x1e\xff"))


def test_a_client_may_say_so_much_at_once_and_waits_for_the_rest() -> None:
    now_s = 5.0
    bucket = Bucket(lambda: now_s)
    assert {bucket.take() for _ in range(EVENTS_AT_ONCE)} == {0.0}
    assert bucket.take() == pytest.approx(1 / EVENTS_PER_S)
    now_s += 1 / EVENTS_PER_S
    assert bucket.take() == pytest.approx(1 / EVENTS_PER_S)
    now_s = 1000.0
    assert sum(bucket.take() == 0 for _ in range(2 * EVENTS_AT_ONCE)) == EVENTS_AT_ONCE


def test_a_client_that_never_stops_is_sent_away() -> None:
    now_s, packets = 5.0, 0
    bucket = Bucket(lambda: now_s)
    with contextlib.suppress(Violation):
        while packets < 10_000:
            now_s += bucket.take()
            packets += 1
    assert packets == pytest.approx(EVENTS_AT_ONCE + PATIENCE_S * EVENTS_PER_S, abs=EVENTS_PER_S)


def test_a_client_that_pauses_now_and_then_stays() -> None:
    now_s = 5.0
    bucket = Bucket(lambda: now_s)
    for packets in range(10_000):
        now_s += bucket.take() + (10.0 if packets % 1_000 == 0 else 0.0)


# The clock of all sockets


async def test_what_was_put_in_is_due_once_in_its_order_and_not_when_it_was_dropped() -> None:
    due: list[str] = []
    delay = Delay(0.1, due.append)
    for key in ("a", "b", "c", "a"):
        delay.put(key)
    delay.drop("b")
    await asyncio.sleep(0.02)
    delay.put("d")
    assert due == []
    await asyncio.sleep(0.3)
    assert (due, len(delay)) == (["a", "c", "d"], 0)
    delay.put("a")
    await asyncio.sleep(0.3)
    assert due == ["a", "c", "d", "a"]


async def test_many_that_wait_have_one_timer() -> None:
    delay = Delay(60.0, print)
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)  # type: ignore[attr-defined]
    for key in range(1_000):
        delay.put(key)
    assert len(loop._scheduled) <= before + 1  # type: ignore[attr-defined]
    delay.stop()
    assert len(delay) == 0


async def test_one_that_is_due_may_drop_another_that_is() -> None:
    due: list[str] = []

    def act(key: str) -> None:
        due.append(key)
        delay.drop("b")
        delay.put("a") if len(due) == 1 else None

    delay = Delay(0.05, act)
    delay.put("a")
    delay.put("b")
    await asyncio.sleep(0.4)
    assert due == ["a", "a"]

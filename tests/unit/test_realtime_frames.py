"""What a client may put on the wire."""

import pytest

from service.wire.realtime.frames import EVENTS_AT_ONCE, EVENTS_PER_S, Bucket, objection, objection_to_post


@pytest.mark.parametrize(
    "packet", ["40", '40{"token":1}', "41", '42["auth2","t"]', '420["conf",{}]', "430[1]", "1", "2probe", "3", "5", "40/admin,"]
)
def test_what_clients_send_passes(packet: str) -> None:
    assert objection(packet) == ""


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "4",
        "0{}",
        "2",
        "6",
        "7",
        "x",
        "b",
        "bAAAA",
        '451-["x",{"_placeholder":true,"num":0}]',
        "461-",
        "44",
        "4[",
        "4{",
        "3x",
        "\u0664\u0662[]",
    ],
)
def test_everything_else_does_not(packet: str) -> None:
    """Binary packets, packets that only servers send, and what is no packet at all."""
    assert objection(packet)


def test_a_post_is_as_good_as_its_worst_packet() -> None:
    assert objection_to_post(b'40\x1e42["auth2","t"]') == ""
    assert objection_to_post(b"40\x1e0")
    assert objection_to_post(b"\xff")
    assert objection_to_post("\x1e".join(["3"] * 17).encode())


def test_a_client_may_say_so_much_at_once_and_so_much_in_the_long_run() -> None:
    now_s = 0.0
    bucket = Bucket(lambda: now_s)
    assert sum(bucket.take() for _ in range(EVENTS_AT_ONCE + 50)) == EVENTS_AT_ONCE
    now_s = 1.0
    assert sum(bucket.take() for _ in range(EVENTS_AT_ONCE)) == EVENTS_PER_S
    now_s = 1000.0
    assert not bucket.take(EVENTS_AT_ONCE + 1)
    assert bucket.take(EVENTS_AT_ONCE)

"""Packets to clients, packets of clients, and the rate at which they are processed."""

import contextlib

import pytest

from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.packets import (
    JOINED_AT_MOST,
    MAX_OVERLOAD_S,
    PACKET_BURST,
    PACKETS_PER_S,
    ClientPacket,
    EventBatch,
    Packet,
    PacketRate,
    ProtocolError,
    ServerEvent,
    decode_packet,
    split_packets,
)
from tests.security.fuzz.frames import TEXT, heard

# Packets to clients


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_packet_is_a_finished_websocket_frame(length: int) -> None:
    """Long-polling sends what is in it. The head of a frame changes at these lengths."""
    packet = Packet("x" * length)
    assert heard(packet.frame) == [(TEXT, packet.text)]
    assert packet.text == b"x" * length


def test_an_event_outside_ascii_is_utf8() -> None:
    packet = ServerEvent("room", '{"name":"né \U0001f600"}'.encode()).packet(Encoding.RAW)
    assert packet.text.decode() == '42["room",{"name":"né \U0001f600"}]'


# Packets of clients


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", ClientPacket("0", "/", "", None, "0")),
        ('0{"token":1}', ClientPacket("0", "/", "", {"token": 1}, '0{"token":1}')),
        ("0/admin,", ClientPacket("0", "/admin", "", None, "0/admin,")),
        ("0/admin", ClientPacket("0", "/admin", "", None, "0/admin")),
        ('0/admin?a=b,{"a":1}', ClientPacket("0", "/admin", "", {"a": 1}, '0/admin?a=b,{"a":1}')),
        ("1", ClientPacket("1", "/", "", None, "1")),
        ('2["conf",{}]', ClientPacket("2", "/", "", ["conf", {}], '2["conf",{}]')),
        ('2/,07["conf"]', ClientPacket("2", "/", "07", ["conf"], '2/,07["conf"]')),
        ("3" + "9" * 100 + "[1]", ClientPacket("3", "/", "9" * 100, [1], "3" + "9" * 100 + "[1]")),
    ],
)
def test_a_socket_io_packet_is_decoded(text: str, packet: ClientPacket) -> None:
    assert decode_packet(text) == packet


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
def test_what_no_client_sends_is_a_protocol_error(text: str) -> None:
    """Binary packets, packets of servers, wrong data for the type, and text that is no packet."""
    with pytest.raises(ProtocolError):
        decode_packet(text)


def test_the_packets_of_a_post_are_split() -> None:
    assert list(split_packets('40\x1e42["né"]\x1e'.encode())) == ["40", '42["né"]', ""]
    assert list(split_packets(b"")) == [""]
    with pytest.raises(ProtocolError):
        list(split_packets(b"40\x1e\xff"))


def test_packets_beyond_the_burst_have_to_wait() -> None:
    now_s = 5.0
    rate = PacketRate(lambda: now_s)
    assert {rate.reserve() for _ in range(PACKET_BURST)} == {0.0}
    assert rate.reserve() == pytest.approx(1 / PACKETS_PER_S)
    now_s += 1 / PACKETS_PER_S
    assert rate.reserve() == pytest.approx(1 / PACKETS_PER_S)
    now_s = 1000.0
    assert sum(rate.reserve() == 0 for _ in range(2 * PACKET_BURST)) == PACKET_BURST


def test_a_client_that_never_stops_is_disconnected() -> None:
    now_s, packets = 5.0, 0
    rate = PacketRate(lambda: now_s)
    with contextlib.suppress(ProtocolError):
        while packets < 10_000:
            now_s += rate.reserve()
            packets += 1
    assert packets == pytest.approx(PACKET_BURST + MAX_OVERLOAD_S * PACKETS_PER_S, abs=PACKETS_PER_S)


def test_a_client_that_pauses_sometimes_stays_connected() -> None:
    now_s = 5.0
    rate = PacketRate(lambda: now_s)
    for packets in range(10_000):
        now_s += rate.reserve() + (10.0 if packets % 1_000 == 0 else 0.0)


def test_events_that_go_together_are_one_packet_on_either_transport() -> None:
    """A websocket gets their frames, a poll their texts; of many there are several."""
    events = [ServerEvent("lastRead", b'{"messageID":"m%d"}' % number) for number in range(JOINED_AT_MOST + 1)]
    first, second = EventBatch(events).joined(Encoding.RAW)
    singles = [event.packet(Encoding.RAW) for event in events]
    assert first.frame == b"".join(packet.frame for packet in singles[:-1])
    assert first.text == b"\x1e".join(packet.text for packet in singles[:-1])
    assert (second.frame, second.text) == (singles[-1].frame, singles[-1].text)

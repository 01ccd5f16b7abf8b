"""What a client sends is read as the library `websockets` reads it, in whatever pieces it comes."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from readstate.process import websocket_protocol
from readstate.process.transport import GatheringTransport
from readstate.process.websocket_frames import Violation, close_frame, read_frame, unmasked
from readstate.process.websocket_protocol import MAX_FRAGMENTS, WebSocketProtocol

MAX_BYTES = 1000


class Line(asyncio.Transport):
    """Remembers what the server did."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.is_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        assert self.is_read
        self.is_read = False

    def resume_reading(self) -> None:
        assert not self.is_read
        self.is_read = True


class Listener:
    """`MessageHandler`: takes as long as the test says for every message."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self.chance = chance
        self.messages: list[str | None] = []
        self.protocol: WebSocketProtocol
        self.ended = 0

    def on_message(self, text: str | None) -> bool:
        assert not self.ended
        self.messages.append(text)
        takes_time = self.chance is not None and self.chance.random() < 0.5
        if takes_time:
            asyncio.get_running_loop().call_soon(self.protocol.go_on)
        return takes_time

    def on_writable(self) -> None: ...
    def on_unwritable(self) -> None: ...

    def on_closed(self) -> None:
        self.ended += 1


class Config:
    ws_max_size = MAX_BYTES


class State:
    def __init__(self) -> None:
        self.connections: set[Any] = set()


def attached(listener: Listener) -> tuple[WebSocketProtocol, Line]:
    loop, line = asyncio.get_running_loop(), Line()
    config: Any = Config()
    state: Any = State()
    protocol = WebSocketProtocol(config, state, {}, loop, GatheringTransport(line, loop))
    listener.protocol = protocol
    protocol.attach(listener)
    return protocol, line


async def read_by_us(pieces: list[bytes], chance: random.Random | None) -> tuple[list[str | None], int | None, bytes]:
    """The messages in `pieces`, the code of the close frame that answers, and the pongs."""
    listener = Listener(chance)
    protocol, line = attached(listener)
    for piece in pieces:
        async with asyncio.timeout(5):
            while not (line.is_read or line.closing):  # noqa: ASYNC110 - as the event loop would
                await asyncio.sleep(0)
        if line.closing:
            break
        protocol.data_received(piece)
        if chance is not None and chance.random() < 0.5:
            await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0)
    return listener.messages, *told(line.written)


def told(sent: bytes) -> tuple[int | None, bytes]:
    """The code of the close frame among those that a server has sent, and the pongs before it."""
    at = 0
    while at < len(sent):
        end = at + 2 + sent[at + 1]
        if sent[at] == 0x88:
            body = sent[at + 2 : end]
            return int.from_bytes(body[:2], "big") if body else 1005, sent[:at]
        at = end
    return None, sent


def read_by_library(stream: bytes) -> tuple[list[str | None], int | None, bytes]:
    """The same by `websockets`, with the check of texts that it leaves to others."""
    protocol = ServerProtocol(state=OPEN, max_size=MAX_BYTES)
    messages: list[str | None] = []
    parts: list[bytes] = []
    is_text = False
    sent = b""
    for at in range(len(stream)):
        protocol.receive_data(stream[at : at + 1])
        sent += b"".join(protocol.data_to_send())
        # It takes no close in the middle of a message. Control frames may be there (RFC 6455, 5.4).
        assume("incomplete fragmented message" not in str(protocol.parser_exc))
        for frame in protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                if frame.opcode != Opcode.CONT:
                    parts, is_text = [], frame.opcode == Opcode.TEXT
                parts.append(bytes(frame.data))
                if frame.fin:
                    try:
                        messages.append(b"".join(parts).decode() if is_text else None)
                    except UnicodeDecodeError:
                        return messages, 1007, told(sent)[1]
        if protocol.close_sent is not None:
            break
    return messages, *told(sent)


frames = st.builds(
    Frame,
    opcode=st.sampled_from(list(Opcode)),
    data=st.one_of(
        st.text(max_size=8).map(str.encode),
        st.binary(max_size=8),
        st.integers(0, 1200).map(lambda size: b"a" * size),
        st.sampled_from([1000, 1001, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000]).map(
            lambda code: code.to_bytes(2, "big") + b"bye"
        ),
    ),
    fin=st.booleans(),
    rsv1=st.just(False),
)


def serialized(frame: Frame) -> bytes:
    try:
        return frame.serialize(mask=True)
    except WebSocketException:
        # One that the library does not send, such as a control frame that is too long.
        content = bytes(frame.data)
        length = len(content)
        size = bytes((0x80 | length,)) if length < 126 else bytes((0x80 | 126,)) + length.to_bytes(2, "big")
        head = bytes(((0x80 if frame.fin else 0) | frame.opcode,))
        return head + size + bytes(4) + content


@given(
    sent=st.lists(frames, max_size=8), slips=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=1)
)
async def test_it_reads_what_the_library_reads(sent: list[Frame], slips: list[tuple[int, int]]) -> None:
    """Messages, pongs and close codes of frames in any order, some with a wrong byte."""
    stream = bytearray(b"".join(map(serialized, sent)))
    for place, value in slips:
        if place < len(stream):
            stream[place] = value
    ours, theirs = await read_by_us([bytes(stream)], None), read_by_library(bytes(stream))
    if slips and ours[1] in (1002, 1009):
        # The library waits for the rest of a frame before it says what is wrong with the beginning,
        # and takes lengths that are written in more bytes than they need.
        assert theirs[0][: len(ours[0])] == ours[0]
    else:
        # A control frame can be too long for one, and longer than the rest of its message may be.
        assert ours == theirs or (ours[0], {ours[1], theirs[1]}, ours[2]) == (theirs[0], {1002, 1009}, theirs[2])


@given(sent=st.lists(frames, max_size=8), seed=st.integers(0, 2**32))
async def test_pieces_and_a_slow_handler_change_nothing(sent: list[Frame], seed: int) -> None:
    """The same messages in the same order, wherever the stream is cut."""
    chance = random.Random(seed)
    stream = b"".join(map(serialized, sent))
    pieces, at = [], 0
    while at < len(stream):
        size = chance.choice((1, 2, 3, 7, 50, 400, len(stream)))
        pieces.append(stream[at : at + size])
        at += size
    assert await read_by_us(pieces, chance) == await read_by_us([stream], None)


@given(payload=st.binary(max_size=300), mask=st.binary(min_size=4, max_size=4))
def test_a_mask_is_taken_off_as_it_was_put_on(payload: bytes, mask: bytes) -> None:
    assert unmasked(payload, mask) == bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    assert unmasked(unmasked(payload, mask), mask) == payload


@pytest.mark.parametrize("reason", ["", "short", "x" * 300, "\u00e4" * 100])
def test_a_reason_is_cut_between_two_characters(reason: str) -> None:
    frame = close_frame(1008, reason)
    assert frame[0] == 0x88
    assert len(frame) == 2 + frame[1] <= 127
    assert reason.startswith(frame[4:].decode())


def test_a_length_is_refused_before_the_frame_is_there() -> None:
    """A client cannot make the server keep more than it takes."""
    with pytest.raises(Violation) as caught:
        read_frame(b"\x81\xff" + (2**40).to_bytes(8, "big"), 0, MAX_BYTES)
    assert caught.value.code == 1009


async def test_more_parts_than_a_message_may_have_end_the_connection() -> None:
    """Empty parts add nothing to its size."""
    begin, empty = b"\x01\x80" + bytes(4), b"\x00\x80" + bytes(4)
    messages, code, _ = await read_by_us([begin + empty * (MAX_FRAGMENTS - 1)], None)
    assert (messages, code) == ([], None)
    messages, code, _ = await read_by_us([begin + empty * MAX_FRAGMENTS], None)
    assert (messages, code) == ([], 1009)


async def test_a_flood_of_frames_leaves_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "FRAMES_AT_ONCE", 10)
    listener = Listener()
    protocol, line = attached(listener)
    protocol.go_on()
    protocol.data_received((b"\x81\x81" + bytes(4) + b"3") * 25)
    counts = [len(listener.messages)]
    while counts[-1] < 25:
        await asyncio.sleep(0)
        counts.append(len(listener.messages))
    assert counts[0] == 10
    assert line.is_read


async def test_what_came_before_the_end_is_handled_before_it() -> None:
    """A client that sends and leaves is heard."""
    listener = Listener(random.Random(1))
    protocol, line = attached(listener)
    protocol.go_on()
    protocol.data_received(b"".join(Frame(Opcode.TEXT, b"%d" % number).serialize(mask=True) for number in range(20)))
    line.close()
    protocol.connection_lost(None)
    for _ in range(100):
        await asyncio.sleep(0)
    assert listener.messages == [str(number) for number in range(20)]
    assert listener.ended == 1


async def test_what_comes_after_a_close_of_ours_is_not_handled() -> None:
    """But the client's close frame ends the connection."""
    listener = Listener()
    protocol, line = attached(listener)
    protocol.go_on()
    protocol.start_close(1000, "enough")
    protocol.data_received(Frame(Opcode.TEXT, b"late").serialize(mask=True))
    await asyncio.sleep(0)
    assert (listener.messages, listener.ended, line.closing) == ([], 1, False)
    protocol.data_received(Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True))
    assert line.closing
    await asyncio.sleep(0)
    assert (line.written.count(b"\x88"), listener.ended) == (1, 1)


async def test_a_close_of_ours_in_the_middle_of_a_frame_loses_not_its_place() -> None:
    """What follows of the frame is not taken for another one."""
    listener = Listener()
    protocol, line = attached(listener)
    protocol.go_on()
    late = Frame(Opcode.TEXT, b"\x88" * 50).serialize(mask=True)
    protocol.data_received(late[:20])
    protocol.start_close(1000, "enough")
    protocol.data_received(late[20:])
    await asyncio.sleep(0)
    assert not line.is_closing()
    protocol.data_received(Frame(Opcode.CLOSE, b"").serialize(mask=True))
    await asyncio.sleep(0)
    assert line.written.count(b"\x88") == 1
    assert line.is_closing()


async def test_a_close_in_the_middle_of_a_message_is_one() -> None:
    begin = Frame(Opcode.TEXT, b"a", fin=False).serialize(mask=True)
    closing = Frame(Opcode.CLOSE, (3000).to_bytes(2, "big")).serialize(mask=True)
    assert await read_by_us([begin + closing], None) == ([], 3000, b"")

"""The sockets of load tests count and time what really comes, in pieces of any size."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.machine import BenchError
from loadtest.bench.population import Population, PopulationSize
from loadtest.bench.processes import HttpServer
from loadtest.bench.timing import NoticeTiming
from loadtest.frames import CLOSE, TEXT, FrameReader, close_frame, text_frame

SIZES = (0, 125, 126, 65_535, 65_536)


def from_server(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def read(room: str, member: str, message: str) -> bytes:
    return from_server(f'42["lastRead",{{"roomID":"{room}","memberID":"{member}","messageID":"{message}"}}]')


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_what_a_server_reads(size: int) -> None:
    """websockets takes it, as the service does."""
    stream = StreamReader()
    stream.feed_data(text_frame("x" * size) + close_frame(1000))
    parsing = [Frame.parse(stream.read_exact, mask=True, max_size=None) for _ in range(2)]
    frames = []
    for one in parsing:
        with pytest.raises(StopIteration) as done:
            next(one)
        frames.append(done.value.value)
    assert [(frame.opcode, bytes(frame.data)) for frame in frames] == [
        (Opcode.TEXT, b"x" * size),
        (Opcode.CLOSE, (1000).to_bytes(2, "big")),
    ]


@pytest.mark.parametrize("piece", [1, 3, 1_000, 1_000_000])
def test_frames_are_found_in_pieces_of_any_size(piece: int) -> None:
    texts = ["x" * size for size in SIZES[:3]]
    data = b"".join(map(from_server, texts)) + Frame(Opcode.CLOSE, b"").serialize(mask=False)
    reader = FrameReader()
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    found = list(itertools.chain.from_iterable(reader.feed(one) for one in pieces))
    assert found == [*((TEXT, text.encode()) for text in texts), (CLOSE, b"")]


ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + from_server('0{"sid":"a"}')


class Speaker(asyncio.Protocol):
    """A server: lets a socket in, then says `data` in pieces, and keeps what it is told."""

    def __init__(self, data: bytes, piece: int, answer: bytes = ACCEPTED) -> None:
        self._data, self._piece, self._answer = data, piece, answer
        self.told = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.told += data
        if data.startswith(b"GET "):
            self.transport.write(self._answer)
        elif b"40" in data:
            self._speak(from_server('40{"sid":"b"}') + self._data)

    def _speak(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data[: self._piece])
        if data and not self.transport.is_closing():
            asyncio.get_running_loop().call_soon(self._speak, data[self._piece :])


@asynccontextmanager
async def serving(speaker: Speaker) -> AsyncIterator[HttpServer]:
    server = await asyncio.get_running_loop().create_server(lambda: speaker, "127.0.0.1", 0)
    try:
        yield HttpServer("127.0.0.1", server.sockets[0].getsockname()[1], 0)
    finally:
        server.close()
        if speaker.transport:
            speaker.transport.abort()
        await asyncio.sleep(0.01)


async def hearing(data: bytes, piece: int, timing: NoticeTiming | None = None) -> tuple[int, bytes]:
    """How many notices a socket counts, and what it has sent."""
    speaker = Speaker(data, piece)
    async with serving(speaker) as server:
        ours = Crowd(server)
        if timing:
            ours.on_notice = timing.on_notice
        await ours.connect("a token")
        heard = await ours.settled(data.count(b"lastRead"))
        await ours.leave()
    return heard, speaker.told


@pytest.mark.parametrize("piece", [7, 1_000])
async def test_a_socket_counts_each_notice_once_and_answers_each_ping(piece: int) -> None:
    data = (read("r", "ann", "m1") + from_server("2") + read("r", "ben", "m2")) * 5
    heard, said = await hearing(data, piece)
    assert heard == 10
    assert said.count(text_frame("3")) == 5
    assert text_frame('40{"token": "a token"}') in said


@pytest.mark.parametrize("piece", [7, 1_000])
async def test_notices_are_timed_from_when_their_reads_were_due(piece: int) -> None:
    """Those of other rounds, which nothing has caused, are counted but not timed."""
    people = Population(PopulationSize("timed", users=20, rooms_each=1))
    timing = NoticeTiming(people)
    for position in range(20):
        timing.on_call(position, 0.0)
    (user, room), due = people.pairs()[3], "67a1b2c30000000000000001"
    heard, _ = await hearing(read(room, user, due) + read(room, user, due[:-1] + "2") + from_server("2"), piece, timing)
    assert heard == 2
    assert len(timing.latencies_s) == 1
    assert timing.latencies_s[0] > 0


async def test_a_socket_that_is_refused_says_so() -> None:
    """So no row measures fewer sockets than it says."""
    async with serving(Speaker(b"", 1, b"HTTP/1.1 503 Service Unavailable\r\n\r\n")) as server:
        with pytest.raises(BenchError, match="503"):
            async with crowd(server, ["token"]):
                pass

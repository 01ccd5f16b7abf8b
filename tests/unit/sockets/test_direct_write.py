"""What a connection sends is one row of frames, whichever way each of them takes."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from readstate.dialects.http.client_address import AddressCounts
from readstate.dialects.http.frame_writer import MessageHandler
from readstate.dialects.imkit.sockets import connections as connections_module
from readstate.dialects.imkit.sockets.connection import STOPPING, Connection
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.packets import Packet, ServerEvent
from readstate.dialects.imkit.sockets.websocket import WebSocketTransport


class Line:
    """A `FrameWriter` that the test closes and pauses. It refuses what may not be written."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_paused = self.is_closed = self.is_gone = False
        self.handler: MessageHandler

    def attach(self, handler: MessageHandler) -> None:
        self.handler = handler

    def go_on(self) -> None:
        """Nothing comes from the client."""

    def is_writable(self) -> bool:
        return not (self.is_paused or self.is_closed)

    def write_frames(self, frames: bytes) -> None:
        assert self.is_writable()
        if self.is_gone:
            raise RuntimeError("the handler is closed")
        self.frames.append(frames)

    def direct_writer(self) -> Callable[[bytes], object] | None:
        return self.write_frames if self.is_writable() else None

    def start_close(self, code: int, reason: str) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self.handler.on_unwritable()

    def resume(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self.handler.on_writable()


def opened() -> tuple[Connections, Connection, Line]:
    handler: Any = Handler()
    connections = Connections(handler, AddressCounts("sockets", 9), ping_interval_s=60, ping_timeout_s=60)
    return connections, *add(connections)


def add(connections: Connections) -> tuple[Connection, Line]:
    line = Line()
    transport = WebSocketTransport(connections, line)
    connection = connections.open(transport, [], worker=0, client_key="key", address="::1")
    transport.attach(connection)
    return connection, line


class Handler:
    def on_closing(self, connection: Connection) -> None: ...


def frame(number: int) -> bytes:
    return Packet(f'42["n",{number}]').frame


@pytest.mark.parametrize("seed", range(100))
async def test_the_order_is_that_of_sending(seed: int) -> None:
    """With pauses, and packets for one client between those for all."""
    chance = random.Random(seed)
    connections, connection, line = opened()
    await asyncio.sleep(0)
    line.frames.clear()  # the handshake
    sent = []
    for number in range(60):
        step = chance.randrange(8)
        if step == 0:
            line.pause()
        elif step == 1:
            line.resume()
        elif step == 2:
            await asyncio.sleep(0)
        elif step == 3:
            connection.send_text(f'42["n",{number}]')
            sent.append(frame(number))
        else:
            connection.send_event(ServerEvent("n", str(number).encode()))
            sent.append(frame(number))
    line.resume()
    if ends := chance.random() < 0.5:
        connection.close(STOPPING)
    connection.send_event(ServerEvent("n", b"99"))
    await asyncio.sleep(0.01)
    assert b"".join(line.frames) == b"".join(sent) + (b"" if ends else frame(99))
    assert line.is_closed == ends
    connections.stop()


async def test_the_packets_of_a_turn_are_one_write() -> None:
    connections, connection, line = opened()
    await asyncio.sleep(0)
    line.frames.clear()
    for count in (1, 5, 1):
        for number in range(count):
            connection.send_event(ServerEvent("n", str(number).encode()))
        await asyncio.sleep(0)
    assert line.frames == [frame(0), b"".join(map(frame, range(5))), frame(0)]
    connections.stop()


async def test_other_work_gets_its_turn_between_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """FLUSH_S is measured each CLOCK_EVERY connections."""
    monkeypatch.setattr(connections_module, "FLUSH_S", 0.0)
    monkeypatch.setattr(connections_module, "CLOCK_EVERY", 2)
    connections, first, line = opened()
    others = [add(connections) for _ in range(5)]
    all_of_them = [(first, line), *others]
    await asyncio.sleep(0.01)
    for connection, _ in all_of_them:
        connection.send_event(ServerEvent("n", b"1"))
    for written in (0, 2, 4, 6):
        assert sum(line.frames[-1] == frame(1) for _, line in all_of_them) == written
        await asyncio.sleep(0)
    connections.stop()


async def test_a_client_that_went_away_in_this_turn_is_not_written_to_again() -> None:
    """That is no error for the others."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    connections, connection, line = opened()
    other, other_line = add(connections)
    await asyncio.sleep(0)
    line.frames.clear()
    line.is_gone = True
    for number in range(2):
        connection.send_event(ServerEvent("n", str(number).encode()))
        other.send_event(ServerEvent("n", str(number).encode()))
        await asyncio.sleep(0)
        line.is_closed = True
    assert (line.frames, other_line.frames[1:], errors) == ([], [frame(0), frame(1)], [])
    connections.stop()

"""Websocket clients that break the protocol: they are disconnected, and the service goes on."""

import asyncio
import contextlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.support.devices import Backend, device, faults
from tests.support.processes import ServiceProcess

ENGINE = "/socket.io/?EIO=4&transport=websocket"


@asynccontextmanager
async def raw(url: str, *, connected: bool = True, **options: Any) -> AsyncIterator[ClientConnection]:
    """A websocket without a Socket.IO client. `connected`: after the Socket.IO CONNECT."""
    async with websockets.connect(
        url.replace("http", "ws", 1) + ENGINE, max_size=None, compression=None, **options
    ) as connection:
        assert str(await connection.recv()).startswith("0{")
        if connected:
            await connection.send("40")
            assert str(await connection.recv()).startswith("40{")
        yield connection


async def closed_with(connection: ClientConnection) -> int:
    """The code with which the service closes."""
    with contextlib.suppress(websockets.ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    assert connection.close_code is not None
    return connection.close_code


async def still_serves(backend: Backend) -> None:
    """Another client is served."""
    ann = f"ann-{secrets.token_hex(4)}"
    async with device(backend, ann) as phone:
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann)
        message = await backend.post(room, ann)
        assert (await phone.wait_for("chat message", 1, room))[0]["_id"] == message


@pytest.fixture(autouse=True)
def nothing_unexpected(live: ServiceProcess) -> Any:
    """No mistake of a client is logged as a failure of the service."""
    before = len(faults(live))
    yield
    assert faults(live)[before:] == []


FRAMES: dict[str, str | bytes] = {
    "a binary frame": b"\x04binary",
    "binary as base64": "bAAAA",
    "a binary event": '451-["auth2",{"_placeholder":true,"num":0}]',
    "ten thousand million attachments": '459999999999-["x"]',
    "attachments of a text event": '422-["x"]',
    "a binary ack": '461-0[{"_placeholder":true,"num":0}]',
    "an empty frame": "",
    "no packet": "hello",
    "a digit of another script": "\u0664\u0662",
    "bad JSON": '42["auth2",',
    "100,000 brackets, as far as they fit": "42" + "[" * 60_000,
    "brackets in the engine's own packet": "4" + "[" * 60_000,
    "brackets in a pong": "3" + "[" * 60_000,
    "an event that is no list": '42{"a":1}',
    "an event without a name": "42[]",
    "an event with a number for a name": "42[7]",
    "an event without data": "42",
    "a number beyond every bound": '42["conf",' + "9" * 5_000 + "]",
    "a huge ack id": "42" + "9" * 200 + '["conf",{}]',
    "an error that only servers send": '44{"message":"x"}',
    "an open that only servers send": '0{"sid":"x"}',
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_a_frame_against_the_protocol_ends_the_connection(backend: Backend, frame: str | bytes) -> None:
    async with raw(backend.url) as connection:
        await connection.send(frame)
        assert await closed_with(connection) in (1008, 1009)
    await still_serves(backend)


@pytest.mark.parametrize("length", [65_537, 200_000, 10_000_000])
async def test_a_frame_that_is_too_long_ends_the_connection(backend: Backend, length: int) -> None:
    async with raw(backend.url) as connection:
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.send('42["x","' + "a" * length + '"]')
        assert await closed_with(connection) == 1009
    await still_serves(backend)


IGNORED = {
    "an event before CONNECT": ('42["auth2","x"]', False),
    "an ack that was not asked for": ("431[1]", True),
    "a second CONNECT": ("40", True),
    "a CONNECT elsewhere": ("40/admin,", True),
    "an event elsewhere": ('42/admin,["auth2","x"]', True),
    "a reserved event": ('42["connect",1,2,3]', True),
    "another reserved event": ('42["disconnect"]', True),
    "an unknown event": ('420["typing",{"room":"r"}]', True),
    "a very long ack id": ("42" + "9" * 90 + '["typing"]', True),
    "a pong without a ping": ("3", True),
}


@pytest.mark.parametrize(("frame", "connected"), IGNORED.values(), ids=IGNORED)
async def test_meaningless_packets_are_ignored(backend: Backend, frame: str, connected: bool) -> None:
    """The connection goes on."""
    async with raw(backend.url, connected=connected) as connection:
        await connection.send(frame)
        if not connected:
            await connection.send("40")
        token = await backend.token("ann")
        await connection.send('427["auth2",' + json.dumps(token) + "]")
        async with asyncio.timeout(10):
            while not (answer := str(await connection.recv())).startswith("437"):
                pass
        assert json.loads(answer[3:])[0]["RC"] == 0


async def test_an_ack_with_a_long_id_comes_back_under_it(backend: Backend) -> None:
    async with raw(backend.url) as connection:
        await connection.send("42" + "9" * 90 + '["conf",{"encoding":"rot13"}]')
        assert str(await asyncio.wait_for(connection.recv(), 10)).startswith("43" + "9" * 90 + "[")


async def test_invalid_utf8_ends_the_connection(backend: Backend) -> None:
    async with raw(backend.url) as connection:
        await connection.send(b'42["\xff\xfe"]', text=True)
        assert await closed_with(connection) == 1007
    await still_serves(backend)


async def test_invalid_utf8_followed_by_a_close_is_no_failure(backend: Backend) -> None:
    """In one TCP segment, alone and after a packet that is processed first."""
    for before in (b"", _masked(b"40")):
        async with raw(backend.url) as connection:
            connection.transport.write(before + _masked(b"\xff") + b"\x88\x80" + bytes(4))
            await closed_with(connection)
    await still_serves(backend)


async def test_a_message_in_too_many_parts_ends_the_connection(backend: Backend) -> None:
    """The parts are empty, so the message is never too long. A few parts are allowed."""
    async with raw(backend.url) as connection:
        await connection.send(["42", "7[", '"conf', "", '",{"enc', 'oding":"base64"}]'])
        assert str(await connection.recv()).startswith("437[")
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.send(["42", *[""] * 5_000, '["conf"]'])
        assert await closed_with(connection) in (1009, 1006)  # the latter when it is still sending
    await still_serves(backend)


async def test_many_packets_at_once_are_delayed_and_not_lost(backend: Backend) -> None:
    """100 at once, then 50 a second."""
    async with raw(backend.url) as connection:
        began = time.monotonic()
        for number in range(250):
            await connection.send(f'42{number}["conf",{{"encoding":"rot13"}}]')
        answers = [str(await connection.recv()) for _ in range(250)]
        assert 2.5 <= time.monotonic() - began <= 10
        assert [answer.partition("[")[0] for answer in answers] == [f"43{number}" for number in range(250)]
        connection.transport.write(_masked(b"3") * 50_000)
    await still_serves(backend)


async def test_held_events_are_measured_in_bytes(backend: Backend) -> None:
    """A character may have four. The first event is held, the second would be too much."""
    async with raw(backend.url) as connection:
        for number in (1, 2):
            await connection.send(f'42{number}["lastRead",{{"room":"{"é" * 20_000}","message":"m"}}]')
        answer = str(await asyncio.wait_for(connection.recv(), 10))
        assert answer.startswith("432[")
        assert "NOT_AUTHENTICATED" in answer


async def test_a_hundred_silent_connections_do_no_harm(backend: Backend) -> None:
    """Without a CONNECT; some are aborted in the middle of a frame."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(100):
            connection = await stack.enter_async_context(raw(backend.url, connected=False))
            if number % 2:
                connection.transport.write(b"\x81\xfe\xff")
                connection.transport.abort()
        await still_serves(backend)


async def test_a_client_that_does_not_read_is_disconnected(backend: Backend, live: ServiceProcess) -> None:
    """It costs a bounded amount of memory, and the others receive all events meanwhile."""
    ann, bob = f"ann-{secrets.token_hex(4)}", f"bob-{secrets.token_hex(4)}"
    token = await backend.token(ann)
    room = await backend.room(f"room-{secrets.token_hex(4)}", ann, bob)
    posts = 300
    async with device(backend, bob) as reads:
        stuck = await asyncio.to_thread(_open_without_reading, backend.url, token)
        with stuck:
            for number in range(posts):
                await backend.post(room, bob, f"{number} " + "x" * 30_000)
            assert len(await reads.wait_for("chat message", posts, room)) == posts
            assert await asyncio.to_thread(_was_cut_off, stuck)
    await still_serves(backend)


def _open_without_reading(url: str, token: str) -> socket.socket:
    """A connection with a small receive window, authenticated, that reads nothing from now on."""
    address = urlsplit(url)
    assert address.hostname is not None
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(10)
    plain.connect((address.hostname, address.port))
    plain.sendall(
        f"GET {ENGINE} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    for awaited, text in ((b"0{", "40"), (b"40{", f'427["auth2","{token}"]'), (b"437[", "")):
        heard = b""
        while awaited not in heard:
            heard += plain.recv(4096)
        plain.sendall(_masked(text.encode()) if text else b"")
    return plain


def _masked(payload: bytes) -> bytes:
    """A text frame of a client. The mask is zero, so the payload is not changed."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + payload


def _was_cut_off(stuck: socket.socket) -> bool:
    """Whether the service closes the connection. Data that is still under way is dropped."""
    stuck.settimeout(15)
    received = 0
    try:
        while data := stuck.recv(65_536):
            received += len(data)
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return received < 300 * 30_000

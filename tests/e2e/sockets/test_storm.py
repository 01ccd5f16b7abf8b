"""All members of a room read one message at once, each with a socket."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, Device, device, faults, fresh
from tests.support.processes import own_service
from tests.support.waiting import wait_until

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WANTED = b'["lastRead",'
OPEN = b'0{"sid"'
PING, PONG = b"\x81\x012", "3"


class Ear(asyncio.Protocol):
    """A websocket that counts `lastRead` events, and looks at nothing else: there are many."""

    def __init__(self, *first: str) -> None:
        self.heard = 0
        self.is_connected = False
        self._first = first  # what it says when it is open
        self._tail = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(HANDSHAKE.encode())

    def data_received(self, data: bytes) -> None:
        data = self._tail + data
        self.heard += data.count(WANTED)
        self.is_connected = self.is_connected or b"40{" in data
        if OPEN in data:
            for packet in self._first:
                self.say(packet)
        if PING in data:
            self.say(PONG)
        self._tail = data[-(len(WANTED) - 1) :]

    def say(self, packet: str) -> None:
        """Send one packet, under a mask of zeros."""
        assert self._transport is not None
        text = packet.encode()
        size = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self._transport.write(b"\x81" + size + bytes(4) + text)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def in_parallel(work: Callable[[int], Awaitable[None]], count: int) -> None:
    for first in range(0, count, 20):
        await asyncio.gather(*(work(number) for number in range(first, min(first + 20, count))))


@pytest.mark.parametrize("watches", [False, True])
async def test_a_storm_of_reads_ends_and_other_rooms_go_on(full: bool, watches: bool) -> None:
    """Each socket hears of each reader once; those that show other rooms hear of their own user."""
    count = 1_000 if full else 200
    limits = {"user_rate_limit": 0, "address_rate_limit": 0, "address_socket_limit": 5_000}
    with own_service(workers=1, api_key=API_KEY, client_key=CLIENT_KEY, **limits) as process:
        async with Backend(process.url) as backend, device(backend, bystander := fresh("ann")) as other:
            room, message, ears = await crowd(backend, count, watches)
            place = await backend.room(fresh("room"), bystander)
            expected = count if watches else count * count
            before = sum(ear.heard for ear in ears)
            delays_s: list[float] = []
            probing = asyncio.create_task(probe(other, place, delays_s))
            began_s = time.monotonic()
            for number, ear in enumerate(ears):
                ear.say(f'42["lastRead",{json.dumps({"room": room, "message": message})}]')
                if number % 10 == 0:
                    await asyncio.sleep(0.01)  # a thousand reads a second

            async def all_heard() -> bool:
                return sum(ear.heard for ear in ears) - before >= expected

            await wait_until(all_heard, f"{expected} events ({sum(ear.heard for ear in ears)} heard)", timeout_s=60)
            took_s = time.monotonic() - began_s
            probing.cancel()
            delays_s.sort()
            middle, most = (f"{delay_s * 1000:.0f}" for delay_s in (delays_s[len(delays_s) // 2], delays_s[-1]))
            print(f"{expected} events in {took_s:.2f} s; another room: {middle} ms, {most} ms at most")
            assert sum(ear.heard for ear in ears) - before == expected
            assert took_s < 10, "a packet for each event takes longer"
            for ear in ears:
                ear.close()
        assert faults(process) == []


async def probe(other: Device, place: str, delays_s: list[float]) -> None:
    """Post into another room, and note how long each message takes to be heard."""
    while True:
        asked_s = time.monotonic()
        answer = await other.call("chat message", {"room": place, "message": "x", "messageType": "text"})
        await other.wait_for_payload("chat message", answer["result"])
        delays_s.append(time.monotonic() - asked_s)
        await asyncio.sleep(0.01)


async def crowd(backend: Backend, count: int, watches: bool) -> tuple[str, str, list[Ear]]:
    """A room with so many members, a message that they have not read, and an ear of each."""
    host, port = urlsplit(backend.url).netloc.split(":")
    users = [fresh("user") for _ in range(count)]
    ears: list[Ear] = []

    async def connect(number: int) -> None:
        token = await backend.token(users[number])
        ear = Ear(f"40{json.dumps({'token': token})}", *(['42["watch",{"rooms":["elsewhere"]}]'] * watches))
        await asyncio.get_running_loop().create_connection(lambda: ear, host, int(port))
        ears.append(ear)

    async def all_connected() -> bool:
        return all(ear.is_connected for ear in ears)

    room = await backend.room(fresh("room"), *users)
    await in_parallel(connect, count)
    await wait_until(all_connected, "all sockets", timeout_s=60)
    message = await backend.post(room, "backend")
    return room, message, ears

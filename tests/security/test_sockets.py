"""A user cannot harm the sockets of another user, and sockets cost only so much."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import aiohttp
import httpx
import pytest
import pytest_asyncio

from readstate.dialects.imkit.sockets.payloads import MAX_BYTES, MAX_MEMBERS
from readstate.dialects.imkit.sockets.send_queue import MAX_BYTES as MAX_QUEUED_BYTES
from readstate.dialects.imkit.sockets.send_queue import MAX_OWNER_BYTES
from tests.support.devices import API_KEY, CLIENT_KEY, QUIET_S, Backend, device, faults, fresh
from tests.support.imkit import Imkit
from tests.support.processes import ServiceProcess, own_service
from tests.support.waiting import wait_until

AWKWARD = '"\\'  # two characters each in JSON


@pytest.fixture(scope="module")
def live() -> Iterator[ServiceProcess]:
    with own_service(workers=1, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        yield process
        assert faults(process) == []


@pytest_asyncio.fixture
async def backend(live: ServiceProcess) -> AsyncIterator[Backend]:
    async with Backend(live.url) as backend:
        yield backend


class Frames:
    """A bare websocket: all text frames that arrived, and whether it is still open."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self.texts: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._websocket:
            self.texts.append(str(message.data))
            if message.data == "2":
                await self._websocket.send_str("3")

    @property
    def is_open(self) -> bool:
        return not self._reading.done()

    def events(self, event: str) -> list[str]:
        return [text for text in self.texts if text.startswith(f'42["{event}"')]

    async def send(self, *packets: str) -> Self:
        for packet in packets:
            await self._websocket.send_str(packet)
        return self

    async def wait_for(self, beginning: str, count: int = 1) -> list[str]:
        """The frames that begin with `beginning`, once there are `count`."""

        async def there() -> bool:
            return len(self.starting(beginning)) >= count

        await wait_until(there, f"{count} x {beginning} (came: {[text[:30] for text in self.texts[-5:]]})")
        return self.starting(beginning)

    def starting(self, beginning: str) -> list[str]:
        return [text for text in self.texts if text.startswith(beginning)]


@asynccontextmanager
async def frames(backend: Backend, token: str, *, base64: bool = False) -> AsyncIterator[Frames]:
    """An authenticated websocket of the user of `token`."""
    async with aiohttp.ClientSession() as http:
        url = f"{backend.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(url, max_msg_size=0) as websocket:
            made = await Frames(websocket).send("40")
            await made.wait_for("40")
            if base64:
                await made.send('42["conf",{"encoding":"base64"}]')
            await made.send(f'421["auth2","{token}"]')
            await made.wait_for("431")
            yield made


async def fat_room(backend: Backend, victim: str) -> str:
    """As large as a room can be: 1,000 members with long names, 32 large fields, 4 KiB of tags."""
    room = fresh("fat")
    fields = {f"field{number}": "\\" * 2_000 for number in range(31)}
    for some in range(0, 31, 8):
        given = dict(list(fields.items())[some : some + 8])
        answer = await backend.call(
            "POST" if some == 0 else "PUT", "/rooms" if some == 0 else f"/rooms/{room}", {"_id": room, **given}
        )
        assert answer["RC"] == 0
    tags = [f"{number:03d}".ljust(100, '"') for number in range(40)]
    assert (await backend.call("PUT", f"/rooms/{room}", {"roomTags": tags}))["RC"] == 0
    for some in range(10):
        people = [f"{some}{number:02d}".ljust(124, AWKWARD[number % 2]) for number in range(99)]
        answer = await backend.call("POST", f"/rooms/{room}/members", {"invitees": people})
        assert answer["RC"] == 0
    assert (await backend.call("POST", f"/rooms/{room}/members", {"invitees": [victim]}))["RC"] == 0
    return room


# `room` events


@pytest.mark.parametrize("base64", [False, True])
async def test_events_of_the_largest_room_do_not_close_a_members_sockets(backend: Backend, base64: bool) -> None:
    """A change of seven bytes pushes at most 32 KiB to each socket, at most once a second."""
    victim = fresh("victim")
    token = await backend.token(victim)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(frames(backend, token, base64=base64)) for _ in range(3)]
        room = await fat_room(backend, victim)
        await sockets[0].wait_for('42["room"')
        began = time.monotonic()
        for number in range(20):
            assert (await backend.call("PUT", f"/rooms/{room}", {"a": number}))["RC"] == 0
        await asyncio.sleep(1 + QUIET_S)
        most = 2 + (time.monotonic() - began)
        for one in sockets:
            assert one.is_open
            assert 1 <= len(one.events("room")) <= most + 1
            assert all(len(text) <= MAX_BYTES * (4 / 3 if base64 else 1) + 100 for text in one.events("room"))
        if not base64:
            event = json.loads(sockets[0].events("room")[-1][2:])[1]
            assert (event["_id"], event["id"], event["status"], event["roomType"], event["partial"]) == (
                room,
                room,
                1,
                "group",
                True,
            )
            assert event["a"] == 19
            assert "memberProperties" not in event
            assert 0 < len(event["members"]) <= MAX_MEMBERS


async def test_over_http_the_whole_room_is_there(backend: Backend) -> None:
    ann = fresh("ann")
    room = await fat_room(backend, ann)
    whole = (await backend.call("GET", f"/rooms/{room}", token=await backend.token(ann)))["result"]
    assert (len(whole["members"]), len(whole["memberProperties"]), len(whole["roomTags"])) == (991, 991, 40)
    assert len(whole["field30"]) == 2_000
    assert "partial" not in whole


async def test_joins_and_leaves_are_pushed_at_most_once_a_second(backend: Backend) -> None:
    """In a room with many sockets. The last state is pushed within the second."""
    members = [fresh("member") for _ in range(20)]
    stranger = fresh("stranger")
    async with AsyncExitStack() as stack:
        tokens = await asyncio.gather(*map(backend.token, members))
        sockets = [await stack.enter_async_context(frames(backend, token)) for token in tokens]
        room = await backend.room(fresh("room"), *members)
        await asyncio.gather(*(one.wait_for('42["room"') for one in sockets))
        for one in sockets:
            one.texts.clear()
        began = time.monotonic()
        for _ in range(20):
            await backend.add(room, stranger)
            await backend.remove(room, stranger)
        await backend.add(room, stranger)
        took_s = time.monotonic() - began
        await asyncio.sleep(1 + QUIET_S)
        pushed = sum(len(text) for one in sockets for text in one.events("room"))
        for one in sockets:
            assert 1 <= len(one.events("room")) <= took_s + 1
            assert stranger in one.events("room")[-1]
        assert pushed <= (took_s + 1) * len(sockets) * 4_000


async def test_a_removed_member_does_not_receive_a_deferred_event(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as stays, device(backend, bob) as leaves:
        room = await backend.room(fresh("room"), ann, bob)
        await leaves.wait_for("room", 1, room)
        await backend.call("PUT", f"/rooms/{room}", {"name": "secret plans"})
        await backend.remove(room, bob)
        assert [told["name"] for told in (await stays.wait_for("room", 2, room))[1:]] == ["secret plans"]
        await asyncio.sleep(QUIET_S)
        assert "secret plans" not in str(leaves.received)


async def test_messages_and_reads_do_not_wait_for_a_deferred_room_event(backend: Backend) -> None:
    ann = fresh("ann")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        await phone.wait_for("room", 1, room)
        await backend.call("PUT", f"/rooms/{room}", {"name": "n"})
        message = await backend.post(room, ann)
        await phone.wait_for("lastRead", 1, room)
        assert [told["_id"] for told in phone.payloads("chat message", room)] == [message]
        await phone.wait_for("room", 2, room)
        assert [name for name, _ in phone.received] == ["room", "chat message", "lastRead", "room"]


# Slow clients


async def test_the_largest_message_does_not_close_the_sockets_of_its_receivers(backend: Backend) -> None:
    """In base64, to forty sockets of one user at once: more together than a user's budget."""
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann, bob)
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(frames(backend, token, base64=True)) for _ in range(40)]
        for _ in range(5):
            await backend.post(room, bob, "é" * 32_000)
        for one in sockets:
            told = await one.wait_for('42["chat message"', 5)
            assert len(told[0]) > 250_000
            assert one.is_open


async def test_only_those_sockets_of_a_user_are_closed_that_do_not_read(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann, bob)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(frames(backend, token))
        before = await open_sockets(backend)
        for _ in range(8):
            await stack.enter_async_context(unread(backend.url, token))
        posts = 0
        while await open_sockets(backend) > before:
            assert posts < 500
            for _ in range(10):
                await backend.post(room, bob, "x" * 60_000)
                posts += 1
        await reader.wait_for('42["chat message"', posts)
        assert reader.is_open


@asynccontextmanager
async def unread(url: str, token: str) -> AsyncIterator[socket.socket]:
    """An authenticated websocket whose client reads nothing any more."""
    host, port = url.removeprefix("http://").split(":")
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, (host, int(port)))
    head = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    )
    await loop.sock_sendall(
        plain, f"{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await _until(plain, b"maxPayload")
    for packet in ("40", f'421["auth2","{token}"]'):
        await loop.sock_sendall(plain, _masked(packet.encode()))
    await _until(plain, b"431")
    try:
        yield plain
    finally:
        plain.close()


async def _until(plain: socket.socket, words: bytes) -> None:
    seen = b""
    while words not in seen:
        came = await asyncio.get_running_loop().sock_recv(plain, 4096)
        assert came, f"closed: {seen!r}"
        seen += came


def _masked(text: bytes) -> bytes:
    """A text frame of a client, with a mask of zeros."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


async def open_sockets(backend: Backend) -> int:
    async with httpx.AsyncClient(base_url=backend.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return int(float(next(line.split()[-1] for line in lines if line.startswith("readstate_open_sockets"))))


# Long-polling


async def test_polling_sessions_that_never_authenticate_leave_nothing_behind(imkit: Imkit) -> None:
    """No lost TCP connection ends them. No session, timer or task is kept."""
    connections = imkit.service.sockets["/socket.io"].connections
    connections.auth_deadlines.after_s, connections.lingers.after_s = 0.5, 0.1  # instead of 30 seconds and 2
    tasks = len(asyncio.all_tasks())
    for _ in range(100):
        await opened(imkit)
    assert len(connections.all()) == 100
    assert len(asyncio.all_tasks()) < tasks + 20, "a session costs a task"

    async def gone() -> bool:
        return not connections.all()

    await wait_until(gone, "the sessions to go", timeout_s=5)
    assert [
        len(timeouts)
        for timeouts in (connections.pings, connections.pongs, connections.auth_deadlines, connections.lingers)
    ] == [0] * 4


async def test_the_queues_of_unauthenticated_clients_of_one_address_are_bounded_together(imkit: Imkit) -> None:
    """Each gets long answers and reads none. A socket with a short queue stays open."""
    parameters = {"EIO": "4", "transport": "polling"}
    modest = await opened(imkit)
    sids = [await opened(imkit) for _ in range(MAX_OWNER_BYTES // MAX_QUEUED_BYTES + 2)]
    for sid in sids:
        for _ in range(MAX_QUEUED_BYTES // 60_000):
            await imkit.client.post("/socket.io/", params=parameters | {"sid": sid}, content=f"40/{'x' * 60_000},")
    connections = imkit.service.sockets["/socket.io"].connections.all()
    assert modest in {connection.sid for connection in connections}
    waiting = sum(connection._queue.counted_bytes for connection in connections)
    assert MAX_OWNER_BYTES - 2 * MAX_QUEUED_BYTES < waiting <= MAX_OWNER_BYTES


async def opened(imkit: Imkit) -> str:
    """The sid of a new polling session."""
    answer = await imkit.client.get("/socket.io/", params={"EIO": "4", "transport": "polling"})
    return str(json.loads(answer.text[1:])["sid"])

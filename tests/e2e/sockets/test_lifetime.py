"""Seen from inside: deadlines, and that nothing is kept of closed connections."""

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
import websockets
from websockets.frames import Frame, Opcode

from readstate.app import Service, create_app
from readstate.dialects.imkit.sockets import auth, closing, turns
from readstate.dialects.imkit.sockets.connection import CLIENT_LEFT, STOPPING, Connection
from readstate.dialects.imkit.sockets.connections import LINGER_S as CONNECTION_LINGER_S
from readstate.dialects.imkit.sockets.packets import Packet, ServerEvent
from readstate.dialects.imkit.sockets.server import SocketServer
from readstate.domain.notices import CursorMoved, Topic
from readstate.process.http_protocol import HttpProtocol
from readstate.process.transport import LINGER_S, GatheringTransport
from readstate.process.websocket_handshake import Handshake
from readstate.process.websocket_protocol import WebSocketProtocol
from readstate.settings import Settings
from tests.security.asgi_socket import AsgiSocket
from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device
from tests.support.servers import Server
from tests.support.waiting import wait_until


class Inside:
    """The service in this process, and its sockets."""

    def __init__(self, url: str, service: Service) -> None:
        self.url = url
        self.service = service

    @property
    def sockets(self) -> SocketServer:
        sockets: Any = self.service.sockets["/socket.io"]
        assert isinstance(sockets, SocketServer)
        return sockets

    def kept(self) -> dict[str, Any]:
        """Everything that is kept per connection, per user or per room."""
        connections, hub = self.sockets.connections, self.sockets._delivery._hub
        return {
            "connections": connections.all(),
            "to be done later": [
                len(timeouts)
                for timeouts in (connections.pings, connections.pongs, connections.auth_deadlines, connections.lingers)
                if len(timeouts)
            ],
            "addresses": connections._addresses._held,
            "users": hub._users,
            "subscribers": dict(hub._rooms),
            "listeners": [
                topic
                for topic, subscription in hub._notices._subscriptions.items()  # type: ignore[attr-defined]
                if subscription.listeners
            ],
            "fetching": self.sockets._delivery._queues,
            "tasks": self.sockets._delivery._tasks | self.sockets._joining._tasks,
        }

    async def until_nothing_is_kept(self) -> None:
        async def empty() -> bool:
            return not any(self.kept().values())

        await wait_until(empty, f"nothing to be kept of {self.kept()}", timeout_s=10)


@pytest_asyncio.fixture(params=[{}])
async def inside(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Inside]:
    """`request.param` are further settings."""
    settings = Settings(
        redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="s" * 40, **request.param
    )
    service = create_app(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        service,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_config=None,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    web = uvicorn.Server(config)
    serving = asyncio.create_task(web.serve(sockets=[listener]))

    async def started() -> bool:
        return web.started

    await wait_until(started, "the service to start")
    yield Inside(f"http://127.0.0.1:{listener.getsockname()[1]}", service)
    web.should_exit = True
    await serving


@pytest_asyncio.fixture
async def backend(inside: Inside) -> AsyncIterator[Backend]:
    async with Backend(inside.url) as backend:
        yield backend


@contextlib.asynccontextmanager
async def raw(url: str) -> AsyncIterator[websockets.ClientConnection]:
    address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(address, compression=None, ping_interval=None) as connection:
        yield connection


async def until_closed(connection: websockets.ClientConnection) -> int | None:
    with contextlib.suppress(websockets.ConnectionClosed):
        async with asyncio.timeout(15):
            while True:
                await connection.recv()
    return connection.close_code


@pytest.mark.parametrize("frames", [[], ["40"], ["40", '42["typing"]']], ids=["open", "connected", "talking"])
async def test_a_client_that_does_not_authenticate_in_time_is_disconnected(inside: Inside, frames: list[str]) -> None:
    assert inside.sockets.connections.auth_deadlines.after_s <= 30
    inside.sockets.connections.auth_deadlines.after_s = 0.5
    async with raw(inside.url) as connection:
        for frame in frames:
            await connection.send(frame)
        assert await until_closed(connection) == 1008
    await inside.until_nothing_is_kept()


async def test_a_client_that_authenticates_in_time_stays_connected(inside: Inside, backend: Backend) -> None:
    inside.sockets.connections.auth_deadlines.after_s = 0.5
    async with device(backend, "ann") as phone:
        await asyncio.sleep(1.0)
        assert phone.client.connected


async def test_held_events_are_refused_when_the_time_for_auth2_is_over(inside: Inside) -> None:
    inside.sockets.connections.auth_deadlines.after_s = 0.5
    async with raw(inside.url) as connection:
        for packet in ("40", '427["lastRead",{"room":"r","message":"m"}]'):
            await connection.send(packet)
        heard = [str(await connection.recv()) for _ in range(3)]
        assert heard[2].startswith("437[")
        assert json.loads(heard[2][3:])[0]["error"]["code"] == "NOT_AUTHENTICATED"
        assert await until_closed(connection) == 1008


@pytest.mark.parametrize("inside", [{"socket_ping_interval_s": 1, "socket_ping_timeout_s": 1}], indirect=True)
async def test_a_client_that_does_not_answer_pings_is_disconnected(inside: Inside, backend: Backend) -> None:
    """One that does stays connected."""
    async with device(backend, "ann") as answers, raw(inside.url) as silent:
        await silent.send("40")
        await until_closed(silent)
        assert silent.close_code is not None
        await asyncio.sleep(1.5)
        assert answers.client.connected
    await inside.until_nothing_is_kept()


@pytest.mark.parametrize("limit", [3])
async def test_one_connection_too_many_is_refused_and_the_others_stay(
    inside: Inside, backend: Backend, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_SOCKETS_PER_USER", limit)
    token = await backend.token("ann")
    async with contextlib.AsyncExitStack() as stack:
        devices = [await stack.enter_async_context(device(backend)) for _ in range(limit + 1)]
        answers = [await phone.authenticate(token) for phone in devices]
        assert [answer["RC"] for answer in answers] == [0] * limit + [429]
        await devices[-1].wait_until_closed()
        assert all(phone.client.connected for phone in devices[:-1])
        assert (await devices[0].authenticate(token))["RC"] == 0


async def test_the_limit_of_connections_holds_for_simultaneous_ones_too(
    inside: Inside, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All wait for the same request to the store, and are counted meanwhile."""
    monkeypatch.setattr(auth, "MAX_SOCKETS_PER_USER", 3)
    token = await backend.token("ann")
    async with contextlib.AsyncExitStack() as stack:
        devices = [await stack.enter_async_context(device(backend)) for _ in range(8)]
        answers = await asyncio.gather(*(phone.authenticate(token) for phone in devices))
        assert sorted(answer["RC"] for answer in answers) == [0] * 3 + [429] * 5


async def test_nothing_is_kept_of_connections_however_they_end(inside: Inside, backend: Backend) -> None:
    """Closed, aborted, refused, authenticated as another user; on both transports."""
    room = await backend.room("room", "ann", "bob")
    for transport in ("websocket", "polling"):
        async with (
            device(backend, "ann", transports=(transport,)) as closes,
            device(backend, transports=(transport,)) as refused,
        ):
            await refused.authenticate("nonsense")
            async with device(backend, "ann", transports=(transport,)) as switches:
                await switches.authenticate(await backend.token("bob"))
                await backend.post(room, "ann")
                await closes.wait_for("chat message", 1)
                await switches.wait_for("chat message", 1)
    async with raw(inside.url) as cut:
        await cut.send("40")
        await cut.send('427["auth2","' + await backend.token("ann") + '"]')
        while not str(await cut.recv()).startswith("437"):
            pass
        await backend.post(room, "bob")
        cut.transport.abort()
    await inside.until_nothing_is_kept()


async def test_nothing_of_a_closed_connection_waits_for_the_garbage_collector(inside: Inside, backend: Backend) -> None:
    """It looks seldom at what has become old, and 200 sockets may come and go in a second."""

    def protocols() -> list[type]:
        kinds = (HttpProtocol, WebSocketProtocol, GatheringTransport, Handshake)
        return sorted((type(one) for one in gc.get_objects() if issubclass(type(one), kinds)), key=str)

    token = await backend.token("ann")
    gc.collect()
    gc.disable()
    try:
        before = protocols()
        for abruptly in (False, True):
            async with raw(inside.url) as connection:
                await connection.send(f'40{{"token":"{token}"}}')
                while not str(await connection.recv()).startswith("40"):
                    pass
                if abruptly:
                    connection.transport.abort()

        async def as_before() -> bool:
            return protocols() == before

        await wait_until(as_before, f"{protocols()} to be {before}")
    finally:
        gc.enable()


async def test_memory_does_not_grow_with_closed_connections(inside: Inside, backend: Backend) -> None:
    """Nothing is kept of them."""
    token = await backend.token("ann")

    async def come_and_go(times: int) -> int:
        for _ in range(times):
            async with raw(inside.url) as connection:
                await connection.send("40")
                await connection.send(f'427["auth2","{token}"]')
                while not str(await connection.recv()).startswith("437"):
                    pass
        await inside.until_nothing_is_kept()
        await asyncio.sleep(CONNECTION_LINGER_S + 0.5)
        gc.collect()
        return sum(isinstance(thing, Connection) for thing in gc.get_objects())

    await come_and_go(50)
    assert await come_and_go(150) <= 2


async def test_a_stop_closes_all_connections(inside: Inside, backend: Backend) -> None:
    """New ones are refused afterwards."""
    async with device(backend, "ann") as phone, device(backend, "bob", transports=("polling",)) as polls:
        await inside.sockets.stop()
        await phone.wait_until_closed()
        await polls.wait_until_closed()
        assert not inside.kept()["connections"]
        with pytest.raises(websockets.InvalidStatus):
            async with raw(inside.url):
                pass
        assert (await backend._http.get("/socket.io/?EIO=4&transport=polling")).status_code == 400


async def test_a_packet_whose_turn_comes_after_the_end_is_ignored(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packets of many others are before it, and the service closes the connection meanwhile."""
    connections = inside.sockets.connections
    async with raw(inside.url) as connection:
        monkeypatch.setattr(turns, "BEGUN_AT_ONCE", 0)
        await connection.send("40")

        async def waits() -> bool:
            return bool(connections.processing._waiting)

        await wait_until(waits, "the packet to wait")
        connections.close_all_now(STOPPING)
        assert await until_closed(connection) == 1012
        monkeypatch.undo()
        connections.processing._begin()
        await asyncio.gather(*connections.processing)  # none has failed
    await inside.until_nothing_is_kept()


async def test_a_stop_closes_each_connection_once(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server begins the stop once for each connection. All of all would take too long."""
    ended: list[Any] = []
    close_now = inside.sockets.connections.close_now

    def noted(session: Any, *how: Any) -> None:
        ended.append(session)
        close_now(session, *how)

    monkeypatch.setattr(inside.sockets.connections, "close_now", noted)
    async with raw(inside.url), raw(inside.url), raw(inside.url):
        sessions = inside.sockets.connections.all()
        for session in sessions:
            session.transport._writer.shutdown()  # type: ignore[attr-defined]
        assert ended == sessions
    await inside.until_nothing_is_kept()


@pytest.mark.parametrize("how", ["a frame against the protocol", "a close", "a stop"])
async def test_a_client_that_does_not_read_does_not_keep_a_closing_connection(inside: Inside, how: str) -> None:
    """The server does not wait for ever until the written data is sent."""
    async with raw(inside.url) as connection:
        await connection.recv()
        (session,) = inside.sockets.connections.all()
        protocol: Any = session.transport._writer  # type: ignore[attr-defined]
        connection.transport.pause_reading()
        while session.transport.is_writable():
            session.transport.send([Packet("4" + "x" * 60_000)])
            await asyncio.sleep(0.001)
        if how == "a stop":
            protocol.shutdown()
        else:
            connection.transport.write(
                b"\xff\x80\0\0\0\0" if how == "a frame against the protocol" else b"\x88\x80\0\0\0\0"
            )

        async def cut() -> bool:
            return bool(protocol._is_lost)

        await wait_until(cut, "the end of the connection", timeout_s=LINGER_S + 3)
        connection.transport.abort()
    await inside.until_nothing_is_kept()


async def test_the_events_of_one_turn_are_one_write(inside: Inside, backend: Backend) -> None:
    """To each socket. The bytes are the same for all of them, and are one write."""
    room = await backend.room("room", "ann")
    token = await backend.token("ann")
    async with AsgiSocket(inside.service) as phone, AsgiSocket(inside.service) as laptop:
        for client in (phone, laptop):
            assert (await client.call("auth2", token))["RC"] == 0
        before = (phone.writes, laptop.writes)
        for seq in range(20):
            inside.sockets._delivery.deliver(Topic.room("default", room), CursorMoved(room, "bob", f"m{seq}", seq))
        heard = [[await client.next() for _ in range(20)] for client in (phone, laptop)]
        assert heard[0] == heard[1]
        assert [json.loads(packet[2:])[1]["messageID"] for packet in heard[0]] == [f"m{seq}" for seq in range(20)]
        assert (phone.writes, laptop.writes) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    "how", ["the client's close", "against the protocol", "an abort", "a pause", "a stop", "a close frame of ours"]
)
async def test_nothing_is_written_past_the_end_while_a_handler_is_busy(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What comes behind a message is read when the handler has done with it; all else counts at
    once.
    """
    busy, is_over = asyncio.Event(), asyncio.Event()

    async def receive(connection: Connection, text: str) -> bool:
        busy.set()
        await is_over.wait()
        return True

    async with raw(inside.url) as client:
        await client.recv()
        (connection,) = inside.sockets.connections.all()
        connection.send_event(ServerEvent("n", b"1"))
        assert await client.recv() == '42["n",1]'
        assert shortest_way(connection)[0] is not None
        monkeypatch.setattr(inside.sockets.connections, "receive", receive)
        await client.send("41")
        await busy.wait()
        protocol: Any = connection.transport._writer  # type: ignore[attr-defined]
        match how:
            case "the client's close":
                client.transport.write(b"\x88\x80\0\0\0\0")
                is_over.set()
            case "against the protocol":
                client.transport.write(b"\xff\x80\0\0\0\0")
                is_over.set()
            case "an abort":
                client.transport.abort()
            case "a pause":
                protocol.pause_writing()
            case "a stop":
                protocol.shutdown()
            case "a close frame of ours":
                protocol.start_close(1000, "")
        await wait_until(lambda: is_now(shortest_way(connection)[0] is None), "the end to be seen")
        connection.send_event(ServerEvent("n", b"2"))
        assert shortest_way(connection) == (None, None)
        client.transport.abort()
        protocol.abort()
        is_over.set()
    await inside.until_nothing_is_kept()


def shortest_way(connection: Connection) -> tuple[object, object]:
    """What writes at once, and the packet that waits for it."""
    return connection._write, connection._single


async def is_now(holds: bool) -> bool:
    return holds


async def test_of_the_handshake_nothing_is_kept(inside: Inside) -> None:
    """It would be more than all the rest of an idle socket."""
    async with raw(inside.url) as client:
        await client.recv()
        (connection,) = inside.sockets.connections.all()
        protocol: Any = connection.transport._writer  # type: ignore[attr-defined]
        assert protocol._handler is connection.transport
        assert not protocol._scope
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, (Handshake, HttpProtocol))]


async def test_an_idle_socket_has_no_task(inside: Inside, backend: Backend) -> None:
    """A task and its coroutines would take as much as all the rest."""
    before = len(asyncio.all_tasks())
    async with device(backend, "ann"), device(backend, "bob"), raw(inside.url) as client:
        await client.recv()
        await wait_until(lambda: is_now(not inside.sockets.connections.processing), "the packets to be processed")
        ours = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
        assert not [name for name in ours if "Handshake" in name or "run_asgi" in name]
        assert before


async def test_a_flood_of_small_packets_is_not_parsed_at_once(inside: Inside) -> None:
    """It stays in bytes. As messages it would need a hundred times as much memory."""
    async with raw(inside.url) as connection:
        await connection.recv()
        connection.transport.write((b"\x81\x81" + bytes(4) + b"3") * 50_000)
        await asyncio.sleep(1.0)
        (session,) = inside.sockets.connections.all()
        protocol: Any = session.transport._writer  # type: ignore[attr-defined]
        assert len(inside.sockets.connections.processing) == 1
        assert len(protocol._unread) > 1000
        connection.transport.abort()
    # The service does not see the end behind data that it does not read.
    inside.sockets.connections.close_now(session, CLIENT_LEFT)
    await inside.until_nothing_is_kept()


async def test_closing_after_a_gap_does_not_delay_a_stop(
    inside: Inside, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "GAP_SPREAD_S", 60.0)
    async with device(backend, "ann") as first, device(backend, "bob") as second:
        inside.sockets._gap_closing.on_gap([Topic.user("default", user) for user in ("ann", "bob")])
        await first.wait_until_closed()
        assert second.client.connected
        async with asyncio.timeout(5):
            await inside.sockets.stop()
        await second.wait_until_closed()


async def test_who_closes_behind_events_gets_all_acks(inside: Inside) -> None:
    """The close frame is read when what came before it is answered."""
    event = Frame(Opcode.TEXT, b'421["conf",{"encoding":"rot13"}]').serialize(mask=True)
    closing = Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True)
    async with raw(inside.url) as client:
        await client.send("40")
        while not str(await client.recv()).startswith("40"):
            pass
        client.transport.write(5 * event + closing)
        heard = [packet async for packet in client]
        assert [str(packet)[:4] for packet in heard] == ["431["] * 5
    await inside.until_nothing_is_kept()

"""A client that sends Engine.IO and Socket.IO packets by hand."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import websockets
from websockets.asyncio.client import ClientConnection

from tests.support.devices import API_KEY, CLIENT_KEY, faults
from tests.support.processes import ServiceProcess, own_service

PING_INTERVAL_S = PING_TIMEOUT_S = 1
KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
ASK = '["conf",{"encoding":"rot13"}]'  # answered with an error, in the ack


class Engine:
    """Requests and websockets to one service."""

    def __init__(self, url: str) -> None:
        self._address = url.replace("http", "ws", 1) + "/socket.io/"
        self._http = httpx.AsyncClient(base_url=url, timeout=20)

    async def close(self) -> None:
        await self._http.aclose()

    async def request(self, method: str, query: str, body: str = "") -> httpx.Response:
        return await self._http.request(method, f"/socket.io/?{query}", content=body)

    async def opened(self) -> str:
        """The id of a new long-polling session."""
        return str(json.loads((await self.request("GET", "EIO=4&transport=polling")).text[1:])["sid"])

    async def push(self, sid: str, body: str) -> httpx.Response:
        return await self.request("POST", f"EIO=4&transport=polling&sid={sid}", body)

    async def poll(self, sid: str) -> httpx.Response:
        return await self.request("GET", f"EIO=4&transport=polling&sid={sid}")

    @asynccontextmanager
    async def websocket(self, query: str = "EIO=4&transport=websocket") -> AsyncIterator[ClientConnection]:
        async with websockets.connect(f"{self._address}?{query}", compression=None, ping_interval=None) as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[ClientConnection]:
        """A websocket whose session is open."""
        async with self.websocket() as connection:
            assert (await heard(connection)).startswith("0{")
            yield connection

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[ClientConnection]:
        """... and connected to the main namespace."""
        async with self.session() as connection:
            await connection.send("40")
            assert (await heard(connection)).startswith("40{")
            yield connection

    @asynccontextmanager
    async def upgraded(self) -> AsyncIterator[tuple[str, ClientConnection]]:
        """A long-polling session that has moved to a websocket."""
        sid = await self.opened()
        async with self.websocket(f"EIO=4&transport=websocket&sid={sid}") as connection:
            await connection.send("2probe")
            assert await heard(connection) == "3probe"
            await connection.send("5")
            await connection.send("40")
            assert (await heard(connection)).startswith("40{")
            yield sid, connection


async def heard(connection: ClientConnection) -> str:
    """The next packet that is no ping."""
    async with asyncio.timeout(10):
        while (packet := await connection.recv()) == "2":
            await connection.send("3")
    return str(packet)


async def closed(connection: ClientConnection) -> int | None:
    """The code with which the service closes, after any other packets."""
    with contextlib.suppress(websockets.ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    return connection.close_code


@contextmanager
def quick_service() -> Iterator[ServiceProcess]:
    """Three workers, any of which may be asked, with short pings."""
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY, "address_rate_limit": 0}
    times = {"socket_ping_interval_s": PING_INTERVAL_S, "socket_ping_timeout_s": PING_TIMEOUT_S}
    with own_service(workers=3, **keys, **times) as process:
        yield process
        assert faults(process) == []

"""Sockets that hear the notices of a load, and say when each arrived."""

import asyncio
import json
from time import perf_counter
from typing import Any

import aiohttp

from readstate.bench.ledger import Balance, Ledger
from readstate.replay.api import ReplayError
from readstate.tasks import cancel_and_wait

CONNECT_S = 10.0
LOOKS, LOOK_S = 50, 0.1  # so long notices may be under way after the last call
A_MOMENT_S = 0.3  # a duplicate would come just after the first


class Listeners:
    """Members of all rooms who only listen. Open them (`listen`) inside the running loop."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        self._address = url.rstrip("/").replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._ledger = ledger
        self._receiving: list[asyncio.Task[None]] = []
        self.latencies_s: list[float] = []
        self.lost = 0  # sockets that the service has closed
        self._is_over = False

    async def __aenter__(self) -> "Listeners":
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        for task in self._receiving:
            await cancel_and_wait(task)
        await self._session.close()

    async def listen(self, listener: str, token: str, rooms: list[str]) -> None:
        """Connect as `listener`. From now on every notice of `rooms` is due to it.

        Raises ReplayError.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await self._connected(token)
        except (aiohttp.ClientError, TypeError, TimeoutError, OSError) as error:  # TypeError: it was closed
            raise ReplayError(f"a socket could not be connected: {error or type(error).__name__}") from None
        self._ledger.listen(listener, rooms, perf_counter())
        self._receiving.append(asyncio.create_task(self._receive(listener, socket)))

    async def balance(self) -> Balance:
        """What has become of all notices, when those that are due had some time to come."""
        for _ in range(LOOKS):
            if not self._ledger.due:
                break
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(A_MOMENT_S)
        return self._ledger.balance()

    async def _connected(self, token: str) -> aiohttp.ClientWebSocketResponse:
        socket = await self._session.ws_connect(self._address, max_msg_size=0)
        await _await_frame(socket, "0")
        await socket.send_str("40")
        await _await_frame(socket, "40")
        await socket.send_str("420" + json.dumps(["auth2", token, {}]))
        answer = json.loads((await _await_frame(socket, "430"))[3:])
        if answer[0].get("RC") != 0:
            raise ReplayError(f"auth2 was answered with {answer[0]}")
        return socket

    async def _receive(self, listener: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            now = perf_counter()
            frame = message.data
            if frame == "2":
                await socket.send_str("3")
            elif isinstance(frame, str) and frame.startswith('42["lastRead"'):
                self._note(listener, json.loads(frame[2:])[1], now)
        self.lost += not self._is_over

    def _note(self, listener: str, receipt: dict[str, Any], now: float) -> None:
        notice = receipt["roomID"], receipt["memberID"], receipt["messageID"]
        latency_s = self._ledger.arrive(listener, notice, now)
        if latency_s is not None:
            self.latencies_s.append(latency_s)


async def _await_frame(socket: aiohttp.ClientWebSocketResponse, start: str) -> str:
    """The next frame that begins so. Raises ReplayError for one that does not belong there."""
    while True:
        frame = await socket.receive_str()
        if frame.startswith(start):
            return frame
        if frame == "2":
            await socket.send_str("3")
        elif not frame.startswith("42"):
            raise ReplayError(f"waited for a frame that begins with {start}, got {frame[:100]!r}")

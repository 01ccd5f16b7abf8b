"""A websocket to a service in the test's own loop, spoken to over ASGI as the worker's protocol does."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from readstate.dialects.imkit.sockets.websocket import FRAMES
from tests.security.fuzz import frames

WITHIN_S = 10.0


class AsgiSocket:
    """One Socket.IO client. `ask` says something and returns its ack."""

    def __init__(self, service: Any, client_key: str = "") -> None:
        self._service = service
        self._headers = [
            (b"host", b"test"),
            (b"connection", b"upgrade"),
            (b"upgrade", b"websocket"),
            *([(b"im-client-key", client_key.encode())] if client_key else []),
        ]
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()
        self._acks = 0
        self.writes = 0  # of the service
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/socket.io/",
            "raw_path": b"/socket.io/",
            "query_string": b"EIO=4&transport=websocket",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "subprotocols": [],
            "extensions": {FRAMES: self},
        }
        self._said.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.create_task(self._service(scope, self._said.get, self._hear))
        await self._until("0")
        self._say("40")
        await self._until("40")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        assert self._serving is not None
        async with asyncio.timeout(WITHIN_S):
            await self._serving

    def say(self, event: str, *content: Any) -> str:
        """Say something; the id of its ack."""
        self._acks += 1
        self._say(f"42{self._acks}{json.dumps([event, *content])}")
        return str(self._acks)

    async def ask(self, event: str, *content: Any) -> Any:
        """The ack of an event; None when the connection was closed before one came."""
        return await self.answer(self.say(event, *content))

    async def answer(self, ack: str) -> Any:
        """The ack of this id; None when the connection was closed before it came."""
        packet = await self._until(f"43{ack}[")
        return None if packet is None else json.loads(packet.removeprefix(f"43{ack}"))[0]

    async def next(self) -> str:
        """The next packet."""
        async with asyncio.timeout(WITHIN_S):
            return str(await self._heard.get())

    def _say(self, packet: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": packet})

    async def _until(self, beginning: str) -> str | None:
        async with asyncio.timeout(WITHIN_S):
            while (packet := await self._heard.get()) is not None:
                if packet.startswith(beginning):
                    return packet
        return None

    async def _hear(self, event: Any) -> None:
        assert event["type"] == "websocket.accept"

    # `sockets.websocket.FrameWriter`

    def on_writable(self) -> None:
        """Never called: it always is."""

    def is_writable(self) -> bool:
        return True

    def write_frames(self, data: bytes) -> None:
        self.writes += 1
        for _, payload in frames.heard(data):
            self._heard.put_nowait(payload.decode())

    def start_close(self, code: int, reason: str) -> None:
        self._heard.put_nowait(None)
        self._said.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def abort(self) -> None:
        self.start_close(1006, "")

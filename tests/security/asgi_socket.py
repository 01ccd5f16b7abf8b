"""A websocket to a service in the test's own event loop, over ASGI."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from readstate.dialects.http.frame_writer import FRAMES, MessageHandler
from tests.security.fuzz import frames

WITHIN_S = 10.0


class AsgiSocket:
    """One Socket.IO client. `call` sends an event and returns its ack."""

    def __init__(self, service: Any, client_key: str = "") -> None:
        self._service = service
        self._headers = [
            (b"host", b"test"),
            (b"connection", b"upgrade"),
            (b"upgrade", b"websocket"),
            *([(b"im-client-key", client_key.encode())] if client_key else []),
        ]
        self._to_service: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_service: asyncio.Queue[str | None] = asyncio.Queue()
        self._acks = 0
        self.writes = 0  # of the service
        self._serving: asyncio.Task[None] | None = None
        self._handling: asyncio.Task[None] | None = None
        self._may_go_on = asyncio.Event()

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
        self._to_service.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.create_task(self._service(scope, self._to_service.get, self._on_message))
        await self._until("0")
        self._send("40")
        await self._until("40")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._to_service.put_nowait({"type": "websocket.disconnect", "code": 1000})
        assert self._serving is not None
        async with asyncio.timeout(WITHIN_S):
            await self._serving
            if self._handling is not None:
                await self._handling

    def emit(self, event: str, *content: Any) -> str:
        """Send an event. Returns the id of its ack."""
        self._acks += 1
        self._send(f"42{self._acks}{json.dumps([event, *content])}")
        return str(self._acks)

    async def call(self, event: str, *content: Any) -> Any:
        """The ack of an event; None when the connection was closed before one came."""
        return await self.ack(self.emit(event, *content))

    async def ack(self, ack_id: str) -> Any:
        """The ack of this id; None when the connection was closed before it came."""
        packet = await self._until(f"43{ack_id}[")
        return None if packet is None else json.loads(packet.removeprefix(f"43{ack_id}"))[0]

    async def next(self) -> str:
        """The next packet."""
        async with asyncio.timeout(WITHIN_S):
            return str(await self._from_service.get())

    def _send(self, packet: str) -> None:
        self._to_service.put_nowait({"type": "websocket.receive", "text": packet})

    async def _until(self, beginning: str) -> str | None:
        async with asyncio.timeout(WITHIN_S):
            while (packet := await self._from_service.get()) is not None:
                if packet.startswith(beginning):
                    return packet
        return None

    async def _on_message(self, event: Any) -> None:
        assert event["type"] == "websocket.accept"

    # `frame_writer.FrameWriter`

    def attach(self, handler: MessageHandler) -> None:
        self._handling = asyncio.create_task(self._handle(handler))

    async def _handle(self, handler: MessageHandler) -> None:
        while (message := await self._to_service.get())["type"] != "websocket.disconnect":
            self._may_go_on.clear()
            if handler.on_message(message["text"]):
                await self._may_go_on.wait()
        handler.on_closed()

    def go_on(self) -> None:
        self._may_go_on.set()

    def is_writable(self) -> bool:
        """Always."""
        return True

    def direct_writer(self) -> Callable[[bytes], object]:
        return self.write_frames

    def write_frames(self, data: bytes) -> None:
        self.writes += 1
        for _, payload in frames.heard(data):
            self._from_service.put_nowait(payload.decode())

    def start_close(self, code: int, reason: str) -> None:
        self._from_service.put_nowait(None)
        self._to_service.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def abort(self) -> None:
        self.start_close(1006, "")

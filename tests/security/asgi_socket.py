"""A websocket to a service in the test's own loop, spoken to over ASGI as a server would."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

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
        }
        self._said.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.create_task(self._service(scope, self._said.get, self._hear))
        await self._until("0")
        self._say("40")
        await self._until("40")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        assert self._serving is not None
        async with asyncio.timeout(WITHIN_S):
            await self._serving

    async def ask(self, event: str, *content: Any) -> Any:
        """The ack of an event; None when the connection was closed before one came."""
        self._acks += 1
        self._say(f"42{self._acks}{json.dumps([event, *content])}")
        packet = await self._until(f"43{self._acks}[")
        return None if packet is None else json.loads(packet.removeprefix(f"43{self._acks}"))[0]

    def _say(self, packet: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": packet})

    async def _until(self, beginning: str) -> str | None:
        async with asyncio.timeout(WITHIN_S):
            while (packet := await self._heard.get()) is not None:
                if packet.startswith(beginning):
                    return packet
        return None

    async def _hear(self, event: Any) -> None:
        if event["type"] == "websocket.send":
            self._heard.put_nowait(event["text"])
        elif event["type"] == "websocket.close":
            self._heard.put_nowait(None)

"""HTTP as a worker speaks it: uvicorn's, with a limit on what a request may hold beside its body, and one write for each answer.

The limit. uvicorn keeps the line, the headers and the trailers of a request however long they are, of whoever it may be.

The write. uvicorn writes the head of an answer and its body one after the other, and uvloop hands each to the system at once. Two calls
of the system for one small answer were a sixth of a worker's time, and its client woke up twice.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Line, headers, trailers, and what chunks are wrapped in. What comes in one piece with the beginning of the line is not counted.
MAX_BESIDE_BODY_BYTES = 256 * 1024


class GatheringTransport:
    """A transport that writes, once in a turn of the event loop, all that was given to it since. Everything else is the real one's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """What was written is sent first, as with any transport."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._transport.write(b"".join(waiting))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpProtocol(HttpToolsProtocol):
    """See the module. The WebSockets that connections become are on such a transport, too."""

    _counted: Any = None  # the scope of the request that is being counted
    _beside_body = 0  # bytes of it after the piece of the stream in which it began

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self.scope is not self._counted:
            self._counted, self._beside_body = self.scope, 0
        elif self._beside_body > MAX_BESIDE_BODY_BYTES:
            self.send_400_response(f"Beside its body a request must have at most {MAX_BESIDE_BODY_BYTES} bytes.")

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        super().on_body(body)

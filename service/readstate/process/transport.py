"""The transport under HTTP and WebSocket connections: one write for each turn of the event loop."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

# Beyond this nothing is added to what a client has not taken yet. One answer may be longer; after
# it the sender waits for the client.
MAX_OUTPUT_BUFFER_BYTES = 1024 * 1024
# How long a client that is still sending may go on after its last answer; what it sends is dropped.
LINGER_S = 2.0


class GatheringTransport:
    """Collects what is written and passes it on once in a turn of the event loop.

    Everything else is that of the real transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._left = 0  # bytes that the client had not taken at the last write
        self.is_asked = False  # the client is in the middle of a request
        self.refused = 0  # answers in a row that said "too many requests"
        # The server stops and waits for the calls in flight: no more pauses after refusals.
        self.is_stopping = False
        self.lingers = False  # closed for us, while the client may still send
        # Once closed, seconds that the client may take for the rest; None: any time.
        self.cut_after_s: float | None = None

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def write_now(self, data: bytes) -> None:
        """Write what its sender has collected already, behind what waits here."""
        if self._waiting:
            self._waiting.append(data)
            return
        # uvloop raises it for a client that went away in this turn.
        with contextlib.suppress(RuntimeError):
            self._transport.write(data)

    def direct_writer(self) -> Callable[[bytes], object] | None:
        """The real transport's `write`; None while something waits here, or after `close`."""
        return None if self._waiting or self.is_closing() else self._transport.write

    def close(self) -> None:
        """Close after what was written.

        A client in the middle of a request may finish it, for LINGER_S.
        """
        if self.lingers:
            return
        self._flush()
        if not self.is_asked or self._transport.is_closing():
            self._transport.close()
            if self.cut_after_s is not None and self._transport.get_write_buffer_size():
                self._loop.call_later(self.cut_after_s, self._transport.abort)
            return
        self.lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.close)

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes left to send, with those that wait for the end of the turn."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._waiting))

    def has_much_left(self, size: int) -> bool:
        """Whether more than `size` bytes may be left to send.

        It uses only what is known without asking the system: nearly every answer asks for it.
        """
        return self._left > size or (bool(self._waiting) and len(self._waiting[-1]) > size)

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._left = self._transport.get_write_buffer_size()
        # An answer waits for its client. What the protocols write by themselves, such as the pong
        # to each ping, does not.
        if self._left > MAX_OUTPUT_BUFFER_BYTES:
            self._transport.abort()
            return
        # uvloop raises it for a client that went away in this turn.
        with contextlib.suppress(RuntimeError):
            self._transport.write(b"".join(waiting))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

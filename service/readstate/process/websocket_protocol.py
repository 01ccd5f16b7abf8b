"""WebSocket as a worker speaks it (RFC 6455), with limits on what a client may send at a time.

There are thousands of these, nearly always idle. So one has no task, no timer and no queue, and
little beside the transport and the handler: what the client sends is read frame by frame, and only
as fast as the handler takes the messages.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from readstate.dialects.http.frame_writer import MessageHandler
from readstate.dialects.http.moving import Movable
from readstate.process import websocket_frames as frames
from readstate.process.connection_limits import Permit
from readstate.process.neighbours import neighbours_of, written_again
from readstate.process.stopping import begin_stop
from readstate.process.transport import LINGER_S, GatheringTransport
from readstate.process.websocket_frames import Frame, Violation, read_frame
from readstate.process.websocket_handshake import BadHandshake, Handshake, accept_key, response, scope_of

# Parts of one message. An empty part adds nothing to its size, and is kept all the same.
MAX_FRAGMENTS = 1024
# Frames of one client in one turn of the event loop, so that other clients need not wait.
FRAMES_AT_ONCE = 64


class _Ignoring:
    """`MessageHandler` after the end."""

    def on_message(self, text: str | None) -> bool:
        return False

    def on_writable(self) -> None: ...
    def on_unwritable(self) -> None: ...
    def on_closed(self) -> None: ...


_IGNORING = _Ignoring()


class WebSocketProtocol(asyncio.Protocol, Movable):
    """A connection from the request that asks for it. `frame_writer.FrameWriter`.

    An application finds this object in the scope of the handshake, as the extension FRAMES.
    """

    __slots__ = (
        "_app_state",
        "_close_sent",
        "_config",
        "_end_is_due",
        "_handler",
        "_has_handler",
        "_is_held",
        "_is_lost",
        "_is_reading",
        "_loop",
        "_part_bytes",
        "_parts",
        "_permit",
        "_scope",
        "_server_state",
        "_text",
        "_transport",
        "_unread",
        "_writable",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        transport: GatheringTransport,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = loop
        self._transport = transport
        self._permit: Permit | None = None
        self._scope: dict[str, Any] | None = None  # during the handshake
        self._handler: MessageHandler = _IGNORING
        self._has_handler = False  # that of the application
        self._unread: bytes | bytearray = b""
        self._parts: list[bytes] | None = None  # of the message that is being received
        self._part_bytes = 0
        self._text = True  # the message is text
        self._is_held = False  # the handler takes no message now
        self._is_reading = True
        self._writable = True
        self._close_sent = False
        self._is_lost = False
        self._end_is_due = False
        server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own

    def open(self, request: dict[str, Any], url: bytes, permit: Permit) -> None:
        """Begin the handshake. `request`: its scope, as HTTP."""
        self._permit = permit
        scheme = "wss" if request["scheme"] == "https" else "ws"
        try:
            accept = accept_key(request["method"], request["http_version"], request["headers"])
            self._scope = scope_of(request, url, scheme, self._config.root_path)
        except BadHandshake as error:
            headers = ((b"content-type", b"text/plain; charset=utf-8"), *error.more)
            self.write(response(error.status, headers, error.reason.encode()))
            self._transport.close()
            return
        handshake = Handshake(self, self._scope, accept, self._server_state.default_headers)
        self._handler = handshake
        self._is_held = True
        task = self._loop.create_task(handshake.run(self._config.loaded_app))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    # asyncio.Protocol

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)
        if self._permit is not None:
            self._permit.release()
        self._is_lost = True
        self._writable = False
        self._handler.on_unwritable()
        self._end()

    def data_received(self, data: bytes) -> None:
        if not self._unread:
            self._unread = data
        elif isinstance(self._unread, bytearray):
            self._unread += data
        else:
            self._unread = bytearray(self._unread) + data
        self._parse()

    def pause_writing(self) -> None:
        self._writable = False
        self._handler.on_unwritable()

    def resume_writing(self) -> None:
        self._writable = True
        self._handler.on_writable()

    # uvicorn

    def shutdown(self) -> None:
        """The server stops."""
        begin_stop(self._app_state)
        if isinstance(self._handler, Handshake):
            self._handler.refuse(503, b"the service is stopping")
        elif self._has_handler and not self._close_sent:
            self._finish(frames.SERVICE_RESTART, "")
        self._transport.close()

    # FrameWriter

    @property
    def is_attached(self) -> bool:
        """Whether the application has attached a handler."""
        return self._has_handler

    def attach(self, handler: MessageHandler) -> None:
        self._scope, self._has_handler = None, True
        self._handler = handler
        if self._is_lost or self._close_sent or self.is_closing:
            self._end()
        self._loop.call_soon(self.go_on)

    def go_on(self) -> None:
        self._is_held = False
        self._parse()
        if self._end_is_due:
            self._end()

    def is_writable(self) -> bool:
        return self._writable and not (self._close_sent or self._transport.is_closing())

    def write_frames(self, frames: bytes) -> None:
        self._transport.write_now(frames)

    def direct_writer(self) -> Callable[[bytes], object] | None:
        return self._transport.direct_writer() if self.is_writable() else None

    def start_close(self, code: int, reason: str) -> None:
        if self._close_sent or self._transport.is_closing():
            return
        self._send_close(code, reason)
        self._parts, self._part_bytes, self._is_held = None, 0, False
        self._loop.call_soon(self._parse)  # the client's close frame is still of interest
        self._loop.call_later(LINGER_S, self._transport.close)
        self._end()

    def abort(self) -> None:
        self._transport.abort()

    # Handshake

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._is_lost or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write at the end of this turn of the event loop."""
        self._transport.write(data)

    def close(self) -> None:
        """Close it without a close frame: the handshake has failed."""
        if not self._close_sent:
            self._transport.close()

    # Movable

    def own_worker(self) -> int:
        return neighbours_of(self._config).number

    def can_move_to(self, worker: int) -> bool:
        return neighbours_of(self._config).has(worker)

    async def move(self, worker: int, body: bytes) -> bool:
        if self._unread or self._scope is None:
            return False
        request = written_again(self._scope, None)
        return await neighbours_of(self._config).move(worker, self._transport, request)

    # What the client sends

    def _parse(self) -> None:
        stream, at, count = self._unread, 0, 0
        try:
            while at < len(stream) and not self._is_held and not self._transport_ended():
                if count == FRAMES_AT_ONCE:
                    self._is_held = True
                    self._loop.call_soon(self.go_on)
                    break
                frame = read_frame(stream, at, self._config.ws_max_size - self._part_bytes)
                if frame is None:
                    break
                at = frame.end
                count += 1
                self._on_frame(frame)
        except Violation as violation:
            self._finish(violation.code, violation.reason)
            return
        if isinstance(stream, bytearray):
            del stream[:at]
        elif at:
            self._unread = stream[at:]
        self._read(not (self._is_held and self._unread))

    def _transport_ended(self) -> bool:
        """Whether what was received is of no more interest: it was this side that ended it."""
        return self._transport.is_closing() and not self._is_lost

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode < frames.CLOSE:
            if not self._close_sent:
                self._on_part(frame)
        elif frame.opcode == frames.CLOSE:
            self._on_close(frame.payload)
        elif frame.opcode == frames.PING and not self._close_sent:
            self._transport.write(frames.control_frame(frames.PONG, frame.payload))

    def _on_part(self, frame: Frame) -> None:
        if (frame.opcode == frames.CONTINUATION) is (self._parts is None):
            raise Violation(frames.PROTOCOL_ERROR, "a message begins before the end of another, or has no beginning")
        if frame.opcode != frames.CONTINUATION:
            self._text = frame.opcode == frames.TEXT
            if frame.is_final:
                self._on_message(frame.payload)
                return
            self._parts = []
        assert self._parts is not None
        if len(self._parts) == MAX_FRAGMENTS:
            raise Violation(frames.TOO_BIG, f"more than {MAX_FRAGMENTS} parts")
        self._parts.append(frame.payload)
        self._part_bytes += len(frame.payload)
        if frame.is_final:
            parts, self._parts, self._part_bytes = self._parts, None, 0
            self._on_message(b"".join(parts))

    def _on_message(self, payload: bytes) -> None:
        text = None
        if self._text:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                raise Violation(frames.INVALID_DATA, "not UTF-8") from None
        self._is_held = self._handler.on_message(text)

    def _on_close(self, payload: bytes) -> None:
        code = frames.close_code(payload)
        if not self._close_sent:
            self._send_close(code, "")
        self._transport.close()

    def _finish(self, code: int, reason: str) -> None:
        """End it at once."""
        self._unread, self._parts = b"", None
        if not self._close_sent and not self._transport.is_closing():
            self._send_close(code, reason)
        self._transport.close()
        self._end()

    def _send_close(self, code: int, reason: str) -> None:
        self._transport.write(frames.close_frame(code, reason))
        self._close_sent = True
        self._handler.on_unwritable()

    def _end(self) -> None:
        """Tell the handler, once it has processed what was received."""
        if self._is_held and self._has_handler and not self._close_sent:
            self._end_is_due = True
            return
        self._end_is_due = False
        handler, self._handler = self._handler, _IGNORING
        self._loop.call_soon(handler.on_closed)

    def _read(self, wanted: bool) -> None:
        if wanted is self._is_reading or self._is_lost or self._transport.is_closing():
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

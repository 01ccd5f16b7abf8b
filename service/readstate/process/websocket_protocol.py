"""WebSocket as a worker speaks it: uvicorn's, with limits on what a client may send at a time."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from readstate.dialects.http.frame_writer import FRAMES
from readstate.dialects.http.moving import Movable
from readstate.process.connection_limits import Permit
from readstate.process.neighbours import neighbours_of, written_again
from readstate.process.stopping import begin_stop
from readstate.process.transport import LINGER_S, GatheringTransport
from readstate.process.waiting import Gate, SingleReaderQueue

# Parts of one message. An empty part adds nothing to its size, and is kept all the same.
MAX_FRAGMENTS = 1024
# What a client sends is made into messages so many bytes at a time, when the messages before were
# taken: a byte may cost a hundred times as much in a message as in the stream.
PIECE_BYTES = 4096

_BAD_HANDSHAKE = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 88\r\nconnection: close\r\n\r\n"
    b"A WebSocket handshake has no body, at most 128 headers, and lines of at most 8192 bytes."
)


class WebSocketProtocol(WebSocketsSansIOProtocol, Movable):
    """uvicorn's, with an answer to a bad handshake, and limits to parts and to messages at once.

    Text that is not UTF-8 is no error in the log. An application that has finished frames for many
    sockets finds this object in the scope, as the extension FRAMES.
    """

    permit: Permit | None = None
    on_writable: Callable[[], None]
    on_unwritable: Callable[[], None]
    _unread: bytes | memoryview = b""

    def connection_made(self, transport: Any) -> None:
        self.on_writable = self.on_unwritable = lambda: None
        self.queue = SingleReaderQueue()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.permit is not None:
            self.permit.release()
        self.on_unwritable()
        super().connection_lost(exc)
        # A cycle of references stays until garbage is collected, which is seldom. This and the one
        # below would be some 20 KiB of each connection.
        self.conn.parser.close()

    def on_task_complete(self, task: Any) -> None:
        super().on_task_complete(task)
        extensions: Any = self.scope["extensions"]
        extensions.pop(FRAMES, None)

    def data_received(self, data: bytes) -> None:
        self._unread = b"".join((self._unread, data)) if self._unread else data
        self._parse()
        if not self._unread and not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(_BAD_HANDSHAKE)
            self.transport.close()

    async def receive(self) -> Any:
        # Not over uvicorn's: a coroutine that waits takes 250 bytes of each socket.
        message = await self.queue.get()
        if self._unread:
            self._parse()
        if self.read_paused and self.queue.empty() and not self._unread:
            self.read_paused = False
            self.transport.resume_reading()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent:
            self.on_unwritable()
        if message["type"] == "websocket.accept":
            self.request.headers.clear()  # the parser keeps the request for good
            del self.request, self.response
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # else uvicorn reports that it was not

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions: Any = self.scope["extensions"]
            extensions[FRAMES] = self

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"more than {MAX_FRAGMENTS} parts")

    def send_receive_event_to_app(self) -> None:
        # uvicorn logs text that is not UTF-8 as an error, and fails if the client closes in the
        # same piece.
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.on_unwritable()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.on_writable()

    def shutdown(self) -> None:
        begin_stop(self.app_state)
        super().shutdown()
        self.on_unwritable()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """End it at once: the client breaks the protocol."""
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _parse(self) -> None:
        while self._unread and (self.queue.empty() or self.close_sent) and not self.transport.is_closing():
            unread = memoryview(self._unread)
            self._unread = unread[PIECE_BYTES:] or b""  # an empty view would keep all the bytes
            super().data_received(unread[:PIECE_BYTES])  # type: ignore[arg-type]
        if self.transport.is_closing():  # for what the client has sent
            self.on_unwritable()
        elif self._unread and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    # What an application may do without waiting

    def own_worker(self) -> int:
        return neighbours_of(self.config).number

    def can_move_to(self, worker: int) -> bool:
        return neighbours_of(self.config).has(worker)

    async def move(self, worker: int, body: bytes) -> bool:
        if self._unread or not isinstance(self.transport, GatheringTransport):
            return False
        request = written_again(self.scope, None)
        self.handshake_complete = await neighbours_of(self.config).move(worker, self.transport, request)
        return self.handshake_complete

    def is_writable(self) -> bool:
        """Whether the client takes what is written. When it does again, `on_writable` is called."""
        return self.writable.is_set() and not (self.close_sent or self.transport.is_closing())

    def write_frames(self, frames: bytes) -> None:
        """Write finished frames; only while it is writable."""
        transport: Any = self.transport  # a GatheringTransport
        transport.write_now(frames)

    def direct_writer(self) -> Callable[[bytes], object] | None:
        """What writes finished frames in the shortest way, until `on_unwritable` is called; None
        when there is no such way now. It raises RuntimeError for a client that went away.
        """
        return self.transport.direct_writer() if self.is_writable() else None  # type: ignore[attr-defined]

    def start_close(self, code: int, reason: str) -> None:
        """Send a close frame, and close when the client has answered it or after LINGER_S."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.close)

    def abort(self) -> None:
        """Cut the connection, whatever was not sent yet."""
        self.transport.abort()

"""HTTP as a worker speaks it: uvicorn's, with limits on what a client may make a worker hold, and one write for each answer.

The limits. uvicorn keeps the line, the headers and the trailers of a request however long they are, and what a client does not take,
known or not. It waits for the rest of a request for ever, and for ever with a client that does not read its answer. And it lets
one peer have all the connections that a worker can have.

The end. uvicorn closes as soon as it has answered. A client that is still sending a body then hears of a reset and not of the answer, so
a connection is closed in that case when the client has heard it, or after a moment.

The write. uvicorn writes the head of an answer and its body one after the other, and uvloop hands each to the system at once. Two calls
of the system for one small answer were a sixth of a worker's time, and its client woke up twice.

Other protocols. Some clients (Java's, curl's) offer with their first request to go on in HTTP/2. Such an offer may be passed over, but
the parser stops behind the head of the request, and uvicorn takes what follows, its body, for lost.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from functools import cache
from ipaddress import ip_address, ip_network
from random import random
from typing import Any, ClassVar

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from readstate.dialects.http.client_address import Held, network_of
from readstate.dialects.http.query_limits import HEADERS, objection
from readstate.dialects.http.reply import PRIVATE, Headers, TakesWhole
from readstate.dialects.imkit.sockets.websocket import FRAMES

# Line, headers, trailers, and what chunks are wrapped in. What comes in one piece with the beginning of the line is not counted.
MAX_BESIDE_BODY_BYTES = 256 * 1024
# Beyond this nothing is added to what a client has not taken yet. One answer may be longer; after it a sender waits for the client.
MAX_UNTAKEN_BYTES = 1024 * 1024
# Requests of one connection behind the one that is being answered. uvicorn keeps as many as come in one piece of the stream: thousands.
MAX_PIPELINED = 100
# Parts of one WebSocket message. An empty one adds nothing to its size, and is kept all the same.
MAX_FRAGMENTS = 1024
# So long, up to twice, a client may take for a request, or between two moments at which it takes some of its answer.
PATIENCE_S = 60.0

# Chunks, or parts of the stream, that one body may come in: each takes a turn of the parser, however short it is.
MAX_PIECES = 4096
# So long, and for so many bytes, what a client goes on sending is read and dropped once it has its last answer.
LINGER_S = 2.0
MAX_LINGER_BYTES = 16 * 1024 * 1024

# What a client sends on a WebSocket is made into messages so many bytes at a time, when those before were taken: as a
# message a byte may cost a hundred times what it does in the stream.
PIECE_BYTES = 4096

# Under this name in the state of the lifespan: what to call when the server begins to stop.
BEGIN_STOP = "readstate.begin_stop"

# A connection is left alone for so long after each refusal in a row for too many requests, times their number.
PAUSE_STEP_S = 0.01
MAX_PAUSE_S = 1.0
TOO_MANY_REQUESTS = 429

_TOO_MANY = f"More than {MAX_PIPELINED} requests at once."
_BAD_HANDSHAKE = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 88\r\nconnection: close\r\n\r\n"
    b"A WebSocket handshake has no body, at most 128 headers, and lines of at most 8192 bytes."
)


class GatheringTransport:
    """A transport that writes, once in a turn of the event loop, all that was given to it since. Everything else is the real one's."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._left = 0  # bytes that the client had not taken when something was written last
        self.is_asked = False  # the client is in the middle of a request
        self.refused = 0  # answers in a row that said that there were too many requests
        self.is_stopping = False  # the server is, which waits for what was asked: no more pauses
        self.lingers = False  # closed for us, while the client may still send
        self.cut_after_s: float | None = (
            None  # so long a client may take for the rest once it is closed; None: any time
        )

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """What was written is sent first, as with any transport. A client in the middle of a request is let finish, for LINGER_S."""
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
        """With what waits for the end of the turn."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._waiting))

    def has_much_left(self, size: int) -> bool:
        """Whether more than `size` bytes may be left to send, from what is known anyway: nearly every answer asks for it."""
        return self._left > size or (bool(self._waiting) and len(self._waiting[-1]) > size)

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._left = self._transport.get_write_buffer_size()
        # An answer waits for its client; what the protocols say by themselves does not: the pong to each ping.
        if self._left > MAX_UNTAKEN_BYTES:
            self._transport.abort()
            return
        # uvloop's word for a client that went away in this turn.
        with contextlib.suppress(RuntimeError):
            self._transport.write(b"".join(waiting))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Cycle(RequestResponseCycle, TakesWhole):
    """uvicorn's, which looks through the name and the value of every header of every answer. Those of a Reply are known to be sound."""

    def take_whole(self, status: int, media_type: bytes, headers: Headers, body: bytes) -> bool:
        """As `send` would, for an answer that nothing is unusual about."""
        if (
            self.response_started
            or self.flow.write_paused
            or self.disconnected
            or not self.keep_alive
            or self.access_log
            or self.default_headers
            or self.scope["method"] == "HEAD"
        ):
            return False
        head = _head(status, media_type)
        for header in headers:
            if header[0] == b"connection":
                return False
            head += b"%b: %b\r\n" % header
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self.message_event.set()
        if status == TOO_MANY_REQUESTS:
            self._go_on_later()
        else:
            self.transport.refused = 0  # type: ignore[attr-defined]
            self.on_response()
        return True

    def _go_on_later(self) -> None:
        """Refusals cost a worker as much as answers. A client that goes on after many in a row is read less and less often.

        Other users' calls may come by the same connection, from a proxy: each that is answered ends the row.
        """
        transport: Any = self.transport
        transport.refused += 1
        self.flow.pause_reading()
        pause_s = 0.0 if transport.is_stopping else min(transport.refused * PAUSE_STEP_S, MAX_PAUSE_S)
        # Not all connections of a client at the same moment.
        asyncio.get_running_loop().call_later(pause_s * (0.5 + random() / 2), self.on_response)


@cache
def _head(status: int, media_type: bytes) -> bytes:
    """The first line and the headers of every Reply of a kind; there are as many as the code names."""
    return STATUS_LINE[status] + b"".join(
        b"%b: %b\r\n" % header for header in ((b"content-type", media_type), *PRIVATE)
    )


class ServerConfig(Config):
    """uvicorn's, and how many connections one address may have on a worker; 0: any number. `trusted` ones are not counted."""

    def __init__(
        self, *arguments: Any, address_connection_limit: int = 0, trusted: Collection[str] = (), **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.address_connection_limit = address_connection_limit
        self.trusted = [ip_network(proxy) for proxy in trusted]

    def counts(self, address: str) -> bool:
        """Whether the connections of an address are counted."""
        if not address or not self.address_connection_limit:
            return False
        known = ip_address(address.partition("%")[0])
        return not any(known in network for network in self.trusted)


class Place:
    """What a connection takes of its address's share."""

    _held: ClassVar[Held | None] = None

    def __init__(self, config: Config, client: tuple[str, int] | None) -> None:
        self.address = ""
        self.is_free = True
        if isinstance(config, ServerConfig) and client and config.counts(client[0]):
            self.address = network_of(client[0])
            held = Place._held = Place._held or Held("connections", config.address_connection_limit)
            self.is_free = held.has_room(self.address)
            held.hold(self.address)

    def leave(self) -> None:
        """The connection is no more; once."""
        if self.address and Place._held is not None:
            Place._held.release(self.address)
            self.address = ""


class HttpProtocol(HttpToolsProtocol):
    """See the module. The WebSockets that connections become are on such a transport, too."""

    _counted: Any = None  # the scope of the request that is being counted
    _beside_body = 0  # bytes of it after the piece of the stream in which it began
    _seen: tuple[Any, int] = (
        None,
        0,
    )  # at the last look: the scope of the request, and how much the client had not taken
    _look_later: asyncio.TimerHandle
    _gathering: GatheringTransport
    _place: Place
    _refusal: tuple[int, str] | None = None  # what is wrong with the request that is being parsed
    _pieces = 0  # in which the body of the request has come so far
    _dropped = 0  # bytes that came after the last answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gathering = GatheringTransport(transport, self.loop)
        super().connection_made(self._gathering)  # type: ignore[arg-type]
        self._look_later = self.loop.call_later(PATIENCE_S, self._look)
        self._place = Place(self.config, self.client)
        if not self._place.is_free:
            self._refuse(429, "Too many connections of this address.", "retry-after: 1\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_later.cancel()
        self._place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._gathering.lingers:
            self._dropped += len(data)
            if self._dropped > MAX_LINGER_BYTES:
                self.transport.abort()
            return
        self._beside_body += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            # The client's doing, and no line in the log: there could be any number of them.
            self._gathering.is_asked = True  # the rest of what the client says cannot be told from its beginning
            self._refuse(*(self._refusal or (400, "Invalid HTTP request received.")))
            return
        if self.scope is not self._counted:
            self._counted, self._beside_body = self.scope, 0
        elif self._beside_body > MAX_BESIDE_BODY_BYTES:
            self._refuse(431, f"Beside its body a request must have at most {MAX_BESIDE_BODY_BYTES} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        # uvicorn's, written out: a call for each header of each request is felt.
        headers = self.headers
        if len(headers) >= HEADERS:
            self._stop_parsing(431, f"A request must have at most {HEADERS} headers.")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._passes_over_upgrade():
            return
        if reason := objection(self.url):
            self._stop_parsing(414, reason)
        self._gathering.is_asked, self._pieces = True, 0
        super().on_headers_complete()
        if len(self.pipeline) > MAX_PIPELINED:
            self._stop_parsing(400, _TOO_MANY)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            self._stop_parsing(400, f"A body must come in at most {MAX_PIECES} pieces.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._passes_over_upgrade():
            self._gathering.is_asked = False
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._look_later.cancel()
        self._gathering.is_asked, self._gathering.cut_after_s = False, LINGER_S
        super().handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        protocol.place = self._place

    def shutdown(self) -> None:
        _begin_stop(self.app_state)
        self._gathering.is_stopping = True
        super().shutdown()

    def _stop_parsing(self, status: int, reason: str) -> None:
        """To be called while parsing: the parser makes an HttpParserError of what is raised here."""
        self._refusal = (status, reason)
        raise OverflowError(reason)

    def _refuse(self, status: int, reason: str, more: str = "") -> None:
        """Answer in plain text before anything of the service has seen the request, and close."""
        head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(reason)}\r\n{more}connection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + f"{head}{reason}".encode("ascii"))
        self.transport.close()

    def _parse(self, data: bytes) -> None:
        """Feed the parser. Raises HttpParserError."""
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if not self._passes_over_upgrade():
                    if self._should_upgrade():
                        self.handle_websocket_upgrade()
                    return
                rest = rest[upgrade.args[0] :]
                self._start_over_without_upgrade()

    def _passes_over_upgrade(self) -> bool:
        """Whether the request that is being parsed offers another protocol than WebSocket. CONNECT, which is refused, offers nothing."""
        return self.parser.should_upgrade() and not self._should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _start_over_without_upgrade(self) -> None:
        """Let a new parser take the head of the request once more, without the offer, so that it goes on with the body."""
        head = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.parser.feed_data(b"".join(head) + b"\r\n")

    def _look(self) -> None:
        """Cut the connection when nothing has come of it since the last look, and that is the client's doing."""
        now = (self.scope, self.transport.get_write_buffer_size())
        if self._is_clients_turn() and now[0] is self._seen[0] and now[1] == self._seen[1]:
            self.transport.abort()
            return
        self._seen = now
        self._look_later = self.loop.call_later(PATIENCE_S, self._look)

    def _is_clients_turn(self) -> bool:
        """Whether the client has to send the rest of a request, or to take an answer. Between requests uvicorn looks by itself."""
        if self.transport.is_closing() or self.flow.write_paused:
            return True
        if self.timeout_keep_alive_task is not None:
            return False
        return (
            self.cycle is None
            or self.scope is not self.cycle.scope
            or self.cycle.more_body
            or self.cycle.response_complete
        )


def _begin_stop(state: dict[str, Any]) -> None:
    """Tell the application that the server stops, before it waits for what runs: long-polling requests among it."""
    state.get(BEGIN_STOP, _nothing)()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, which leaves a client without an answer when it cannot read the handshake, takes a message in any number
    of parts, and any number of messages in one piece, and logs an error for text that is not UTF-8.

    An application with finished frames for many sockets finds it in the scope, as the extension FRAMES
    (`realtime.websocket.Pipe`).
    """

    place: Place | None = None
    on_writable: Callable[[], None]
    _unread: bytes | memoryview = b""

    def connection_made(self, transport: Any) -> None:
        self.on_writable = _nothing
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.place is not None:
            self.place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread = b"".join((self._unread, data)) if self._unread else data
        self._parse()
        if not self._unread and not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(_BAD_HANDSHAKE)
            self.transport.close()

    async def receive(self) -> Any:
        message = await super().receive()
        if self._unread:
            self._parse()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
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
        # uvicorn logs text that is not UTF-8 as an error, and fails at it when the client closes in the same piece.
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.on_writable()

    def shutdown(self) -> None:
        _begin_stop(self.app_state)
        super().shutdown()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """End it at once: what the client sends is against the protocol."""
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _parse(self) -> None:
        while self._unread and (self.queue.empty() or self.close_sent) and not self.transport.is_closing():
            unread = memoryview(self._unread)
            self._unread = unread[PIECE_BYTES:]
            super().data_received(unread[:PIECE_BYTES])  # type: ignore[arg-type]
        if self._unread and not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    # What an application may do without waiting

    def is_writable(self) -> bool:
        """Whether the client takes what is written. When it does so again, `on_writable` is called."""
        return self.writable.is_set() and not self.close_sent and not self.transport.is_closing()

    def write_frames(self, frames: bytes) -> None:
        """Write finished frames; only while it is writable."""
        self.transport.write(frames)

    def say_goodbye(self, code: int, reason: str) -> None:
        """Close: a close frame, and the end when the client has answered it or LINGER_S are over."""
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


def _nothing() -> None:
    pass

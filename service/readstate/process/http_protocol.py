"""HTTP as a worker speaks it: uvicorn's, with limits and with one write for each answer.

Limits. uvicorn keeps the first line, the headers and the trailers of a request however long they
are. It keeps what a client does not take, whatever that client is. It waits without end for the
rest of a request, and for a client that does not read its answer. It lets one peer have all the
connections that a worker can have.

Closing. uvicorn closes a connection as soon as it has answered. A client that is still sending a
body then gets a reset in place of the answer. So such a connection is closed when the client has
finished, or after a moment. When the service stops, uvicorn closes a connection on which no request
has arrived, and one that is on its way is lost. So such a connection is closed a moment later.

Writing. uvicorn writes the head of an answer and its body one after the other, and uvloop passes
each to the system at once. Two system calls for one small answer took a sixth of a worker's time,
and the client woke up twice.

Other protocols. Some clients (Java's, curl's) offer HTTP/2 in their first request. A server may
ignore such an offer, but the parser stops after the head of the request, and uvicorn loses the body
that follows.
"""

import asyncio
from functools import cache
from random import random
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from readstate.dialects.http.moving import Movable
from readstate.dialects.http.query_limits import HEADERS, why_too_long
from readstate.dialects.http.reply import PRIVATE, Headers, WholeReplySender
from readstate.process.connection_limits import Permit
from readstate.process.neighbours import neighbours_of, written_again
from readstate.process.stopping import begin_stop
from readstate.process.transport import LINGER_S, GatheringTransport
from readstate.process.websocket_protocol import WebSocketProtocol

# First line, headers, trailers, and the framing of chunks. What comes in one piece of the stream
# with the beginning of the first line is not counted.
MAX_BESIDE_BODY_BYTES = 256 * 1024
# Requests of one connection that wait behind the one that is being answered. uvicorn keeps as many
# as come in one piece of the stream: thousands.
MAX_PIPELINED = 100
# Time for a client to send a request, or between two moments at which it takes some of its answer.
# It is looked at in this interval, so it may be twice as long.
PATIENCE_S = 60.0
# Chunks, or pieces of the stream, that one body may come in: each takes a turn of the parser,
# however short it is.
MAX_PIECES = 4096
# What a client may send after its last answer. It is read and dropped, for LINGER_S.
MAX_LINGER_BYTES = 16 * 1024 * 1024
# When the service stops: how long a connection without a request stays open for one.
LAST_REQUEST_S = 0.5
# Pause before the next request of a connection is read, for each "too many requests" in a row.
PAUSE_STEP_S = 0.01
MAX_PAUSE_S = 1.0
TOO_MANY_REQUESTS = 429

_TOO_MANY = f"More than {MAX_PIPELINED} requests at once."
_TOO_EARLY = "A WebSocket handshake must wait for the answers to the requests before it."


class Cycle(RequestResponseCycle, WholeReplySender, Movable):
    """uvicorn's, with a short way for a Reply, and one to another worker.

    uvicorn checks the name and the value of every header of every answer. Those of a Reply are
    known to be sound.
    """

    def send_whole_reply(self, status: int, media_type: bytes, headers: Headers, body: bytes) -> bool:
        """As `send` would, for an ordinary answer.

        False when it is none, and `send` must be used.
        """
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

    def own_worker(self) -> int:
        return neighbours_of(self._protocol().config).number

    def can_move_to(self, worker: int) -> bool:
        return neighbours_of(self._protocol().config).has(worker)

    async def move(self, worker: int, body: bytes) -> bool:
        protocol = self._protocol()
        if protocol.pipeline or protocol.scope is not self.scope:
            return False  # the beginning of another request was read
        request = written_again(self.scope, body if self.scope["method"] == "POST" else None)
        self.disconnected = await neighbours_of(protocol.config).move(worker, protocol._gathering, request)
        return self.disconnected

    def _protocol(self) -> "HttpProtocol":
        protocol: HttpProtocol = self.transport.get_protocol()  # type: ignore[assignment]
        return protocol

    def _go_on_later(self) -> None:
        """Read a client less and less often while its calls are refused: these cost as much as any.

        A proxy sends the calls of other users over the same connection. Each call that is answered
        ends the row of refusals.
        """
        transport: Any = self.transport
        transport.refused += 1
        self.flow.pause_reading()
        pause_s = 0.0 if transport.is_stopping else min(transport.refused * PAUSE_STEP_S, MAX_PAUSE_S)
        # At random, so that the connections of a client do not go on at the same moment.
        asyncio.get_running_loop().call_later(pause_s * (0.5 + random() / 2), self.on_response)


@cache
def _head(status: int, media_type: bytes) -> bytes:
    """The first line and the headers of every Reply of a kind.

    There are as many kinds as the code names.
    """
    return STATUS_LINE[status] + b"".join(
        b"%b: %b\r\n" % header for header in ((b"content-type", media_type), *PRIVATE)
    )


class HttpProtocol(HttpToolsProtocol):
    """See the module. A connection that becomes a WebSocket keeps its transport."""

    _counted: Any = None  # the scope of the request that is being counted
    _beside_body = 0  # bytes of it after the piece of the stream in which it began
    # At the last look: the scope of the request, and how many bytes the client had not taken.
    _seen: tuple[Any, int] = (None, 0)
    _look_later: asyncio.TimerHandle
    _gathering: GatheringTransport
    _permit: Permit
    beginning = b""  # what another worker has read of the connection
    _refusal: tuple[int, str] | None = None  # what is wrong with the request that is being parsed
    _pieces = 0  # of the body of the request, so far
    _dropped = 0  # bytes that came after the last answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gathering = GatheringTransport(transport, self.loop)
        super().connection_made(self._gathering)  # type: ignore[arg-type]
        self._look_later = self.loop.call_later(PATIENCE_S, self._look)
        self._permit = Permit(self.config, self.client)
        if not self._permit.is_granted:
            self._refuse(429, "Too many connections of this address.", "retry-after: 1\r\n")
        elif self.beginning:
            self.data_received(self.beginning)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_later.cancel()
        self._permit.release()
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
            # The client's mistake. It is not logged: there could be any number of lines.
            self._gathering.is_asked = True  # what follows cannot be told apart from the rest of this request
            self._refuse(*(self._refusal or (400, "Invalid HTTP request received.")))
            return
        if self.scope is not self._counted:
            self._counted, self._beside_body = self.scope, 0
        elif self._beside_body > MAX_BESIDE_BODY_BYTES:
            self._refuse(431, f"Beside its body a request must have at most {MAX_BESIDE_BODY_BYTES} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        # uvicorn's, copied: a call for each header of each request would be felt.
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
        if reason := why_too_long(self.url):
            self._stop_parsing(414, reason)
        self._gathering.is_asked, self._pieces = True, 0
        if self.parser.should_upgrade() and self.cycle is not None and not self.cycle.response_complete:
            self._stop_parsing(400, _TOO_EARLY)
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
        self._unset_keepalive_if_required()
        self._gathering.is_asked, self._gathering.cut_after_s = False, LINGER_S
        self.connections.discard(self)
        websocket = WebSocketProtocol(self.config, self.server_state, self.app_state, self.loop, self._gathering)
        self.transport.set_protocol(websocket)
        websocket.open(self.scope, self.url, self._permit)  # type: ignore[arg-type]  # ours is a plain dict
        # A cycle of references, which would stay until garbage is collected.
        self.parser = None  # type: ignore[assignment]

    def shutdown(self) -> None:
        # uvicorn closes a connection without a request at once, and a request that is on its way is
        # lost. Here such a connection gets time for one more, after which it is closed.
        begin_stop(self.app_state)
        self._gathering.is_stopping = True
        self._start_asgi_task = self._start_last_task  # type: ignore[method-assign]
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    def _start_last_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.keep_alive = bool(self.pipeline)
        HttpProtocol._start_asgi_task(self, cycle, app)

    def _stop_parsing(self, status: int, reason: str) -> None:
        """Refuse the request that is being parsed.

        The parser turns the error into an HttpParserError.
        """
        self._refusal = (status, reason)
        raise OverflowError(reason)

    def _refuse(self, status: int, reason: str, more: str = "") -> None:
        """Answer in plain text, before the application sees the request, and close."""
        headers = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(reason)}\r\n{more}"
        self.transport.write(STATUS_LINE[status] + f"{headers}connection: close\r\n\r\n{reason}".encode("ascii"))
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
                        if frames := bytes(rest[upgrade.args[0] :]):
                            self.transport.get_protocol().data_received(frames)  # type: ignore[attr-defined]
                    return
                rest = rest[upgrade.args[0] :]
                self._start_over_without_upgrade()

    def _passes_over_upgrade(self) -> bool:
        """Whether the request that is being parsed offers a protocol other than WebSocket.

        CONNECT, which is refused, offers nothing.
        """
        return self.parser.should_upgrade() and not self._should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _start_over_without_upgrade(self) -> None:
        """Parse the head of the request again without the offer; the parser then takes the body."""
        head = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.parser.feed_data(b"".join(head) + b"\r\n")

    def _look(self) -> None:
        """Cut the connection if it is the client's turn and nothing came since the last look."""
        now = (self.scope, self.transport.get_write_buffer_size())
        if self._is_clients_turn() and now[0] is self._seen[0] and now[1] == self._seen[1]:
            self.transport.abort()
            return
        self._seen = now
        self._look_later = self.loop.call_later(PATIENCE_S, self._look)

    def _is_clients_turn(self) -> bool:
        """Whether the client has to send the rest of a request, or to take an answer.

        Between requests uvicorn has a limit of its own.
        """
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

"""One connection to a client: its encoding, its user, its send queue, and how it is closed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from msgspec import Struct

from readstate import metrics
from readstate.dialects.imkit.sockets import packets
from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument
from readstate.dialects.imkit.sockets.packets import POLICY_VIOLATION, EventBatch, Packet, PacketRate, ServerEvent
from readstate.dialects.imkit.sockets.send_queue import QueueBudgets, SendQueue
from readstate.domain.identity import Session

JOIN_BELOW = 8  # packets in the queue

_PING = Packet(packets.PING)
_CLOSE = Packet(packets.CLOSE)
_DISCONNECT = Packet(packets.MESSAGE + packets.DISCONNECT)


class CloseReason(Struct, frozen=True):
    """Why a connection is closed.

    `final`: the client is told not to reconnect by itself (Socket.IO DISCONNECT). `at_once`: queued
    packets are not sent any more, because the client would not read them.
    """

    code: int  # of the websocket's close frame
    reason: str
    final: bool = False
    at_once: bool = False


AUTH_REFUSED = CloseReason(POLICY_VIOLATION, "not authenticated", final=True)
TOKEN_ENDED = CloseReason(POLICY_VIOLATION, "the token is no longer valid", final=True)
AUTH_TIMEOUT = CloseReason(POLICY_VIOLATION, "not authenticated in time")
PING_TIMEOUT = CloseReason(POLICY_VIOLATION, "a ping was not answered")
SLOW_CLIENT = CloseReason(1013, "reads too slowly", at_once=True)
RATE_LIMITED = CloseReason(1013, "too many requests")
STATE_LOST = CloseReason(1011, "try again")
STOPPING = CloseReason(1012, "service restart")
CLIENT_LEFT = CloseReason(1000, "gone")


class Transport(Protocol):
    """What carries the packets of a connection: a websocket, or successive polling requests."""

    has_close_packet: ClassVar[bool]  # the client learns of the end by a packet

    def is_writable(self) -> bool:
        """Whether packets may be sent now.

        When this becomes true later, the connection's `flush` is called.
        """

    def send(self, packets: Sequence[Packet]) -> None: ...

    def direct_writer(self) -> Callable[[bytes], object] | None:
        """What sends a frame in the shortest way, until the connection's `on_unwritable` is called;
        None: there is no such way now. It raises RuntimeError when the client went away.
        """

    def close(self, code: int, reason: str) -> None:
        """Close it. All packets have been sent."""

    def abort(self) -> None:
        """Close it at once, without the packets that are still queued."""


class ConnectionHost(Protocol):
    """What a connection reports to."""

    def flush_soon(self, connection: "Connection") -> None: ...
    def on_ping_sent(self, connection: "Connection") -> None: ...
    def on_authenticated(self, connection: "Connection") -> None: ...
    def on_closing(self, connection: "Connection", reason: CloseReason) -> None: ...


@dataclass(slots=True, eq=False)
class Connection:
    """One connection from its handshake to its end. No method waits."""

    sid: str
    transport: Transport
    host: ConnectionHost
    budgets: QueueBudgets
    rate: PacketRate
    client_key: str  # from the handshake
    address: str  # of the client
    encoding: Encoding = Encoding.RAW
    is_connected: bool = False  # to the namespace
    follows: bool = False  # the read state of its user: `badge` and `sync` are for it
    session: Session | None = None
    watched: frozenset[str] | None = None  # rooms whose `lastRead` it wants; None: all
    authenticated_at_s: float = 0.0
    held_events: list[bytes] = field(default_factory=list)  # packets that came before auth2, unchanged
    held_bytes: int = 0
    _queue: SendQueue = field(init=False)
    # The transport's direct writer. It is there while the transport takes frames and no packet is
    # queued, so `flush` asks for neither.
    _write: Callable[[bytes], object] | None = None
    _single: Packet | None = None  # the only packet of this turn, for `_write`: the usual case
    _close_reason: CloseReason | None = None

    def __post_init__(self) -> None:
        self._queue = SendQueue(self._on_overflow)
        self._queue.count_in(self.budgets.of(self.address))

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called. Queued packets may still be sent."""
        return self._close_reason is not None

    def authenticate(self, session: Session, now_s: float) -> None:
        """The client is the user of `session`, in whose budget the queue counts from now on."""
        self.session = session
        self.authenticated_at_s = now_s
        self._queue.count_in(self.budgets.of(session.app, session.user))
        self.host.on_authenticated(self)

    def send_event(self, event: ServerEvent) -> None:
        """Queue an event."""
        self._send(event.packet(self.encoding))

    def send_batch(self, batch: EventBatch) -> None:
        """Queue events, joined if little waits: else newer ones may replace them one by one."""
        if len(self._queue) >= JOIN_BELOW:
            for event in batch.events:
                self._send(event.packet(self.encoding))
        else:
            for packet in batch.joined(self.encoding):
                self._send(packet)

    def send_text(self, text: str) -> None:
        """Queue a packet for this client alone."""
        self._send(Packet(text))

    def send_ack(self, ack_id: str, payload: bytes, encoding: Encoding) -> None:
        """Queue the ack of a client event."""
        self.send_text(f"{packets.MESSAGE}{packets.ACK}{ack_id}[{as_argument(payload, encoding)}]")

    def send_ping(self) -> None:
        """Queue a ping."""
        if not self.is_closing:
            self._send(_PING)
            self.host.on_ping_sent(self)

    def close(self, reason: CloseReason) -> None:
        """Send the queued packets, then close. Returns at once. A second call does nothing."""
        if self.is_closing:
            return
        self._close_reason = reason
        self._queue_single()
        self.host.on_closing(self, reason)
        if reason.at_once:
            self._queue.is_sealed = True
            self.transport.abort()
            return
        # A client that gets DISCONNECT closes by itself. With a close packet in the same response,
        # some clients would overlook the ack that says why.
        if reason.final:
            self._send(_DISCONNECT)
        elif self.transport.has_close_packet:
            self._send(_CLOSE)
        self._queue.is_sealed = True
        self.host.flush_soon(self)

    def flush(self) -> None:
        """Send as many queued packets as the transport takes."""
        if self._single is not None and self._write is not None:
            single, self._single = self._single, None
            try:
                self._write(single.frame)
            except RuntimeError:
                self._write = None  # the client went away in this turn, and that is reported soon
            return
        self._queue_single()
        if self._queue and self.transport.is_writable():
            self.transport.send(self._queue.pop_batch())
            if self._queue:
                self.host.flush_soon(self)
        if self._queue:
            return
        if self._close_reason is not None:
            self.transport.close(self._close_reason.code, self._close_reason.reason)
        else:
            self._write = self.transport.direct_writer()

    def on_unwritable(self) -> None:
        """The transport takes nothing more for now. When it does again, it calls `flush`."""
        self._queue_single()

    def on_transport_closed(self) -> None:
        """The transport is closed, by either side."""
        self.close(CLIENT_LEFT)
        self._queue.count_in(None)
        self._queue.on_overflow = lambda: None

    def _send(self, packet: Packet) -> None:
        if self._write is None or self._single is not None:
            self._queue_single()
            self._queue.push(packet)
        else:
            self._single = packet
        self.host.flush_soon(self)

    def _queue_single(self) -> None:
        """Let what comes next wait behind the packet of this turn."""
        self._write = None
        if self._single is not None:
            single, self._single = self._single, None
            self._queue.push(single)

    def _on_overflow(self) -> None:
        self.close(SLOW_CLIENT)


def send_to_all(connections: Iterable[Connection], event: ServerEvent) -> None:
    """Send an event to each. One that is found to be too slow leaves at once."""
    concerned = list(connections)
    for connection in concerned:
        connection.send_event(event)
    if concerned:
        metrics.NOTICES_SENT.labels(event.name).inc(len(concerned))

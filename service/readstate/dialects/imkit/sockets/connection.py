"""One socket: how it wants to be spoken to, whose it is, and how it ends."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from msgspec import Struct

from readstate.dialects.imkit.sockets.backlog import Allowances, Backlog
from readstate.dialects.imkit.sockets.delay import Delay
from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument
from readstate.dialects.imkit.sockets.packets import (
    ACK,
    CLOSE,
    DISCONNECT,
    MESSAGE,
    PING,
    POLICY_VIOLATION,
    Bucket,
    Outgoing,
    Packet,
)
from readstate.domain.identity import Session

_PING = Packet(PING)
_CLOSE = Packet(CLOSE)
_DISCONNECT = Packet(MESSAGE + DISCONNECT)


class Farewell(Struct, frozen=True):
    """Why a connection ends.

    `final`: the client is told not to come back by itself (Socket.IO DISCONNECT). `at_once`: nothing more is sent,
    because the client would not read it.
    """

    code: int  # of the websocket close frame
    reason: str
    final: bool = False
    at_once: bool = False


REFUSED = Farewell(POLICY_VIOLATION, "not authenticated", final=True)
INVALID_TOKEN = Farewell(POLICY_VIOLATION, "the token is no longer valid", final=True)
TOO_LATE = Farewell(POLICY_VIOLATION, "not authenticated in time")
SILENT = Farewell(POLICY_VIOLATION, "a ping was not answered")
TOO_SLOW = Farewell(1013, "reads too slowly", at_once=True)
TOO_OFTEN = Farewell(1013, "too many requests")
STATE_LOST = Farewell(1011, "try again")
STOPPING = Farewell(1012, "service restart")
GONE = Farewell(1000, "gone")


class Line(Protocol):
    """What carries the packets of a connection: a websocket, or one long-polling request after the other."""

    says_close: ClassVar[bool]  # its end is told by a packet

    def is_ready(self) -> bool:
        """Whether something may be sent now. When that becomes so later, `flush` of the connection is called."""

    def send(self, packets: Sequence[Packet]) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Everything was sent."""

    def cut(self) -> None:
        """End it, whatever still waits to be sent."""


class Host(Protocol):
    """What connections share."""

    allowances: Allowances
    deadlines: Delay["Connection"]  # by when each has to authenticate
    lingers: Delay["Connection"]  # until when each that ends may take what waits for it

    def flush_soon(self, connection: "Connection") -> None: ...
    def pinged(self, connection: "Connection") -> None: ...
    def ends(self, connection: "Connection", farewell: Farewell) -> None: ...


class Connection:
    """See the module. Nothing here waits for anything."""

    __slots__ = (
        "_backlog",
        "_farewell",
        "_host",
        "address",
        "bucket",
        "client_key",
        "encoding",
        "held",
        "held_bytes",
        "is_connected",
        "line",
        "session",
        "sid",
        "since_s",
    )

    def __init__(self, sid: str, host: Host, line: Line, bucket: Bucket, *, client_key: str, address: str) -> None:
        self.sid = sid
        self.line = line
        self.bucket = bucket
        self.client_key = client_key  # named in the handshake
        self.address = address  # that it was opened from
        self.encoding = Encoding.RAW
        self.is_connected = False  # to the namespace
        self.session: Session | None = None
        self.since_s = 0.0
        self.held: list[bytes] = []  # events that were said before auth2, as they came
        self.held_bytes = 0
        self._host = host
        self._backlog = Backlog(self._give_up)
        self._backlog.count_towards(host.allowances.of(address))
        self._farewell: Farewell | None = None

    @property
    def ended(self) -> bool:
        """Whether it has been decided that it ends. It may still take what waits for it."""
        return self._farewell is not None

    def belongs_to(self, session: Session, since_s: float) -> None:
        """It is authenticated, at `since_s`. What waits for this client is part of what its user may leave waiting."""
        self.session = session
        self.since_s = since_s
        self._backlog.count_towards(self._host.allowances.of(session.app, session.user))
        self._host.deadlines.drop(self)

    def send(self, outgoing: Outgoing) -> None:
        self._put(outgoing.packet(self.encoding))

    def tell(self, text: str) -> None:
        """Send one packet to this client alone."""
        self._put(Packet(text))

    def acknowledge(self, ack_id: str, payload: bytes, encoding: Encoding) -> None:
        self.tell(f"{MESSAGE}{ACK}{ack_id}[{as_argument(payload, encoding)}]")

    def ping(self) -> None:
        """It is time for one."""
        if not self.ended:
            self._put(_PING)
            self._host.pinged(self)

    def end(self, farewell: Farewell) -> None:
        """Send what waits, then say goodbye and close. Returns at once; doing it twice is the same as once."""
        if self.ended:
            return
        self._farewell = farewell
        self._host.ends(self, farewell)
        if farewell.at_once:
            self._backlog.is_sealed = True
            self.line.cut()
            return
        # A final goodbye makes the client close by itself. A close packet in the same answer would, in some clients,
        # overtake the ack that says why.
        if farewell.final:
            self._put(_DISCONNECT)
        elif self.line.says_close:
            self._put(_CLOSE)
        self._backlog.is_sealed = True
        self._host.lingers.put(self)
        self._host.flush_soon(self)

    def flush(self) -> None:
        """Send what waits, as far as the line takes it."""
        if self._backlog and self.line.is_ready():
            self.line.send(self._backlog.take())
            if self._backlog:
                self._host.flush_soon(self)
        if self._farewell is not None and not self._backlog:
            self.line.close(self._farewell.code, self._farewell.reason)

    def gone(self) -> None:
        """The line is no more."""
        self.end(GONE)
        self._backlog.count_towards(None)
        self._backlog.on_full = _nobody

    def _put(self, packet: Packet) -> None:
        self._backlog.put(packet)
        self._host.flush_soon(self)

    def _give_up(self) -> None:
        self.end(TOO_SLOW)


def _nobody() -> None:
    pass

"""Engine.IO 4 and Socket.IO 5 packets: what a client may say, checked first, and what it is told, ready to be sent.

Spoken is what IMKit's clients speak: text packets of the namespace "/". See github.com/socketio/engine.io-protocol and
socketio/socket.io-protocol, whose words are used here: a packet's first character is its type.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument, load_json

# Of Engine.IO.
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "2probe"
PROBED = "3probe"
SEPARATOR = "\x1e"  # between the packets of one long-polling request or answer
# Of Socket.IO, within a message. Binary ones (5, 6) are not spoken here.
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "01234"
MAIN = "/"  # the one namespace

EVENTS_PER_S = 50
EVENTS_AT_ONCE = 100
PATIENCE_S = 60.0  # a client that says more than that for so long is sent away
MAX_ACK_DIGITS = 100

POLICY_VIOLATION = 1008

_TEXT_FRAME = 0x81  # final, opcode 1; a server's frames are not masked
_SAID = re.compile(r"([0-3])(?:(/[^,]*),?)?([0-9]*)", re.ASCII)


class Violation(Exception):
    """What a client said is against the protocol: its connection ends."""


class Packet:
    """One Engine.IO packet to clients, made once for all that get it: a finished websocket frame around it.

    `receipt` marks a `lastRead`: (room, member); of several that wait in one backlog the newest is enough.
    """

    __slots__ = ("frame", "receipt")

    def __init__(self, text: str, receipt: tuple[str, str] | None = None) -> None:
        self.frame = _framed(text.encode())
        self.receipt = receipt

    @property
    def text(self) -> bytes:
        """The packet alone, as long-polling sends it."""
        return self.frame[{126: 4, 127: 10}.get(self.frame[1], 2) :]


def _framed(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        return bytes((_TEXT_FRAME, size)) + text
    if size < 65_536:
        return bytes((_TEXT_FRAME, 126)) + size.to_bytes(2, "big") + text
    return bytes((_TEXT_FRAME, 127)) + size.to_bytes(8, "big") + text


class Outgoing:
    """One event on its way to many sockets: encoded when first needed, once for each encoding, and then shared.

    `payload` is JSON; `receipt` as in Packet.
    """

    __slots__ = ("_packets", "_payload", "event", "receipt")

    def __init__(self, event: str, payload: bytes, receipt: tuple[str, str] | None = None) -> None:
        self.event = event
        self._payload = payload
        self._packets: dict[Encoding, Packet] = {}
        self.receipt = receipt

    def packet(self, encoding: Encoding) -> Packet:
        packet = self._packets.get(encoding)
        if packet is None:
            text = f'{MESSAGE}{EVENT}["{self.event}",{as_argument(self._payload, encoding)}]'
            packet = self._packets[encoding] = Packet(text, self.receipt)
        return packet


class Said(Struct, frozen=True):
    """One Socket.IO packet of a client. `ack_id` is echoed as it came; "" for none. `text` is all of it."""

    kind: str
    namespace: str
    ack_id: str
    data: Any
    text: str


def understand(text: str) -> Said:
    """The Socket.IO packet in an Engine.IO message. Raises Violation."""
    head = _SAID.match(text)
    if head is None or len(head[3]) > MAX_ACK_DIGITS:
        raise Violation("not a packet that a client sends")
    try:
        data = load_json(text[head.end() :]) if head.end() < len(text) else None
    except ValueError:
        raise Violation("not JSON") from None
    kind = head[1]
    if not _MAY_HOLD[kind](data):
        raise Violation("a packet of this type does not hold this")
    return Said(kind, (head[2] or MAIN).partition("?")[0], head[3], data, text)


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


_MAY_HOLD: dict[str, Callable[[Any], bool]] = {
    CONNECT: lambda data: data is None or isinstance(data, dict),
    DISCONNECT: lambda data: data is None,
    EVENT: _is_event,
    ACK: lambda data: isinstance(data, list),
}


def packets_of(body: bytes) -> Iterator[str]:
    """The packets of a long-polling POST, one after the other: there may be thousands. Raises Violation."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Violation("not UTF-8") from None
    start = 0
    while (end := text.find(SEPARATOR, start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


class Bucket:
    """How fast a client may speak: EVENTS_PER_S on average, EVENTS_AT_ONCE in a burst; what is more has to wait."""

    __slots__ = ("_full_at", "_now", "_slow_since")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._full_at = 0.0  # when nothing is owed
        self._slow_since = 0.0  # 0: it does not have to wait

    def take(self) -> float:
        """Take one: how many seconds it has to wait for its turn. Raises Violation after PATIENCE_S of waiting."""
        now = self._now()
        self._full_at = max(self._full_at, now) + 1 / EVENTS_PER_S
        wait_s = self._full_at - now - EVENTS_AT_ONCE / EVENTS_PER_S
        if wait_s <= 0:
            self._slow_since = 0.0
            return 0.0
        self._slow_since = self._slow_since or now
        if now - self._slow_since > PATIENCE_S:
            raise Violation(f"more than {EVENTS_PER_S} packets a second for {PATIENCE_S:g} seconds")
        return wait_s

"""Engine.IO 4 and Socket.IO 5 packets: decoding those of clients, and encoding those to clients.

Supported is what IMKit's clients use: text packets in the namespace "/". The first character of a
packet is its type. The names are those of github.com/socketio/engine.io-protocol and
socketio/socket.io-protocol.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from readstate.batches import in_batches
from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument, load_json

# Packet types of Engine.IO.
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
PROBE = "2probe"
PROBE_REPLY = "3probe"
SEPARATOR = "\x1e"  # between the packets of one long-polling request or response
# Packet types of Socket.IO, within an Engine.IO message. Binary ones (5, 6) are not supported.
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "01234"
MAIN_NAMESPACE = "/"  # the only one

PACKETS_PER_S = 50
PACKET_BURST = 100
MAX_OVERLOAD_S = 60.0  # a client that exceeds the rate for so long is disconnected
MAX_ACK_DIGITS = 100

JOINED_AT_MOST = 128  # events in one packet

POLICY_VIOLATION = 1008  # close code of a websocket

_TEXT_FRAME = 0x81  # final frame, opcode 1; a server's frames are not masked
_HEAD = re.compile(r"([0-3])(?:(/[^,]*),?)?([0-9]*)", re.ASCII)


class ProtocolError(Exception):
    """A client has sent something that is against the protocol. Its connection is closed."""


class Packet:
    """One Engine.IO packet to clients.

    It is encoded once, as a finished websocket frame, for all its receivers.

    `receipt` is the (room, member) of a `lastRead` event. Of several in one send queue, only the
    newest is needed.
    """

    __slots__ = ("frame", "receipt")

    def __init__(self, text: str, receipt: tuple[str, str] | None = None) -> None:
        self.frame = _as_frame(text.encode())
        self.receipt = receipt

    @property
    def text(self) -> bytes:
        """The packet without the frame, as long-polling sends it."""
        return self.frame[{126: 4, 127: 10}.get(self.frame[1], 2) :]


def _as_frame(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        return bytes((_TEXT_FRAME, size)) + text
    if size < 65_536:
        return bytes((_TEXT_FRAME, 126)) + size.to_bytes(2, "big") + text
    return bytes((_TEXT_FRAME, 127)) + size.to_bytes(8, "big") + text


class ServerEvent:
    """One event to many connections.

    Each encoding is made when it is first needed, and then shared.

    `payload` is JSON. `receipt` is explained in Packet.
    """

    __slots__ = ("_base64", "_payload", "_raw", "name", "receipt")

    def __init__(self, name: str, payload: bytes, receipt: tuple[str, str] | None = None) -> None:
        self.name = name
        self.receipt = receipt
        self._payload = payload
        self._raw: Packet | None = None
        self._base64: Packet | None = None

    def packet(self, encoding: Encoding) -> Packet:
        """The event as a packet."""
        if encoding is Encoding.RAW:
            packet = self._raw = self._raw or self._made(encoding)
        else:
            packet = self._base64 = self._base64 or self._made(encoding)
        return packet

    def _made(self, encoding: Encoding) -> Packet:
        text = f'{MESSAGE}{EVENT}["{self.name}",{as_argument(self._payload, encoding)}]'
        return Packet(text, self.receipt)


class JoinedPacket(Packet):
    """Several packets, one behind the other."""

    __slots__ = ("_packets",)

    def __init__(self, packets: Sequence[Packet]) -> None:
        self.frame = b"".join(packet.frame for packet in packets)
        self.receipt = None
        self._packets = packets

    @property
    def text(self) -> bytes:
        return SEPARATOR.encode().join(packet.text for packet in self._packets)


class EventBatch:
    """Several events to many connections, which go out together."""

    __slots__ = ("_joined", "events")

    def __init__(self, events: Sequence[ServerEvent]) -> None:
        self.events = events
        self._joined: dict[Encoding, Sequence[Packet]] = {}

    def joined(self, encoding: Encoding) -> Sequence[Packet]:
        """All events, JOINED_AT_MOST in a packet."""
        if encoding not in self._joined:
            single = [event.packet(encoding) for event in self.events]
            self._joined[encoding] = [JoinedPacket(some) for some in in_batches(single, JOINED_AT_MOST)]
        return self._joined[encoding]


class ClientPacket(Struct, frozen=True):
    """One Socket.IO packet of a client, decoded. A client event is one of type EVENT.

    `ack_id` is sent back exactly as it came; "" when the client wants no ack. `text` is the whole
    packet.
    """

    type: str
    namespace: str
    ack_id: str
    data: Any
    text: str


def decode_packet(text: str) -> ClientPacket:
    """Decode the Socket.IO packet in an Engine.IO message. Raises ProtocolError."""
    head = _HEAD.match(text)
    if head is None or len(head[3]) > MAX_ACK_DIGITS:
        raise ProtocolError("not a packet that a client sends")
    try:
        data = load_json(text[head.end() :]) if head.end() < len(text) else None
    except ValueError:
        raise ProtocolError("not JSON") from None
    packet_type = head[1]
    if not _IS_VALID[packet_type](data):
        raise ProtocolError("a packet of this type does not hold this")
    return ClientPacket(packet_type, (head[2] or MAIN_NAMESPACE).partition("?")[0], head[3], data, text)


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


_IS_VALID: dict[str, Callable[[Any], bool]] = {
    CONNECT: lambda data: data is None or isinstance(data, dict),
    DISCONNECT: lambda data: data is None,
    EVENT: _is_event,
    ACK: lambda data: isinstance(data, list),
}


def split_packets(body: bytes) -> Iterator[str]:
    """The packets of a long-polling POST, one by one, since there may be thousands.

    Raises ProtocolError.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise ProtocolError("not UTF-8") from None
    start = 0
    while (end := text.find(SEPARATOR, start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


class PacketRate:
    """The rate at which packets of one client are processed:

    PACKETS_PER_S on average, PACKET_BURST at once.

    Packets beyond it are delayed, not dropped.
    """

    __slots__ = ("_full_at_s", "_now", "_overloaded_since_s")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._full_at_s = 0.0  # when the burst is available again
        self._overloaded_since_s = 0.0  # 0: the client is within the rate

    def has_room(self) -> bool:
        """Whether the next packet need not wait."""
        return self._full_at_s + 1 / PACKETS_PER_S - self._now() <= PACKET_BURST / PACKETS_PER_S

    def reserve(self) -> float:
        """Count one packet. Returns how many seconds it has to wait.

        Raises ProtocolError when the client has exceeded the rate for MAX_OVERLOAD_S.
        """
        now = self._now()
        self._full_at_s = max(self._full_at_s, now) + 1 / PACKETS_PER_S
        wait_s = self._full_at_s - now - PACKET_BURST / PACKETS_PER_S
        if wait_s <= 0:
            self._overloaded_since_s = 0.0
            return 0.0
        self._overloaded_since_s = self._overloaded_since_s or now
        if now - self._overloaded_since_s > MAX_OVERLOAD_S:
            raise ProtocolError(f"more than {PACKETS_PER_S} packets a second for {MAX_OVERLOAD_S:g} seconds")
        return wait_s

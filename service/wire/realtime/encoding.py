"""Events and acks as text, once per encoding and not once per socket.

A client that asked for `conf {encoding: "base64"}` gets every payload as one string: base64 of the JSON text with everything outside
ASCII escaped (docs.imkit.io, Socket Connection; its `atob` example breaks on anything else). Others get plain objects.
"""

import base64
import re
from enum import Enum
from typing import Any

import msgspec
from engineio import packet as engine

encode_json = msgspec.json.encode
_decode_json = msgspec.json.decode

_OUTSIDE_ASCII = re.compile("[^\x00-\x7f]")


class Encoding(Enum):
    """How payloads reach a client."""

    RAW = "raw"
    BASE64 = "base64"


class Outgoing:
    """One event on its way to many sockets; encoded when first needed, then shared.

    `payload` is JSON. `receipt` marks a `lastRead`: (room, member); of several that wait in one backlog the newest is enough.
    """

    __slots__ = ("_packets", "_payload", "event", "receipt")

    def __init__(self, event: str, payload: bytes, receipt: tuple[str, str] | None = None) -> None:
        self.event = event
        self._payload = payload
        self._packets: dict[Encoding, engine.Packet] = {}
        self.receipt = receipt

    def packet(self, encoding: Encoding) -> engine.Packet:
        packet = self._packets.get(encoding)
        if packet is None:
            packet = self._packets[encoding] = self._encode(encoding)
        return packet

    def _encode(self, encoding: Encoding) -> engine.Packet:
        packet = engine.Packet(engine.MESSAGE, f'2["{self.event}",{as_argument(self._payload, encoding)}]')
        packet.receipt = self.receipt
        packet.encode()  # the packet keeps its text, so every socket sends the same object
        return packet


def as_argument(payload: bytes, encoding: Encoding) -> str:
    """A JSON payload as the one argument of an event or ack."""
    text = payload.decode()
    if encoding is Encoding.RAW:
        return text
    return f'"{base64.b64encode(_escape(text).encode("ascii")).decode("ascii")}"'


def load_json(text: str) -> Any:
    """Parse what a client sent. Raises ValueError for whatever is wrong with it, deep nesting included."""
    try:
        return _decode_json(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dump_json(value: Any, **_: Any) -> str:
    return encode_json(value).decode()


def _escape(text: str) -> str:
    # Outside ASCII a JSON text has only the contents of strings, where \uXXXX means the same.
    return text if text.isascii() else _OUTSIDE_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

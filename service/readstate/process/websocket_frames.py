"""Frames of WebSocket as clients send them, and the few that a server sends (RFC 6455, section 5).

No extension is agreed on, so the reserved bits are 0. What a client sends is masked.
"""

from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PROTOCOL_ERROR, NO_STATUS, INVALID_DATA, TOO_BIG, SERVICE_RESTART = 1002, 1005, 1007, 1009, 1012

_FINAL, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_LONGEST_CONTROL = 125
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
# Section 7.4, and the registry of IANA: those that may be sent.
_CLOSE_CODES = frozenset((*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))


class Violation(Exception):
    """A client has broken the protocol. Its connection ends with this close code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Frame(NamedTuple):
    """A frame; its payload is unmasked. `end`: the place behind it in the stream."""

    opcode: int
    is_final: bool
    payload: bytes
    end: int


def read_frame(stream: bytes | bytearray, start: int, max_bytes: int) -> Frame | None:
    """The frame that begins at `start`; None when it is not there as a whole.

    `max_bytes`: of the payload, unless it is a control frame. Raises Violation, as soon as the head
    is there.
    """
    at = start + 2
    there = len(stream)
    if there < at:
        return None
    first, second = stream[start], stream[start + 1]
    opcode, length = first & _OPCODE, second & _LENGTH
    if first & _RESERVED:
        raise Violation(PROTOCOL_ERROR, "reserved bits must be 0")
    if opcode not in _OPCODES:
        raise Violation(PROTOCOL_ERROR, "invalid opcode")
    if not second & _MASKED:
        raise Violation(PROTOCOL_ERROR, "incorrect masking")
    if opcode >= CLOSE and (length > _LONGEST_CONTROL or not first & _FINAL):
        raise Violation(PROTOCOL_ERROR, "control frame too long or fragmented")
    if length > _LONGEST_CONTROL:
        size = 2 if length == 126 else 8
        if there < at + size:
            return None
        length = int.from_bytes(stream[at : at + size], "big")
        at += size
    if length > max_bytes and opcode < CLOSE:
        raise Violation(TOO_BIG, f"over size limit ({length} > {max_bytes} bytes)")
    end = at + 4 + length
    if there < end:
        return None
    payload = unmasked(stream[at + 4 : end], stream[at : at + 4])
    return Frame(opcode, first >= _FINAL, payload, end)


def unmasked(payload: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """The payload, with the mask taken off (or put on: it is the same)."""
    length = len(payload)
    whole = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(whole, "little")).to_bytes(length, "little")


def control_frame(opcode: int, payload: bytes) -> bytes:
    """A frame of a server: a close or a pong. The payload has at most 125 bytes."""
    return bytes((_FINAL | opcode, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame of a server. Its reason is cut to what fits. NO_STATUS: without a code."""
    if code == NO_STATUS:
        return control_frame(CLOSE, b"")
    text = reason.encode()[: _LONGEST_CONTROL - 2].decode(errors="ignore").encode()
    return control_frame(CLOSE, code.to_bytes(2, "big") + text)


def close_code(payload: bytes) -> int:
    """The code in the payload of a close frame; NO_STATUS for none. Raises Violation."""
    if not payload:
        return NO_STATUS
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(INVALID_DATA, "the reason is not UTF-8") from None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _CLOSE_CODES:
        raise Violation(PROTOCOL_ERROR, "invalid close code")
    return code

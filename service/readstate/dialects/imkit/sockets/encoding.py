"""Payloads as text: JSON, and what clients make of it.

A client that asked for `conf {encoding: "base64"}` gets every payload as one string: base64 of the JSON text with everything outside
ASCII escaped (docs.imkit.io, Socket Connection; its `atob` example breaks on anything else). Others get plain objects.
"""

import base64
import re
from enum import Enum
from typing import Any

import msgspec

encode_json = msgspec.json.encode
_decode_json = msgspec.json.decode

_OUTSIDE_ASCII = re.compile("[^\x00-\x7f]")


class Encoding(Enum):
    """How payloads reach a client."""

    RAW = "raw"
    BASE64 = "base64"


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


def _escape(text: str) -> str:
    # Outside ASCII a JSON text has only the contents of strings, where \uXXXX means the same.
    return text if text.isascii() else _OUTSIDE_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

"""Payloads as text: JSON, plain or in base64.

A client that asks for `conf {encoding: "base64"}` gets each payload as one string: the base64 of
the JSON text, with all non-ASCII characters escaped (docs.imkit.io, Socket Connection; the `atob`
example there cannot read other text). Other clients get plain objects.
"""

import base64
import re
from enum import Enum
from typing import Any

import msgspec

encode_json = msgspec.json.encode
_decode_json = msgspec.json.decode

_NON_ASCII = re.compile("[^\x00-\x7f]")


class Encoding(Enum):
    """The form of payloads to a client."""

    RAW = "raw"
    BASE64 = "base64"


def as_argument(payload: bytes, encoding: Encoding) -> str:
    """A JSON payload as the one argument of an event or ack."""
    text = payload.decode()
    if encoding is Encoding.RAW:
        return text
    return f'"{base64.b64encode(_escape(text).encode("ascii")).decode("ascii")}"'


def load_json(text: str) -> Any:
    """Parse JSON from a client. Raises ValueError for any mistake in it, deep nesting included."""
    try:
        return _decode_json(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _escape(text: str) -> str:
    # In JSON, non-ASCII characters occur only within strings, where \uXXXX means the same.
    return text if text.isascii() else _NON_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

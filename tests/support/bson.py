"""Documents of BSON, of the types that a dump of a chat product has."""

import struct
from collections.abc import Mapping
from typing import Any


class At(int):
    """Unix ms, written as a time."""


def encoded(document: Mapping[str, Any]) -> bytes:
    inside = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(inside) + 5) + inside + b"\0"


def _element(name: str, value: Any) -> bytes:
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, At):
        return b"\x09" + key + struct.pack("<q", value)
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(text)) + text
    if isinstance(value, list):
        return b"\x04" + key + encoded({str(place): one for place, one in enumerate(value)})
    return b"\x03" + key + encoded(value)

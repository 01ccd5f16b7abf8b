"""Documents of BSON (bsonspec.org), as MongoDB's dumps have them one behind the other.

Of the values those are read that a chat product stores: texts, numbers, times, ids, and documents
and lists of them. Others are passed over, and come as None.
"""

import struct
from collections.abc import Iterator
from typing import IO, Any

_MOST_BYTES = 64 * 1024 * 1024  # of one document; MongoDB takes 16 MiB


class BsonError(Exception):
    """The bytes are no BSON."""


def read_documents(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Each document of a dump. Raises BsonError."""
    while head := file.read(4):
        size = int.from_bytes(head, "little")
        if len(head) < 4 or not 5 <= size <= _MOST_BYTES:
            raise BsonError(f"{size} is no size of a document")
        data = head + file.read(size - 4)
        if len(data) != size:
            raise BsonError("the last document is cut off")
        try:
            yield _document(data, 0)[0]
        except (struct.error, IndexError, UnicodeDecodeError, KeyError, ValueError) as error:
            raise BsonError(f"a document cannot be read: {error!r}") from None


# How many bytes a value of a type has that is passed over.
_SIZES = {0x06: 0, 0x11: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}


def _document(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    """The document that begins at a place, and the place behind it."""
    (size,) = struct.unpack_from("<i", data, at)
    end, at, found = at + size - 1, at + 4, {}
    while at < end:
        kind = data[at]
        name, at = _name(data, at + 1)
        found[name], at = _value(kind, data, at)
    if at != end or data[end] != 0:
        raise ValueError("a document does not end where it says")
    return found, end + 1


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1


def _value(kind: int, data: bytes, at: int) -> tuple[Any, int]:
    if kind == 0x02:
        (size,) = struct.unpack_from("<i", data, at)
        return data[at + 4 : at + 3 + size].decode(), at + 4 + size
    if kind in (0x03, 0x04):
        document, behind = _document(data, at)
        return (document if kind == 0x03 else list(document.values())), behind
    if kind == 0x07:
        return data[at : at + 12].hex(), at + 12
    if kind == 0x08:
        return data[at] == 1, at + 1
    if kind in (0x09, 0x12):
        return struct.unpack_from("<q", data, at)[0], at + 8
    if kind == 0x10:
        return struct.unpack_from("<i", data, at)[0], at + 4
    if kind == 0x01:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 0x0A:
        return None, at
    return None, _behind(kind, data, at)


def _behind(kind: int, data: bytes, at: int) -> int:
    """The place behind a value that is passed over."""
    if kind == 0x0B:  # a regular expression and its options
        return _name(data, _name(data, at)[1])[1]
    if kind in _SIZES:
        return at + _SIZES[kind]
    (size,) = struct.unpack_from("<i", data, at)
    if kind == 0x05:  # bytes, behind their kind
        return at + 5 + int(size)
    if kind in (0x0D, 0x0E):
        return at + 4 + int(size)
    if kind == 0x0C:
        return at + 16 + int(size)
    if kind == 0x0F:
        return at + int(size)
    raise ValueError(f"{kind} is no type of a value")

"""Files of an export: one line of JSON after the other, plain or gzipped."""

import gzip
import zlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from readstate.domain.transfer import VERSION, EndLine, Header, Line, RoomLine, UserLine, WholeLine, decode_line

_ZIPPED = b"\x1f\x8b"
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)  # what reading such a file raises


class TransferError(Exception):
    """A file cannot be used. The message is one sentence that says where, and why."""


def lines_of(file: IO[bytes]) -> Generator[bytes]:
    """The lines of an open file. Its first bytes decide whether it is gzipped.

    Raises TransferError when it is and cannot be read to its end, OSError.
    """
    zipped = file.read(2) == _ZIPPED
    file.seek(0)
    try:
        yield from cast(IO[bytes], gzip.GzipFile(fileobj=file)) if zipped else file
    except DAMAGED as error:
        raise damaged(error) from None


def damaged(error: Exception) -> TransferError:
    """The sentence for a gzipped file that cannot be read to its end."""
    return TransferError(f"the gzipped file is cut off or damaged ({error}); get it again")


def create_file(path: Path) -> IO[bytes]:
    """For writing, readable by its owner alone. It is gzipped when its name ends in .gz.

    Raises TransferError when there is one, OSError.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise TransferError(f"{path} exists already; name another file, or go on with it by --resume") from None
    return cast(IO[bytes], gzip.open(path, "wb")) if path.suffix == ".gz" else path.open("wb")


def read_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, Line]]:
    """Each line with its number, the header first. Raises TransferError."""
    number = 0
    for number, text in enumerate(lines, 1):
        try:
            line = decode_line(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number > 1 and not text.endswith(b"\n") and not isinstance(error, msgspec.ValidationError):
                raise TransferError(f"line {number}, the last one, is cut off: the file is not whole") from None
            raise TransferError(f"line {number} is no line of an export: {error}") from None
        if (number == 1) != isinstance(line, Header):
            raise TransferError(f"line {number}: the first line, and no other, must be that of the export itself")
        if isinstance(line, Header) and line.version > VERSION:
            raise TransferError(f"the export has version {line.version} of the format; this readstate reads {VERSION}")
        yield number, line
    if number == 0:
        raise TransferError("the file is empty")


class Finished:
    """The whole lines of a file that an export has begun: where they end, and whose they are."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.end = 0  # in bytes
        self.users: set[str] = set()
        self.rooms: set[str] = set()
        self.whole = False

    def read(self, path: Path) -> None:
        """Raises TransferError, OSError."""
        with path.open("rb") as lines:
            if lines.read(2) == _ZIPPED:
                raise TransferError("a gzipped file cannot be gone on with; begin with another one")
            lines.seek(0)
            self._read(line for line in lines if line.endswith(b"\n"))
        if self.header is None:
            raise TransferError("the file is empty; begin with another one")

    def _read(self, lines: Iterable[bytes]) -> None:
        offset = 0
        open_room = False
        for text in lines:
            ((_, line),) = [(1, decode_line(text))] if offset else list(read_lines([text]))
            offset += len(text)
            self.whole = isinstance(line, WholeLine)
            if isinstance(line, Header):
                self.header = line
            elif isinstance(line, UserLine):
                self.users.add(line.user)
            elif isinstance(line, EndLine):
                self.rooms.add(line.room)
            open_room = isinstance(line, RoomLine) or (open_room and not isinstance(line, EndLine))
            if not open_room and not self.whole:
                self.end = offset

"""The end of the embedded server's append-only file after a power cut.

A file system may write the new size of a file before its new bytes, or only some of the bytes. Then
the file ends in zeros, or in a part of a command, and the server does not start on it. Such an end
can be cut off without the loss of a complete command: no command ends in a zero. Damage anywhere
else is left to the operator.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import hiredis

DIRECTORY = "appendonlydir"
_CHUNK_BYTES = 1 << 20
_OF_A_NEW_SERVER_BYTES = 1024  # what a new server writes before its first manifest; more than that is data


class AppendOnlyDamaged(Exception):
    """The files are damaged, and not only at the end.

    The message is a sentence with what can be done.
    """


def check_complete(data_dir: Path) -> None:
    """Raises AppendOnlyDamaged when a server would start without the data and overwrite them."""
    directory = data_dir / DIRECTORY
    sizes = {file: file.stat().st_size for file in directory.glob("*.aof.*") if file.suffix in (".aof", ".rdb")}
    if sum(sizes.values()) > _OF_A_NEW_SERVER_BYTES and not any(directory.glob("*.manifest")):
        raise AppendOnlyDamaged(
            f"{directory} holds data, but not the manifest that says which of its files count; "
            f"put back a copy of {directory}, or move it away to begin with an empty store"
        )
    for file, size in sizes.items():
        if size == 0 and ".base." in file.name:
            raise AppendOnlyDamaged(f"{file} is empty, and a server never leaves it so; put back a copy of {directory}")


def cut_unfinished_end(data_dir: Path) -> str:
    """Cut an incomplete command off the end of the file, and keep a copy of the file in `data_dir`.

    No server may run there. Returns a sentence for the operator; "" when the end is sound.
    Raises AppendOnlyDamaged, OSError.
    """
    file = _newest(data_dir / DIRECTORY)
    if file is None:
        return ""
    size = file.stat().st_size
    sound = _sound_bytes(file, size - _zeros_at_end(file, size))
    if sound == size:
        return ""
    copy = _keep_copy(file, data_dir / f"{file.name}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.damaged")
    os.truncate(file, sound)
    return (
        f"{file} ended in {size - sound:,} bytes that hold no whole command, as a power cut leaves them; "
        f"they were dropped, and the file as it was is kept as {copy}"
    )


def _newest(directory: Path) -> Path | None:
    """The file that was being written, according to the manifest."""
    increments: dict[int, str] = {}
    for manifest in directory.glob("*.manifest"):
        for line in manifest.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            fields = dict(zip(words[::2], words[1::2], strict=False))
            if fields.get("type") == "i" and fields.get("seq", "").isdigit():
                increments[int(fields["seq"])] = fields.get("file", "")
    file = directory / increments[max(increments)] if increments else None
    return file if file is not None and file.is_file() else None


def _zeros_at_end(file: Path, size: int) -> int:
    with file.open("rb") as opened:
        end = size
        while end > 0:
            start = max(0, end - _CHUNK_BYTES)
            opened.seek(start)
            left = len(opened.read(end - start).rstrip(b"\0"))
            if left:
                return size - start - left
            end = start
    return size


def _sound_bytes(file: Path, written: int) -> int:
    """How many of the first `written` bytes are complete commands and transactions.

    Raises AppendOnlyDamaged.
    """
    at = sound = 0
    within = False  # a transaction
    for command in _commands(file, written):
        if command is None:
            raise AppendOnlyDamaged(
                f"{file} is damaged after {at:,} bytes, and not only at its end; put back a copy of {file.parent}, "
                f"or give up everything that was written after the damage: `truncate -s {sound} {file}`"
            )
        at += len(command)
        name = command[:20].upper()
        within = name.startswith(b"*1\r\n$5\r\nMULTI") or (within and not name.startswith(b"*1\r\n$4\r\nEXEC"))
        if not within:
            sound = at
    return sound


def _commands(file: Path, written: int) -> Iterator[bytes | None]:
    """Each complete command of the file; None, as the last, where the file is damaged."""
    reader, raw = hiredis.Reader(), b""
    with file.open("rb") as opened:
        while chunk := opened.read(min(_CHUNK_BYTES, written - opened.tell())):
            reader.feed(chunk)
            raw, start = raw + chunk, 0
            try:
                while (words := reader.gets()) is not False:
                    # The parser accepts more than the server does.
                    packed = hiredis.pack_command(tuple(words)) if isinstance(words, list) else b""
                    if not packed or not raw.startswith(packed, start):
                        yield None
                        return
                    yield packed
                    start += len(packed)
            except (hiredis.HiredisError, TypeError):
                yield None
                return
            raw = raw[start:]


def _keep_copy(file: Path, copy: Path) -> Path:
    with file.open("rb") as source, open(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)
        target.flush()
        os.fsync(target.fileno())
    return copy

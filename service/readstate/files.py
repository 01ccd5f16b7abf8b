"""Directories and files that no other user of this machine may read or replace."""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, EIO, ENOSPC, EROFS
from pathlib import Path

from readstate.errors import SettingsError

_OF_DISKS = (ENOSPC, EDQUOT, EFBIG, EIO, EROFS)


def private_directory(directory: Path) -> Path:
    """Create `directory` (mode 0700) if needed.

    An empty one of ours, as from `mkdir`, is closed to others.

    Raises SettingsError unless it is a directory of ours that no other user may use or replace.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours_and_new(directory):
            directory.chmod(0o700)
    except OSError as error:
        raise unusable(directory, error) from None
    return check_private_directory(directory)


def check_private_directory(directory: Path) -> Path:
    """`directory`, which must exist; nothing is changed.

    Raises SettingsError as `private_directory` does.
    """
    try:
        status = directory.stat()
    except OSError as error:
        raise unusable(directory, error) from None
    check_private(directory, status, "700")
    for parent in directory.resolve().parents:
        _check_not_replaceable(directory, parent)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(
            f"READSTATE_DATA_DIR: {directory} cannot be written; run `chmod 700 {directory}` or name another directory"
        )
    return directory


def check_private(path: Path, status: os.stat_result, mode: str) -> None:
    """Raises SettingsError unless `path` is ours and closed to others.

    `mode` is what it should have.
    """
    if status.st_uid != os.geteuid():
        # Only root may give it away.
        remedy = f"run `chown 0 {path}`, or name" if os.geteuid() == 0 else "name"
        raise SettingsError(
            f"{path} belongs to another user ({_name_of(status.st_uid)}), who could change it; "
            f"{remedy} a directory of your own in READSTATE_DATA_DIR"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError(f"{path} is open to other users of this machine; run `chmod {mode} {path}`")


def unusable(directory: Path, error: OSError) -> SettingsError:
    """The sentence for a data directory that the system refuses."""
    full = error.errno == ENOSPC
    remedy = "free some space there, or name another directory" if full else "name a directory that you may write"
    return SettingsError(f"READSTATE_DATA_DIR: {directory} cannot be used ({error.strerror}); {remedy}")


def in_words(error: OSError) -> str:
    """What the system said of a file, without its number."""
    if error.filename is None or error.strerror is None:
        return error.strerror or str(error)
    return f"{os.fsdecode(error.filename)} cannot be used ({error.strerror})"


@contextmanager
def written(path: Path) -> Iterator[None]:
    """While a file is written: an error of its disk, which tells of no file, gets its name."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _OF_DISKS:
            error.filename = str(path)
        raise


def _is_ours_and_new(directory: Path) -> bool:
    """Whether no other user can have put anything into it so far.

    It is ours, others may at most read it, and it is empty.
    """
    status = directory.stat()
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o022 and not any(directory.iterdir())


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _check_not_replaceable(directory: Path, parent: Path) -> None:
    """Raises SettingsError when every user may write `parent`, and no sticky bit protects it."""
    mode = stat.S_IMODE(parent.stat().st_mode)
    if mode & 0o002 and not mode & stat.S_ISVTX:
        raise SettingsError(
            f"every user of this machine may write {parent}, and so may replace {directory}; "
            f"run `chmod o-w {parent}` or name another READSTATE_DATA_DIR"
        )

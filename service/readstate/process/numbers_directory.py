"""The directory in which the processes of a service keep their numbers, for /metrics.

It goes with the supervisor. A supervisor that was killed leaves it behind; the next one on the
machine removes it. Whether one is in use is told by a lock, which ends with its supervisor.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "readstate-metrics-"
_LOCK = "lock"


@contextmanager
def numbers_directory() -> Iterator[str]:
    """A private empty directory for the time of the block. Those left behind are removed."""
    _remove_left_behind()
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield str(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _remove_left_behind() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            lock = os.open(directory / _LOCK, os.O_RDWR)
        except OSError:
            continue  # another user's, or one that is being made
        try:
            # One that was made just now is empty, and may not be locked yet.
            if len(os.listdir(directory)) > 1:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)

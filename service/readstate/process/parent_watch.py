"""Keeps a process from outliving the one that started it, however that one ends.

Linux does it in the kernel. Elsewhere somebody has to look from time to time: a thread in our own processes, and for a command that
is not ours a process that stays beside it. Run as a file with nothing imported but the standard library:

    python leash.py PARENT_PID LOCK_FILE COMMAND...

The command holds an exclusive lock on LOCK_FILE for as long as it lives, so that nobody starts a second one unseen.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

LOCKED = 75  # exit code: somebody else holds the lock

KERNEL_WATCHES: bool = os.uname().sysname == "Linux"

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.5


def end_with_parent(parent: int, how: signal.Signals) -> None:
    """Have this process receive `how` when the process `parent`, which started it, is gone."""
    if KERNEL_WATCHES:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    else:
        threading.Thread(target=_watch_parent, args=(parent, how), daemon=True).start()
    if os.getppid() != parent:
        # It went away before the kernel was asked.
        os.kill(os.getpid(), how)


def _watch_parent(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), how)


def stay_beside(command: list[str], parent: int, lock: int) -> int:
    """Run `command` and stay until it ends, or end it when `parent` is gone or this process is told to stop. Its exit code."""
    child = subprocess.Popen(command, pass_fds=[lock])
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
        try:
            child.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    return child.returncode


def main(arguments: list[str]) -> int:
    parent, lock_file, *command = arguments
    lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return LOCKED
    if KERNEL_WATCHES:
        end_with_parent(int(parent), signal.SIGTERM)
        os.set_inheritable(lock, True)
        os.execv(command[0], command)
    return stay_beside(command, int(parent), lock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

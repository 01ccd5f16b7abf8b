"""Ends a process when its parent ends, in whatever way that happens.

Linux does this in the kernel. Other systems need a look at the parent from time to time: our own
processes have a thread for it, and a foreign command has a process beside it. As a program, with no
imports but the standard library:

    python parent_watch.py PARENT_PID LOCK_FILE COMMAND...

The command holds an exclusive lock on LOCK_FILE for as long as it lives, so that a second one
cannot start unnoticed.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

LOCKED = 75  # exit code: another process holds the lock

KERNEL_WATCHES: bool = os.uname().sysname == "Linux"

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.5


def die_with_parent(parent: int, how: signal.Signals) -> None:
    """Send `how` to this process when its parent, the process `parent`, has ended."""
    if KERNEL_WATCHES:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    else:
        threading.Thread(target=_watch_parent, args=(parent, how), daemon=True).start()
    if os.getppid() != parent:
        # It ended before the kernel was asked.
        os.kill(os.getpid(), how)


def _watch_parent(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), how)


def run_beside(command: list[str], parent: int, lock: int) -> int:
    """Run `command` until it ends, and return its exit code.

    The command is ended when `parent` has ended, or when this process gets SIGTERM.
    """
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
        die_with_parent(int(parent), signal.SIGTERM)
        os.set_inheritable(lock, True)
        os.execv(command[0], command)
    return run_beside(command, int(parent), lock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

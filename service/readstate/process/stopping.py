"""Being told to stop: by Ctrl-C at the terminal (SIGINT), by its end (SIGHUP), or by who runs us (SIGTERM)."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

# The name of a function in the state of the ASGI lifespan: the server calls it when it begins to stop.
BEGIN_STOP = "readstate.begin_stop"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """This process was told to stop, by the signal `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


def stop_by_exception() -> None:
    """From now on the first signal raises Stopped, so that all that was started is stopped. Later ones do not cut that short."""
    for signum in heeded():
        signal.signal(signum, _raise)


def heeded() -> tuple[signal.Signals, ...]:
    """SIGNALS, but for SIGHUP where it is ignored: who starts us by `nohup` wants us to outlive the terminal."""
    ignored = signal.SIGHUP if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else None
    return tuple(signum for signum in SIGNALS if signum is not ignored)


def _raise(signum: int, _frame: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(signum)


def end_by(signum: int) -> NoReturn:
    """End as the signal ends a program that does not know it: a shell says 130 or 143, systemd that it was stopped."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    sys.exit(128 + signum)  # where the signal is blocked


@contextmanager
def held_back(*signums: signal.Signals) -> Iterator[None]:
    """These come only after the block.

    A process that is started in it never hears of one: who started it tells it to stop.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signums)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_stop(state: dict[str, Any]) -> None:
    """Tell the application that the server stops, before the server waits for the calls in flight.

    Some of these are long-polling requests, which the application ends.
    """
    if begin := state.get(BEGIN_STOP):
        begin()

"""Stopping: Ctrl-C at the terminal (SIGINT), its end (SIGHUP), or a service manager (SIGTERM)."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

# In the state of the ASGI lifespan: the function that the server calls when it begins to stop.
BEGIN_STOP = "readstate.begin_stop"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_told_by: list[int] = []  # the signal at which Stopped was raised


class Stopped(KeyboardInterrupt):
    """This process was told to stop by the signal `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


def stop_by_exception() -> None:
    """Raise Stopped at the first signal, so that everything that was started is stopped.

    Later signals are ignored: they would cut the stop short.
    """
    for signum in stop_signals():
        signal.signal(signum, _raise)
    sys.unraisablehook = _say_unless_stopped


def raise_if_told() -> None:
    """Raise Stopped again, if it was raised where the interpreter lets no exception out.

    So it is in a callback of a weak reference, for example.
    """
    if _told_by:
        _raise(_told_by[0], None)


def stop_signals() -> tuple[signal.Signals, ...]:
    """SIGNALS, without SIGHUP where it is ignored: `nohup` lets a process outlive the terminal."""
    ignored = signal.SIGHUP if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else None
    return tuple(signum for signum in SIGNALS if signum is not ignored)


def _raise(signum: int, _frame: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _told_by.append(signum)
    raise Stopped(signum)


def _say_unless_stopped(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say what a finalizer has raised. If that is Stopped, the next signal raises it again."""
    if isinstance(unraisable.exc_value, Stopped):
        signal.signal(unraisable.exc_value.signum, _raise)
    else:
        sys.__unraisablehook__(unraisable)


def end_by(signum: int) -> NoReturn:
    """End as a program ends that does not handle the signal.

    A shell sees 130 or 143 then, and systemd a stop.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    sys.exit(128 + signum)  # where the signal is blocked


@contextmanager
def signals_blocked(*signums: signal.Signals) -> Iterator[None]:
    """These signals are delivered after the block.

    A process that is started in the block never gets them; its parent stops it.
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

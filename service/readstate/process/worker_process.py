"""One worker process, from both sides.

The supervisor starts it by a fork of a process that has made the application once
(`before_forks.py`). A new interpreter would need about a second for that; the fork takes some
milliseconds, and the workers share the memory. While its event loop runs, a worker sends
heartbeats through a pipe: so one that hangs is seen, whatever it hangs in.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from time import monotonic
from typing import NoReturn

from readstate.process.connection_limits import ServerConfig
from readstate.process.neighbours import Neighbours
from readstate.process.parent_watch import die_with_parent
from readstate.process.stopping import signals_blocked

# Ctrl-C and the end of the terminal reach all processes, and so may a service manager's SIGTERM.
# The process that is forked must outlive its workers, which take SIGTERM again.
_NOT_FOR_FORKS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
_STARTING, _SERVING = b"0", b"1"  # heartbeats

_FORKED = multiprocessing.get_context("forkserver")


@contextmanager
def forks_prepared() -> Iterator[None]:
    """For the block there is a process from which workers are forked, with the present environment.

    The block begins at once, while that process makes the application. At its end there must be no
    worker any more.
    """
    _FORKED.set_forkserver_preload(["readstate.before_forks"])
    # The tracker of resources starts with it, and lets through what was blocked.
    with signals_blocked(signal.SIGHUP):
        resource_tracker.ensure_running()
    with signals_blocked(*_NOT_FOR_FORKS):
        forkserver.ensure_running()
    try:
        yield
    finally:
        # By itself it would end too, but only when it has made the application.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            pid: int = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class WorkerProcess:
    """A worker as the supervisor sees it, from its start on."""

    def __init__(self, config: ServerConfig, listeners: Sequence[socket.socket], neighbours: Neighbours) -> None:
        self._heartbeats, sender = multiprocessing.Pipe(duplex=False)
        os.set_blocking(self._heartbeats.fileno(), False)
        self._process = _FORKED.Process(target=_work, args=(config, listeners, neighbours, sender))
        with signals_blocked(*_NOT_FOR_FORKS):  # what is forked is started again if it has died
            self._process.start()
        sender.close()
        self.sentinel = self._process.sentinel  # ready to be read when the process has ended
        self.has_served = False
        self._seen_s = monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs; below zero: the signal that ended it."""
        return self._process.exitcode

    def silent_s(self) -> float:
        """For how long it has sent no heartbeat."""
        with contextlib.suppress(BlockingIOError):
            while heartbeats := os.read(self._heartbeats.fileno(), 4096):
                self._seen_s = monotonic()
                self.has_served = self.has_served or _SERVING in heartbeats
        return monotonic() - self._seen_s

    def terminate(self) -> None:
        """Ask it to stop in order."""
        self._process.terminate()

    def kill(self) -> None:
        """End it. Returns when it has ended."""
        self._process.kill()
        self._process.join()

    def join(self, timeout_s: float) -> bool:
        """Wait for its end. Returns whether it has ended."""
        self._process.join(timeout_s)
        return self._process.exitcode is not None

    def close(self) -> None:
        """Forget it, once it has ended."""
        self._heartbeats.close()
        self._process.close()


def how_it_ended(exit_code: int) -> str:
    """An exit code in words."""
    if exit_code >= 0:
        return f"ended with code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


def _work(
    config: ServerConfig, listeners: Sequence[socket.socket], neighbours: Neighbours, heartbeats: Connection
) -> NoReturn:
    """What runs in the worker's process."""
    # Imported in the process from which this one was forked. The supervisor can do without.
    from readstate.process.worker_server import WorkerServer

    config.neighbours = neighbours
    _die_with_supervisor()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os.set_blocking(heartbeats.fileno(), False)
    WorkerServer(config, partial(_send_heartbeat, heartbeats)).run(list(listeners))
    sys.exit(0)


def _send_heartbeat(heartbeats: Connection, serves: bool) -> None:
    # A supervisor that does not read need not be told more.
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(heartbeats.fileno(), _SERVING if serves else _STARTING)


def _die_with_supervisor() -> None:
    """Not an orderly stop: nothing would replace a worker without a supervisor, and the worker
    would keep the port from the next service.

    The fork server, the parent, ends when no process has the other end of a pipe of the
    supervisor's; so the worker must not have it.
    """
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    die_with_parent(os.getppid(), signal.SIGKILL)
    supervisor = multiprocessing.parent_process()
    if supervisor is None or not supervisor.is_alive():
        os.kill(os.getpid(), signal.SIGKILL)

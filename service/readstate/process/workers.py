"""Keeps the workers running. `worker_app.py` has the application that runs in each of them."""

import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType

from uvicorn.config import STARTUP_FAILURE

from readstate.process.connection_limits import ServerConfig
from readstate.process.listener import ask_ready, reachable_address
from readstate.process.neighbours import Neighbours, make_pairs
from readstate.process.port_closing import close_when_empty
from readstate.process.stopping import raise_if_told, stop_signals
from readstate.process.worker_process import WorkerProcess, how_it_ended
from readstate.settings import Settings

MAX_FRAME_BYTES = 65_536
# A stop may take 20 seconds: 15 for requests and sockets, the rest for the application to close.
DRAIN_S = 15
STOP_S = 20
WORKER_PATIENCE_S = 10.0  # without a heartbeat
READY_WARNING_S = 15
LOOK_EVERY_S = 0.1
# From the second one in a row on that ends before it serves. The pause doubles.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0

logger = logging.getLogger("readstate")


def count_replaced(process: str, times: int = 1) -> None:
    """Count a worker, deliverer or embedded store that ended and is replaced."""
    # The module may be imported only when the directory for the numbers is named.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from readstate import metrics

        metrics.PROCESSES_REPLACED.labels(process).inc(times)


@dataclass
class _Child:
    """A worker and those that replace it: one at a time, under one number."""

    neighbours: Neighbours
    worker: WorkerProcess | None = None
    failures: int = 0  # how many in a row ended before they served
    start_at: float = 0.0

    def pause_s(self) -> float:
        """Before the next one."""
        doubled = self.failures - 2
        return min(FIRST_PAUSE_S * 2**doubled, LONGEST_PAUSE_S) if doubled >= 0 else 0.0


class Workers:
    """The workers, from `run` until a signal, `stop`, or a start that fails."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        """`listeners`: the socket for callers, and that for operators if it is another one."""
        self._listeners = listeners
        self.config = _server_config(settings)
        pairs = make_pairs(settings.workers)
        self._sending = [sending for sending, _ in pairs]
        receiving: list[socket.socket | None] = [receiving for _, receiving in pairs] or [None]
        self._children = [
            _Child(Neighbours(number, self._sending, its_own)) for number, its_own in enumerate(receiving)
        ]
        self._address = reachable_address(listeners[-1])
        self._stopping = threading.Event()
        self.failed_to_start = False
        self.announced = False
        self.stopped_by = 0  # the signal

    def run(self) -> None:
        """Start the workers and replace each that ends or hangs; when told to stop, stop them."""
        raise_if_told()
        for signum in stop_signals():
            signal.signal(signum, self._on_signal)
        while not self._stopping.is_set():
            for child in self._children:
                self._look_after(child)
            wait([one.sentinel for one in self._running()], LOOK_EVERY_S)
        self._stop_all()

    def stop(self) -> None:
        """Make `run` end. May be called from any thread."""
        self._stopping.set()

    def wait_for_stop(self, timeout_s: float) -> bool:
        """Whether they are told to stop within this time."""
        return self._stopping.wait(timeout_s)

    def _running(self) -> list[WorkerProcess]:
        return [child.worker for child in self._children if child.worker is not None]

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or signum
        self._stopping.set()

    def _look_after(self, child: _Child) -> None:
        worker = child.worker
        if worker is None:
            if not self._stopping.is_set() and time.monotonic() >= child.start_at:
                self._start(child)
        elif worker.silent_s() > WORKER_PATIENCE_S:
            worker.kill()
            self._replace(child, worker, f"sent no heartbeat for {WORKER_PATIENCE_S:g} s and was ended")
        elif worker.exit_code is not None:
            self._replace(child, worker, how_it_ended(worker.exit_code))

    def _start(self, child: _Child) -> None:
        try:
            child.worker = WorkerProcess(self.config, self._listeners, child.neighbours)
        except (OSError, EOFError) as error:
            # The machine is out of processes, or what is forked has just died.
            logger.warning("a worker could not be started (%s); it is tried again", error or type(error).__name__)
            child.start_at = time.monotonic() + FIRST_PAUSE_S

    def _replace(self, child: _Child, worker: WorkerProcess, how: str) -> None:
        """Let another worker take its place."""
        child.worker = None
        if worker.exit_code == STARTUP_FAILURE and not self.announced and not self._any_serves():
            # It would fail in the same way each time.
            self.failed_to_start = True
            self._stopping.set()
            return
        child.failures = 0 if worker.has_served else child.failures + 1
        pause_s = child.pause_s()
        child.start_at = time.monotonic() + pause_s
        after = f"in {pause_s:g} s" if pause_s else "at once"
        logger.warning("worker %d %s; it is replaced %s", worker.pid, how, after)
        count_replaced("worker")
        worker.close()

    def _any_serves(self) -> bool:
        return any(worker.has_served for worker in self._running())

    def _stop_all(self) -> None:
        if self.stopped_by:
            logger.info("told to stop by %s", signal.Signals(self.stopped_by).name)
        # Closed first, so that no client is accepted that no worker will serve.
        close_when_empty(self._listeners, are_served=self.announced or self._any_serves())
        stop_by = time.monotonic() + STOP_S
        for worker in self._running():
            worker.silent_s()
            # A worker that does not serve yet has nothing to finish, and may wait for a store.
            if self.announced or worker.has_served:
                worker.terminate()
            else:
                worker.kill()
        for worker in self._running():
            if not worker.join(max(0.0, stop_by - time.monotonic())):
                logger.warning("a worker did not stop within %d s and is ended", STOP_S)
                worker.kill()

    def announce_when_ready(self, announcement: str) -> None:
        """Print `announcement` when /readyz says yes. If that takes long, warn once and say why."""
        warn_at = time.monotonic() + READY_WARNING_S
        while not self._stopping.is_set():
            ready, answer = ask_ready(self._address)
            if ready:
                self.announced = True
                print(announcement, flush=True)  # noqa: T201 - for the person who started it
                address = ":".join(map(str, self._address))
                logger.info("ready", extra={"address": address, "workers": len(self._children)})
                return
            if time.monotonic() > warn_at:
                logger.warning("not ready yet: %s", answer)
                warn_at = float("inf")
            self._stopping.wait(0.05)


def _server_config(settings: Settings) -> ServerConfig:
    return ServerConfig(
        "readstate.worker_app:worker",
        factory=True,
        loop="uvloop",
        # By name, as the application: the supervisor needs neither.
        http="readstate.process.http_protocol:HttpProtocol",
        ws="readstate.process.websocket_protocol:WebSocketProtocol",
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        # Engine.IO has pings of its own.
        ws_ping_interval=None,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.proxies()),
        forwarded_allow_ips=settings.proxies(),
        address_connection_limit=connections_of_an_address(settings),
        trusted=settings.proxies(),
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )


def connections_of_an_address(settings: Settings) -> int:
    """How many connections one address may have on a worker; 0: any number.

    Twice as many as sockets, and at most half of the descriptors that this process may have.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    half = descriptors // 2 if descriptors > 0 else 0  # negative: any number
    wanted = 2 * settings.address_socket_limit
    return min(wanted, half) if wanted and half else wanted

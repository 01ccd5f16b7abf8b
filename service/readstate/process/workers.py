"""The worker processes. `worker_app.py` has the application that runs in each of them."""

import logging
import os
import pickle
import resource
import signal
import socket
import time
from multiprocessing import resource_tracker

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from readstate.process.connection_limits import ServerConfig
from readstate.process.http_protocol import HttpProtocol
from readstate.process.listener import ask_ready, reachable_address
from readstate.process.stopping import SIGNALS, signals_blocked, stop_signals
from readstate.process.websocket_protocol import WebSocketProtocol
from readstate.settings import Settings

MAX_FRAME_BYTES = 65_536
# A stop may take 20 seconds: 15 for requests and sockets, the rest for the application to close.
DRAIN_S = 15
STOP_S = 20
# A worker answers the supervisor as soon as Python runs. On a busy machine the imports alone can
# take seconds.
WORKER_PATIENCE_S = 20
READY_WARNING_S = 15
LOOK_EVERY_S = 0.1
OF_THE_TERMINAL = (signal.SIGINT, signal.SIGHUP)  # Ctrl-C, and the end of the terminal

logger = logging.getLogger("readstate")


def count_replaced(process: str, times: int = 1) -> None:
    """Count a worker, deliverer or embedded store that ended and is replaced."""
    # The module may be imported only when the directory for the numbers is named.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from readstate import metrics

        metrics.PROCESSES_REPLACED.labels(process).inc(times)


class Workers(Multiprocess):
    """uvicorn's supervisor of workers, also for a single one, and with limits to its patience."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        config = ServerConfig(
            "readstate.worker_app:worker",
            factory=True,
            workers=settings.workers,
            loop="uvloop",
            http=HttpProtocol,
            ws=WebSocketProtocol,
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
            timeout_worker_healthcheck=WORKER_PATIENCE_S,
        )
        hangups = signal.SIGHUP in stop_signals()
        super().__init__(config, [listener])
        if not hangups:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._address = reachable_address(listener)
        self._stop_by = float("inf")
        self.failed_to_start = False
        self._serving: set[Process] = set()
        self.announced = False
        self.stopped_by = 0  # the signal

    def init_processes(self) -> None:
        # Ctrl-C at the terminal and its end must not reach the workers: the supervisor stops them.
        # The resource tracker starts with the first process, and would let Ctrl-C through.
        with signals_blocked(signal.SIGHUP):
            resource_tracker.ensure_running()
        with signals_blocked(*OF_THE_TERMINAL):
            super().init_processes()

    def handle_signals(self) -> None:
        signum = next((signum for signum in self.signal_queue if signum in SIGNALS), 0)
        if signum and not self.stopped_by:
            self.stopped_by = signum
            logger.info("told to stop by %s", signal.Signals(signum).name)
        super().handle_signals()

    def handle_hup(self) -> None:
        self.should_exit.set()

    def keep_subprocess_alive(self) -> None:
        for index, worker in enumerate(self.processes):
            if self._is_told_to_stop() or self._is_well(worker):
                continue
            hung = worker.process.is_alive()
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                # It would fail in the same way each time.
                self.should_exit.set()
                return
            self.processes[index] = fresh = Process(self.config, self.sockets)
            with signals_blocked(*OF_THE_TERMINAL):
                fresh.start()
            words = "did not answer and was ended" if hung else f"ended with {worker.exitcode}"
            logger.warning("worker %d %s; worker %d takes its place", worker.pid, words, fresh.pid)
            count_replaced("worker")

    def _is_well(self, worker: Process) -> bool:
        """Whether it lives and answers in time.

        During its start this waits, until a stop is asked for.
        """
        if not worker.process.is_alive():
            return False
        try:
            worker.parent_conn.send(b"ping")
            until = time.monotonic() + WORKER_PATIENCE_S
            while not worker.parent_conn.poll(LOOK_EVERY_S):
                if self._is_told_to_stop():
                    return True
                if time.monotonic() > until:
                    return False
            if worker.parent_conn.recv():
                self._serving.add(worker)
        except (OSError, EOFError, pickle.UnpicklingError):
            return False
        return True

    def _is_told_to_stop(self) -> bool:
        return self.should_exit.is_set() or bool(self.signal_queue)

    def terminate_all(self) -> None:
        # Closed first, so that no client is accepted that no worker will serve.
        for listener in self.sockets:
            listener.close()
        self._stop_by = time.monotonic() + STOP_S
        self.failed_to_start = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        for process in self.processes:
            # A worker that does not serve yet has nothing to finish, and may wait for a store.
            if self.announced or process in self._serving:
                process.terminate()
            else:
                process.kill()

    def join_all(self) -> None:
        for process in self.processes:
            process.process.join(max(0.0, self._stop_by - time.monotonic()))
            if process.process.is_alive():
                logger.warning("a worker did not stop within %d s and is ended", STOP_S)
                process.process.kill()
            process.process.join()

    def announce_when_ready(self, announcement: str) -> None:
        """Print `announcement` when /readyz says yes. If that takes long, warn once and say why."""
        warn_at = time.monotonic() + READY_WARNING_S
        while not self.should_exit.is_set():
            ready, answer = ask_ready(self._address)
            if ready:
                self.announced = True
                print(announcement, flush=True)  # noqa: T201 - for the person who started it
                address = ":".join(map(str, self._address))
                logger.info("ready", extra={"address": address, "workers": self.processes_num})
                return
            if time.monotonic() > warn_at:
                logger.warning("not ready yet: %s", answer)
                warn_at = float("inf")
            self.should_exit.wait(0.05)


def connections_of_an_address(settings: Settings) -> int:
    """How many connections one address may have on a worker; 0: any number.

    Twice as many as sockets, and at most half of the descriptors that this process may have.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    half = descriptors // 2 if descriptors > 0 else 0  # negative: any number
    wanted = 2 * settings.address_socket_limit
    return min(wanted, half) if wanted and half else wanted

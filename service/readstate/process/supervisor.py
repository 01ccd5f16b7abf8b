"""`readstate serve`: one process that owns the server, the port and the workers, and takes them down in the right order.

    supervisor ── embedded Valkey (only without READSTATE_REDIS_URL)
        ├── a deliverer of webhooks (only with READSTATE_WEBHOOK_URL); when it dies it is replaced
        └── workers, which share the listening socket; one that dies is replaced

Stopping: the port is closed, the workers finish what is in flight and go, the server goes last. Whatever happens to the supervisor
itself, nothing that it started stays behind.
"""

import asyncio
import gc
import http.client
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import socket
import threading
import time
from contextlib import ExitStack
from errno import EADDRINUSE, EADDRNOTAVAIL
from functools import partial
from importlib.metadata import version
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from litestar.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from readstate import logs
from readstate.process.connection_limits import ServerConfig
from readstate.process.deliverer_process import DelivererProcess
from readstate.process.embedded import EmbeddedServer
from readstate.process.http_protocol import HttpProtocol
from readstate.process.parent_watch import die_with_parent
from readstate.process.stopping import SIGNALS, Stopped, heeded, held_back
from readstate.process.websocket_protocol import WebSocketProtocol
from readstate.settings import PREFIX, Settings
from readstate.store.server_check import ServerFacts, check_server

MAX_FRAME_BYTES = 65_536
SEND_BUFFER_BYTES = 256 * 1024  # the system's, of each connection
# Of the 20 seconds that a stop may take, these are for requests and sockets; what is left is for the application's own closing.
DRAIN_S = 15
STOP_S = 20
# Calls in flight make and drop some thousands of objects at a time, which are no garbage.
COLLECT_AFTER = 5_000  # new objects
# A worker answers the supervisor as soon as Python runs; on a busy machine importing alone can take seconds.
WORKER_PATIENCE_S = 20
READY_WARNING_S = 15
LOOK_EVERY_S = 0.1
OF_THE_TERMINAL = (signal.SIGINT, signal.SIGHUP)  # Ctrl-C, and that it was closed

logger = logging.getLogger("readstate")


class StartError(Exception):
    """The service cannot start. The message is one sentence that says what to change."""


def serve(settings: Settings) -> int:
    """Serve until told to stop (SIGTERM, SIGINT, SIGHUP). Returns the exit code.

    Raises SettingsError, StartError, EmbeddedError and ServerRefused, each with the one sentence that an operator needs, and Stopped
    when told to stop before it was ready.
    """
    made, embedded = settings.open_secrets(), settings.redis_url is None
    settings = settings.resolve()
    _configure_logs(settings)
    _allow_many_sockets()
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        if embedded:
            server = EmbeddedServer(
                Path(settings.data_dir), logger.warning, settings.embedded_memory_mb, partial(_count_replaced, "store")
            )
            stack.callback(server.stop)
            server.start()
            settings = msgspec.structs.replace(settings, redis_url=server.url, embedded_memory_mb=None)
        facts = asyncio.run(check_server(str(settings.redis_url)))
        for warning in facts.warnings:
            logger.warning(warning)
        if os.geteuid() == 0:
            logger.warning("running as root, with more rights than readstate needs; start it as a user of its own")
        # Each worker keeps its numbers in a file there, so that whichever is asked can add them up.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory(prefix="readstate-metrics-"))
        # The workers are new processes: they read the settings as this one did.
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update(settings.environ())
        for process in (
            "worker",
            *(("deliverer",) if settings.webhook_url is not None else ()),
            *(("store",) if embedded else ()),
        ):
            _count_replaced(process, 0)
        if settings.webhook_url is not None:
            deliverer = DelivererProcess(logger.warning, partial(_count_replaced, "deliverer"))
            stack.callback(deliverer.stop)
            deliverer.start()
        workers = Workers(settings, listener)
        announcement = _announcement(settings, listener, facts, made, embedded)
        threading.Thread(target=workers.announce_when_ready, args=(announcement,), daemon=True).start()
        workers.run()
    if workers.failed_to_start:
        return 1
    logger.info("stopped")
    if workers.stopped_by and not workers.announced:
        raise Stopped(workers.stopped_by)
    return 0


def _count_replaced(process: str, times: int = 1) -> None:
    """A worker, the deliverer or the embedded store died, and another one takes its place."""
    # That module may be imported only when the directory for the numbers is named.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from readstate import metrics

        metrics.PROCESSES_REPLACED.labels(process).inc(times)


def worker() -> ASGIApp:
    """The application of one worker; uvicorn calls this in each worker's process."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and supervisor.pid is not None:
        # Not an orderly stop: without its supervisor nobody would replace it, and it would keep the port from the next one.
        die_with_parent(supervisor.pid, signal.SIGKILL)
    settings = Settings.from_environ(os.environ)
    _configure_logs(settings)
    from readstate.app import create_app

    app = create_app(settings)
    app.make_document()
    calm_collector()
    return app


def calm_collector() -> None:
    """Have garbage looked for seldom, and never among what is there now, which stays for as long as the process does.

    To go through all of it took a worker 28 ms, several times a minute when calm and twice a second when busy.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


class Workers(Multiprocess):
    """uvicorn's supervisor of worker processes, with an end to its patience, for one worker as for many."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        config = ServerConfig(
            "readstate.process.supervisor:worker",
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
        hangups = signal.SIGHUP in heeded()
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
        # Ctrl-C at the terminal and its end must not reach the workers: they are told to stop by us.
        # The tracker, which comes with the first process, would let Ctrl-C through.
        with held_back(signal.SIGHUP):
            resource_tracker.ensure_running()
        with held_back(*OF_THE_TERMINAL):
            super().init_processes()

    def handle_signals(self) -> None:
        told = next((signum for signum in self.signal_queue if signum in SIGNALS), 0)
        if told and not self.stopped_by:
            self.stopped_by = told
            logger.info("told to stop by %s", signal.Signals(told).name)
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
            with held_back(*OF_THE_TERMINAL):
                fresh.start()
            words = "did not answer and was ended" if hung else f"ended with {worker.exitcode}"
            logger.warning("worker %d %s; worker %d takes its place", worker.pid, words, fresh.pid)
            _count_replaced("worker")

    def _is_well(self, worker: Process) -> bool:
        """Whether it lives and answers in time. While it starts that takes a while, which ends when we are told to stop."""
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
        # Closed first, so that nobody is let in whom no worker will serve.
        for listener in self.sockets:
            listener.close()
        self._stop_by = time.monotonic() + STOP_S
        self.failed_to_start = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        for process in self.processes:
            # One that does not serve yet has nothing to finish, and may be waiting for a store that is away.
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
        """Print `announcement` once /readyz says yes; say once why not when that takes long."""
        warn_at = time.monotonic() + READY_WARNING_S
        while not self.should_exit.is_set():
            ready, answer = _ask_ready(self._address)
            if ready:
                self.announced = True
                print(announcement, flush=True)  # noqa: T201 - for the person who started it
                logger.info(
                    "ready", extra={"address": ":".join(map(str, self._address)), "workers": self.processes_num}
                )
                return
            if time.monotonic() > warn_at:
                logger.warning("not ready yet: %s", answer)
                warn_at = float("inf")
            self.should_exit.wait(0.05)


def connections_of_an_address(settings: Settings) -> int:
    """How many connections one address may have on a worker: twice as many as sockets, and at most half of the descriptors there are."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    half = descriptors // 2 if descriptors > 0 else 0  # negative: any number
    wanted = 2 * settings.address_socket_limit
    return min(wanted, half) if wanted and half else wanted


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `host` (name or address, IPv4 or IPv6) and `port` (0: any free one). Raises StartError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except socket.gaierror as error:
        raise StartError(f"READSTATE_HOST: {host} is no address of this machine ({error.strerror})") from None
    except PermissionError:
        raise StartError(
            f"port {port} needs more rights than this user has; set READSTATE_PORT to one above 1023"
        ) from None
    except OSError as error:
        if error.errno == EADDRINUSE and _is_readstate(reachable_host(host), port):
            raise StartError(
                f"another readstate listens on {host} port {port}; stop it first, or set READSTATE_PORT to another"
            ) from None
        if error.errno == EADDRNOTAVAIL:
            raise StartError(f"READSTATE_HOST: {host} is no address of this machine; 0.0.0.0 is all it has") from None
        # Not in the error's own words, which say the address once more.
        why = os.strerror(error.errno) if error.errno else str(error)
        raise StartError(
            f"cannot listen on {host} port {port} ({why}); stop what uses it, or set READSTATE_HOST or READSTATE_PORT to another"
        ) from None
    # Connections inherit it. Left to itself the system keeps up to 4 MiB for each client that does not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.set_inheritable(True)
    return listener


def reachable_address(listener: socket.socket) -> tuple[str, int]:
    """Where a client on this machine finds the listener."""
    host, port = listener.getsockname()[:2]
    return reachable_host(host), port


def reachable_host(host: str) -> str:
    """`host`, or the loopback address where it stands for every address of this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _is_readstate(host: str, port: int) -> bool:
    """Whether what listens there is a service like this one."""
    _, answer = _ask(host, port, "/metrics", timeout_s=2)
    return "readstate_" in answer


def _ask_ready(address: tuple[str, int]) -> tuple[bool, str]:
    return _ask(*address, "/readyz", timeout_s=5)


def _ask(host: str, port: int, path: str, timeout_s: float) -> tuple[bool, str]:
    """Whether a GET is answered with 200, and the beginning of what is answered."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status == 200, f"{response.status} {response.read(1000).decode(errors='replace')}"
    except OSError as error:
        return False, str(error)
    except http.client.HTTPException as error:
        return False, repr(error)
    finally:
        connection.close()


def _announcement(
    settings: Settings, listener: socket.socket, facts: ServerFacts, made: list[str], embedded: bool
) -> str:
    host, port = reachable_address(listener)
    keeper = f"cluster of {facts.primaries} primaries, {facts.product}" if facts.clustered else facts.product
    lines = [
        f"readstate {version('readstate')} listens on http://{f'[{host}]' if ':' in host else host}:{port}",
        f"  state       {keeper}{f', embedded, in {settings.data_dir}' if embedded else ''}; {settings.workers} worker(s)",
    ]
    # What somebody gave as a variable they know; it need not end up in a log as well.
    for name, label in {"client_key": "client key", "api_key": "API key   "}.items():
        lines.append(f"  {label}  {getattr(settings, name) if name in made else f'as set in READSTATE_{name.upper()}'}")
    return "\n".join(lines)


def _configure_logs(settings: Settings) -> None:
    logs.configure(settings.log_level)
    if settings.log_level == "info":
        # That every process starts and stops as it should is of interest only to whoever looks for a fault.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _allow_many_sockets() -> None:
    """Each device holds a connection: use all the descriptors that this user may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        # Some systems call a number a limit that they do not accept; what is there will have to do.
        return

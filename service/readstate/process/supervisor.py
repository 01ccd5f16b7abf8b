"""`readstate serve`: a process that owns the store, the port and the workers.

    supervisor ── embedded Valkey (only without READSTATE_REDIS_URL)
        ├── a deliverer of webhooks (only with READSTATE_WEBHOOK_URL); when it ends it is replaced
        └── a process that has made the application, and is forked for each worker
              └── workers, which share the listening socket; one that ends or hangs is replaced

To stop, it closes the port, lets the workers finish the calls in flight, and stops the server last.
However the supervisor ends, its processes end with it.
"""

import logging
import os
import resource
import socket
import threading
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec

from readstate import logs
from readstate.process.awaited_store import AwaitedStore
from readstate.process.deliverer_process import deliverer_process
from readstate.process.embedded import EmbeddedServer
from readstate.process.listener import listen, reachable_address
from readstate.process.numbers_directory import numbers_directory
from readstate.process.stopping import Stopped
from readstate.process.worker_process import forks_prepared
from readstate.process.workers import Workers, count_replaced
from readstate.settings import PREFIX, Settings

logger = logging.getLogger("readstate")


def serve(settings: Settings) -> int:
    """Serve until told to stop (SIGTERM, SIGINT, SIGHUP). Returns the exit code.

    A store of the operator's own may be away: the service starts and waits for it. Raises
    SettingsError, StartError, EmbeddedError and ServerRefused, each with the one sentence that an
    operator needs, and Stopped when it is told to stop before it is ready.
    """
    made, embedded = settings.open_secrets(), settings.redis_url is None
    settings = settings.resolve()
    logs.configure_service(settings.log_level)
    _allow_many_sockets()
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        listeners = [listener]
        if ops := settings.ops_address():
            listeners.append(stack.enter_context(listen(*ops, setting="READSTATE_OPS")))
        if embedded:
            settings = _start_store(stack, settings)
        # Each worker keeps its numbers in a file there, so that any of them can give the sum.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(numbers_directory())
        _pass_on(settings)
        stack.enter_context(forks_prepared())  # it gets ready while the store is examined
        store = AwaitedStore(str(settings.redis_url), embedded=embedded)
        store.examine()
        if os.geteuid() == 0:
            logger.warning("running as root, with more rights than readstate needs; start it as a user of its own")
        count_replaced("worker", 0)
        if embedded:
            count_replaced("store", 0)
        deliverer = None
        if settings.webhook_url is not None:
            count_replaced("deliverer", 0)
            deliverer = deliverer_process(logger.warning, partial(count_replaced, "deliverer"))
            stack.callback(deliverer.stop)
        workers = Workers(settings, listeners)

        def tell() -> None:
            if store.wait(workers):
                if deliverer is not None:
                    deliverer.start()
                workers.announce_when_ready(_announcement(settings, listener, store, made))

        threading.Thread(target=tell, daemon=True).start()
        workers.run()
    if store.refusal is not None:
        raise store.refusal
    if workers.failed_to_start:
        return 1
    logger.info("stopped")
    if workers.stopped_by and not workers.announced:
        raise Stopped(workers.stopped_by)
    return 0


def _start_store(stack: ExitStack, settings: Settings) -> Settings:
    """Start the embedded server. Returns the settings with its URL."""
    server = EmbeddedServer(
        Path(settings.data_dir), logger.warning, settings.embedded_memory_mb, partial(count_replaced, "store")
    )
    stack.callback(server.stop)
    server.start()
    return msgspec.structs.replace(settings, redis_url=server.url, embedded_memory_mb=None)


def _pass_on(settings: Settings) -> None:
    """Put the settings into the environment, from which workers, as new processes, read them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update(settings.environ())


def _announcement(settings: Settings, listener: socket.socket, store: AwaitedStore, made: list[str]) -> str:
    assert store.facts is not None
    facts = store.facts
    host, port = reachable_address(listener)
    keeper = f"cluster of {facts.primaries} primaries, {facts.product}" if facts.clustered else facts.product
    where = f", embedded, in {settings.data_dir}" if store.embedded else ""
    lines = [
        f"readstate {version('readstate')} listens on http://{f'[{host}]' if ':' in host else host}:{port}",
        f"  state       {keeper}{where}; layout {store.layout}; {settings.workers} worker(s)",
    ]
    # A key that was given as a variable is known to its operator, and need not be in a log as well.
    for name, label in {"client_key": "client key", "api_key": "API key   "}.items():
        lines.append(f"  {label}  {getattr(settings, name) if name in made else f'as set in READSTATE_{name.upper()}'}")
    return "\n".join(lines)


def _allow_many_sockets() -> None:
    """Use all the descriptors that this user may have: each device holds a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        # Some systems name a limit that they do not accept. The present one will have to do.
        return

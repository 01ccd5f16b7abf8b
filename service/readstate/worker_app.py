"""The application of one worker, ready to serve: what `process/workers.py` runs in each process."""

import gc
import multiprocessing
import os
import signal

from litestar.types import ASGIApp

from readstate import logs
from readstate.process.parent_watch import die_with_parent
from readstate.settings import Settings

# Garbage is collected after so many new objects. Calls in flight make and drop some thousands at a
# time, which are no garbage.
COLLECT_AFTER = 5_000


def worker() -> ASGIApp:
    """The application of one worker; uvicorn calls this in each worker's process."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None and supervisor.pid is not None:
        # Not an orderly stop: nothing would replace a worker without a supervisor, and the worker
        # would keep the port from the next service.
        die_with_parent(supervisor.pid, signal.SIGKILL)
    settings = Settings.from_environ(os.environ)
    logs.configure_service(settings.log_level)
    # Not earlier: it takes a second, in which the supervisor may die.
    from readstate.app import create_app

    app = create_app(settings)
    app.make_document()
    tune_garbage_collector()
    return app


def tune_garbage_collector() -> None:
    """Collect garbage seldom, and never look at the objects that exist now: they stay.

    A look at all of them took a worker 28 ms, several times a minute when idle and twice a second
    when busy.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)

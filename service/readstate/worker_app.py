"""The application of one worker, ready to serve: what `process/workers.py` runs in each process."""

import gc
import os
from typing import TYPE_CHECKING

from litestar.types import ASGIApp

from readstate import logs
from readstate.app import Service, create_app
from readstate.settings import Settings
from readstate.tracing import traces_or_warning

if TYPE_CHECKING:
    from readstate.tracing.calls import TracedService

# Garbage is collected after so many new objects. Calls in flight make and drop some thousands at a
# time, which are no garbage.
COLLECT_AFTER = 5_000

_made: list[ASGIApp] = []


def worker() -> ASGIApp:
    """The application of one worker; uvicorn calls this in each worker's process."""
    return _made.pop() if _made else _make()


def make_for_forks() -> None:
    """Make the application in the process from which workers are forked.

    Then a worker need not, and all share the memory. Nothing in it is open, or of one process only.
    """
    _made[:] = [_make()]


def _make() -> ASGIApp:
    settings = Settings.from_environ(os.environ)
    logs.configure_service(settings.log_level)
    app = _application(settings)
    app.make_document()
    tune_garbage_collector()
    return app


def _application(settings: Settings) -> "Service | TracedService":
    traces = traces_or_warning(os.environ)
    if traces is None:
        return create_app(settings)
    from readstate.tracing.calls import TracedService

    return TracedService(settings, traces)


def tune_garbage_collector() -> None:
    """Collect garbage seldom, and never look at the objects that exist now: they stay.

    A look at all of them took a worker 28 ms, several times a minute when idle and twice a second
    when busy.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)

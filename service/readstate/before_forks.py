"""Imported by the process from which workers are forked, for what the import does.

What fails here fails in a worker again, which says it. Ctrl-C at the terminal reaches this process,
too. It ends with the supervisor, and is not to complain in the middle of an import.
"""

import contextlib
import gc
import os
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

gc.disable()  # nearly all that is made here stays
with contextlib.suppress(Exception):
    from readstate import worker_app
    from readstate.process import websocket_protocol, worker_server  # noqa: F401 - for the workers
    from readstate.store.scripts import load_scripts
    from readstate.store.sentinel import service_of

    load_scripts("atomic")
    url = os.environ["READSTATE_REDIS_URL"]
    if not (url.startswith("unix:") or service_of(url)):  # only then it may lead to a cluster
        load_scripts("split")
    worker_app.make_for_forks()
gc.enable()

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

    load_scripts("atomic")
    if not os.environ["READSTATE_REDIS_URL"].startswith("unix:"):  # so it may lead to a cluster
        load_scripts("split")
    worker_app.make_for_forks()
gc.enable()

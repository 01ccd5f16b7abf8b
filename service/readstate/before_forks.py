"""Imported by the process from which workers are forked, for what the import does.

What fails here fails in a worker again, which says it. Ctrl-C at the terminal reaches this process,
too. It ends with the supervisor, and is not to complain in the middle of an import.
"""

import contextlib
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

from readstate import worker_app  # noqa: E402
from readstate.store.scripts import load_scripts  # noqa: E402

with contextlib.suppress(Exception):
    load_scripts("atomic")
    load_scripts("split")
    worker_app.make_for_forks()

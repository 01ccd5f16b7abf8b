"""Imported by the process from which workers are forked, for what the import does.

What fails here fails in a worker again, which says it.
"""

import contextlib

from readstate import worker_app
from readstate.store.scripts import load_scripts

with contextlib.suppress(Exception):
    load_scripts("atomic")
    load_scripts("split")
    worker_app.make_for_forks()

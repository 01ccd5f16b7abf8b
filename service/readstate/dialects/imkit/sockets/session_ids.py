"""Ids of sessions. The last letter says which worker of the service has the session."""

import secrets
import string

_WORKERS = string.ascii_letters + string.digits + "-_"
_SECRET_BYTES, _CHARS = 15, 21


def new_session_id(worker: int) -> str:
    """An id that cannot be guessed. `worker`: its number, below 64."""
    return secrets.token_urlsafe(_SECRET_BYTES) + _WORKERS[worker]


def worker_of(session_id: str) -> int:
    """The number of the worker that has the session; -1 for what is no id."""
    return _WORKERS.find(session_id[-1]) if len(session_id) == _CHARS else -1

"""The service behind a real socket, in a thread of the test's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from readstate.app import create_app
from readstate.settings import Settings
from tests.support.waiting import wait_until_now


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The URL of a running service."""
    running = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=running.run)
    thread.start()
    wait_until_now(lambda: running.started, "the service to start")
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join()

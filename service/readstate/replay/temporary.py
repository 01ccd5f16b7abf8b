"""A temporary service: `readstate serve` on a free port, with files in a temporary directory."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from readstate.process.listener import ask_ready

START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class TemporaryService:
    """Where it listens, and its keys."""

    url: str
    api_key: str
    client_key: str


class ServiceFailed(Exception):
    """The service did not become ready; the message ends with what it wrote."""


@contextmanager
def temporary_service(settings: Mapping[str, str] | None = None) -> Iterator[TemporaryService]:
    """Start a service, wait until it is ready, and stop it at the end. Raises ServiceFailed.

    `settings` are further variables of its environment. READSTATE_ variables of this process are
    not passed on.
    """
    with tempfile.TemporaryDirectory(prefix="readstate-") as directory:
        port = free_port()
        service = TemporaryService(f"http://127.0.0.1:{port}", secrets.token_hex(16), secrets.token_hex(16))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("READSTATE_")}
        environ |= {
            "READSTATE_PORT": str(port),
            "READSTATE_DATA_DIR": str(Path(directory, "data")),
            "READSTATE_API_KEY": service.api_key,
            "READSTATE_CLIENT_KEY": service.client_key,
        }
        log = Path(directory, "service.log")
        with log.open("wb") as output:
            # In a session of its own: after Ctrl-C at the terminal we stop it in an orderly way.
            process = subprocess.Popen(
                [sys.executable, "-m", "readstate", "serve"],
                env=environ | dict(settings or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            wait_until_ready(service.url, process, log)
            yield service
        finally:
            stop(process)


def free_port() -> int:
    """A free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until /readyz says yes. Raises ServiceFailed, with the end of `log`, if it does not."""
    host, _, port = url.removeprefix("http://").partition(":")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceFailed(f"the service ended with {process.returncode}:\n{_tail(log)}")
        if ask_ready((host, int(port)))[0]:
            return
        time.sleep(0.1)
    raise ServiceFailed(f"the service was not ready after {START_S:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop it in an orderly way and wait for it; kill it when that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""A service that is told to stop under calls: each client is answered, or cannot connect."""

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.support.processes import ServiceProcess, own_service
from tests.support.waiting import wait_until_now

ANSWERED, REFUSED = "answered", "refused"
BEFORE_S = 0.5  # under calls, before it is told to stop
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Caller:
    """Calls until it cannot connect any more, and counts how its calls end.

    `keeps`: it keeps its connection for as long as the service does.
    """

    def __init__(self, address: tuple[str, int], *, keeps: bool) -> None:
        self.ends: Counter[str] = Counter()
        self._address = address
        self._keeps = keeps

    def run(self) -> None:
        while not self.ends[REFUSED]:
            try:
                connection = socket.create_connection(self._address, timeout=10)
            except ConnectionRefusedError:
                self.ends[REFUSED] += 1
                return
            with connection:
                self._call(connection)

    def _call(self, connection: socket.socket) -> None:
        """One call, or those of a connection that is kept."""
        goes_on = True
        while goes_on:
            try:
                connection.sendall(REQUEST)
                answer = connection.recv(65_536)
            except OSError as error:
                self.ends[type(error).__name__] += 1
                return
            self.ends[ANSWERED if answer.startswith(b"HTTP/1.1 200 ") else f"got {answer[:100]!r}"] += 1
            goes_on = self._keeps and bool(answer) and b"connection: close" not in answer.lower()


def address_of(service: ServiceProcess) -> tuple[str, int]:
    address = urlsplit(service.url)
    return str(address.hostname), int(address.port or 0)


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=0.05).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        pass
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_no_client_that_has_connected_is_cut_off(workers: int, full: bool) -> None:
    """Whether it calls once or keeps its connection."""
    for _ in range(20 if full else 1):
        with own_service(workers=workers) as service:
            callers = [Caller(address_of(service), keeps=number < 4) for number in range(12)]
            with ThreadPoolExecutor(len(callers)) as threads:
                for caller in callers:
                    threads.submit(caller.run)
                time.sleep(BEFORE_S)
                service.stop()
            ends = sum((caller.ends for caller in callers), Counter())
        assert set(ends) == {ANSWERED, REFUSED}, ends
        assert ends[ANSWERED] > len(callers)


def test_a_client_that_has_just_connected_is_answered() -> None:
    """Its request comes when the service is already stopping."""
    with own_service() as service:
        address = address_of(service)
        with socket.create_connection(address, timeout=10) as connection:
            stopping = threading.Thread(target=service.stop)
            stopping.start()
            wait_until_now(lambda: refuses(address), "the port to be closed")
            connection.sendall(REQUEST)
            assert b"connection: close" in connection.recv(65_536).lower()
            assert connection.recv(65_536) == b""
        stopping.join()

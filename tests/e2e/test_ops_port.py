"""READSTATE_OPS_PORT: what is for operators, on a port of its own and there only."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
import websockets

from tests.support.processes import ServiceProcess, own_service, run_command
from tests.support.servers import free_port
from tests.support.waiting import wait_until_now

OPS = ("/metrics", "/healthz", "/readyz")
NOT_OPS = ("/", "/schema", "/me/badge", "/rooms", "/socket.io/?EIO=4&transport=polling", "/api/v1/info", "/none")


class Divided:
    """A service with both ports."""

    def __init__(self, service: ServiceProcess, ops: str) -> None:
        self.service = service
        self.ops = ops


@pytest.fixture(scope="module")
def divided() -> Iterator[Divided]:
    port = free_port()
    with own_service(ops_port=port, workers=2) as service:
        yield Divided(service, f"http://127.0.0.1:{port}")


def get(url: str, method: str = "GET") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("path", OPS)
def test_operators_ask_their_port(divided: Divided, path: str) -> None:
    assert get(divided.ops + path)[0] == 200
    assert get(divided.ops + path, "HEAD") == (200, b"")
    assert get(divided.ops + path, "POST")[0] == 405


@pytest.mark.parametrize("path", OPS)
def test_callers_do_not_reach_it(divided: Divided, path: str) -> None:
    """With a header that names the other port neither: what counts is the socket."""
    host = divided.ops.removeprefix("http://")
    request = urllib.request.Request(divided.service.url + path, headers={"Host": host})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as error:
        assert error.code == 404


@pytest.mark.parametrize("path", NOT_OPS)
def test_there_is_nothing_else_on_it(divided: Divided, path: str) -> None:
    assert get(divided.ops + path)[0] == 404


async def test_no_socket_is_opened_on_it(divided: Divided) -> None:
    url = divided.ops.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(url):
            pass


def test_the_numbers_are_those_of_all_workers(divided: Divided) -> None:
    assert get(divided.service.url + "/")[0] == 200
    # They may be a second old.
    wait_until_now(lambda: b'operation="index"' in get(divided.ops + "/metrics")[1], "the call to be counted")


def test_the_commands_find_it(divided: Divided) -> None:
    ports = {"port": divided.service.url.rpartition(":")[2], "ops_port": divided.ops.rpartition(":")[2]}
    status = run_command("status", "--seconds", "1.2", settings={"data_dir": divided.service.data_dir, **ports})
    assert (status.returncode, status.stderr) == (0, "")
    assert divided.ops in status.stdout
    doctor = run_command("doctor", settings={"data_dir": divided.service.data_dir, **ports})
    assert "ok       port: a readstate listens on 127.0.0.1" in doctor.stdout


async def test_the_port_of_another_readstate_is_named(divided: Divided) -> None:
    ops_port = divided.ops.rpartition(":")[2]
    run = await asyncio.to_thread(
        run_command, "serve", settings={"port": 0, "ops_port": ops_port, "redis_url": "redis://127.0.0.1:1"}
    )
    assert run.returncode == 2
    assert f"another readstate listens on 127.0.0.1 port {ops_port}" in run.stderr
    assert "READSTATE_OPS_PORT" in run.stderr

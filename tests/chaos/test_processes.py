"""Workers that die, hang or cannot start, and a store that is away: the service goes on."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import (
    ServiceProcess,
    children_of,
    command_of,
    first_answer_s,
    is_running,
    logged,
    own_service,
    serving,
    workers_of,
)
from tests.support.servers import Server, free_port, short_directory
from tests.support.waiting import wait_until_now


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture
def own_server(directory: Path) -> Iterator[Server]:
    server = Server(directory / "server")
    server.start()
    yield server
    server.kill()


def test_workers_come_back_when_what_they_are_forked_from_was_killed() -> None:
    with own_service(workers=2) as service:
        workers = serving(service)
        (forked_from,) = {
            pid for pid in children_of(service.pid) - workers if "multiprocessing.forkserver" in command_of(pid)
        }
        os.kill(forked_from, signal.SIGKILL)
        wait_until_now(lambda: not any(map(is_running, workers)), "the workers to end with it")
        wait_until_now(lambda: len(workers_of(service)) == 2, "others to take their place", timeout_s=30)
        assert first_answer_s(service) < 30


def test_a_worker_that_cannot_start_takes_no_other_one_down(own_server: Server, directory: Path) -> None:
    """It is tried again, and joins when it can."""
    with own_server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">password", "+@all", "~*", "&*")
        url = own_server.url.replace("unix://", "unix://app:password@")
        with ServiceProcess(directory / "data", workers=2, redis_url=url) as service:
            stays, killed = serving(service)
            client.execute_command("ACL", "SETUSER", "app", "-hgetall")
            os.kill(killed, signal.SIGKILL)
            wait_until_now(
                lambda: bool(logged(service, "ended with code 3; it is replaced in")), "it to fail again", timeout_s=30
            )
            assert stays in workers_of(service)
            assert service.get("/healthz")[0] == 200
            client.execute_command("ACL", "SETUSER", "app", "+hgetall")
            wait_until_now(lambda: len(serving(service)) == 2, "both to serve", timeout_s=30)


def test_a_worker_that_dies_while_the_store_is_away_does_not_end_the_service(
    own_server: Server, directory: Path
) -> None:
    with ServiceProcess(directory / "data", workers=2, redis_url=own_server.url) as service:
        stays, killed = serving(service)
        own_server.kill()
        os.kill(killed, signal.SIGKILL)
        wait_until_now(
            lambda: bool(logged(service, "waiting for the store: ")), "the new worker to say what it does", timeout_s=30
        )
        assert stays in workers_of(service)
        wait_until_now(lambda: service.get("/readyz")[0] == 503, "it to say that the store is away")
        own_server.start()
        wait_until_now(lambda: service.get("/readyz")[0] == 200, "it to be ready again", timeout_s=30)
        assert stays in workers_of(service)


def test_it_starts_while_the_store_is_away_and_says_so(own_server: Server, directory: Path) -> None:
    own_server.stop()
    port = free_port()
    service = ServiceProcess(directory / "data", redis_url=own_server.url, port=port)
    service.launch()
    url = f"http://127.0.0.1:{port}"
    wait_until_now(lambda: status(f"{url}/healthz")[0] == 200, "it to live", timeout_s=30)
    code, _, text = status(f"{url}/readyz")
    assert (code, text.startswith("not ready: the store cannot be reached")) == (503, True), text
    for path in ("/rooms/ids", "/me/badge", "/socket.io/?EIO=4&transport=polling", "/api/v1/subscriptions.get"):
        code, retry_after, _ = status(url + path)
        assert (code, retry_after) == (503, "1"), path
    assert not service.printed
    assert logged(service, "waiting for the store: the server at ")
    own_server.start()
    wait_until_now(lambda: any("API key" in line for line in service.printed), "it to announce itself")
    assert service.get("/readyz")[0] == 200
    assert service.stop() == 0


def status(url: str) -> tuple[int, str | None, str]:
    """Status, Retry-After and body of an answer; 0 when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, None, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After"), error.read().decode()
    except OSError as error:
        return 0, None, str(error)


def test_a_store_that_comes_and_cannot_be_used_ends_the_service(own_server: Server, directory: Path) -> None:
    """As it does at a start: no waiting could mend it."""
    own_server.stop()
    service = ServiceProcess(directory / "data", redis_url=own_server.url)
    service.launch()
    wait_until_now(lambda: bool(logged(service, "waiting for the store")), "it to wait", timeout_s=30)
    own_server.start("--maxmemory-policy", "allkeys-lru")
    assert service.wait(30) == 2
    assert service.logged[-1].startswith("readstate: maxmemory-policy is allkeys-lru")


def test_the_next_start_removes_the_numbers_of_a_supervisor_that_was_killed(directory: Path) -> None:
    with short_directory() as elsewhere:
        killed = ServiceProcess(directory / "data")
        killed.environ["TMPDIR"] = str(elsewhere)
        killed.start()
        killed.kill()
        (left,) = elsewhere.glob("readstate-metrics-*")
        again = ServiceProcess(directory / "data")
        again.environ["TMPDIR"] = str(elsewhere)
        with again, own_service() as other:
            assert other.get("/metrics")[0] == 200
            assert not left.exists()
            assert len(list(elsewhere.glob("readstate-metrics-*"))) == 1
        assert not list(elsewhere.glob("readstate-metrics-*"))

"""`readstate status` and `readstate token`, beside a running service."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from readstate.store.backlog import Backlog, backlog
from readstate.store.connect import connect
from readstate.store.keys import Keys, OfRoom
from tests.e2e.test_start import post
from tests.support.processes import ServiceProcess, clean_environ, own_service, run_command
from tests.support.servers import Cluster, Server, short_directory

KEYS = {"api_key": "a" * 32, "client_key": "c" * 32, "token_secret": "t" * 32}


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    with own_service(**KEYS) as service:
        for user in ("ada", "ben"):
            post(service, "/admin/clients", {"_id": user}, API_KEY=KEYS["api_key"])
        yield service


def settings_of(service: ServiceProcess) -> dict[str, object]:
    return {"data_dir": service.data_dir, "port": service.url.rpartition(":")[2], **KEYS}


def test_the_screen_shows_service_store_and_calls(service: ServiceProcess) -> None:
    run = run_command("status", "--seconds", "1.2", settings=settings_of(service))
    assert (run.returncode, run.stderr) == (0, "")
    for words in (service.url, "ready", "1 on this store", "open", "pending updates", "dead letters", "metrics"):
        assert words in run.stdout
    assert len(run.stdout.splitlines()) <= 40


def test_it_shows_what_happens_while_it_looks(service: ServiceProcess) -> None:
    """Watching shows more than one screen, until Ctrl-C."""
    command = [sys.executable, "-m", "readstate", "status", "--watch", "--seconds", "1.2"]
    watching = subprocess.Popen(
        command, env=clean_environ(settings_of(service)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    try:
        shown = 0
        while shown < 2:
            line = watching.stdout.readline()
            assert line, "it ended"
            shown += "dead letters" in line
    finally:
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=30)
    assert (watching.returncode, errors) == (-signal.SIGINT, "")


def test_without_a_service_it_says_so_and_makes_nothing() -> None:
    with short_directory() as directory:
        run = run_command("status", settings={"data_dir": directory / "data", "port": 1})
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith("readstate: no service answers at http://127.0.0.1:1 (")
        assert not (directory / "data").exists()


async def test_in_a_store_at_rest_nothing_waits(own_server: Server) -> None:
    executor = await connect(own_server.url)
    assert await backlog(executor) == Backlog(0, 0, 0)
    await executor.close()


async def test_the_backlog_is_counted_over_all_lists(cluster: Cluster, app: str) -> None:
    executor = await connect(cluster.url)
    before = await backlog(executor)
    for room in ("one", "two"):
        key = Keys.room(app, room)
        rooms = Keys.pending_rooms_of(key)
        await executor.command("ZADD", rooms, 1, f"{app}:{room}", key=rooms)
        await executor.command("HSET", key + OfRoom.PENDING, "ann", 1, "ben", 1, key=key)
    after = await backlog(executor)
    for room in ("one", "two"):
        key = Keys.room(app, room)
        await executor.command("DEL", key + OfRoom.PENDING, key=key)
        await executor.command("ZREM", Keys.pending_rooms_of(key), f"{app}:{room}", key=Keys.pending_rooms_of(key))
    await executor.close()
    assert after == Backlog(before.pending_updates + 4, before.waiting_events, before.dead_letters)


def test_a_token_is_accepted(service: ServiceProcess) -> None:
    run = run_command("token", "ada", settings=settings_of(service))
    assert run.returncode == 0, run.stderr
    token = run.stdout.strip()
    assert me(service, token) == 200
    assert me(service, token + "x") == 401
    assert "it is for ada of app default, and ends at 20" in run.stderr


def test_a_user_who_is_unknown_gets_one_only_when_created(service: ServiceProcess) -> None:
    """A user's name with a typing error must not become another user."""
    refused = run_command("token", "zoe", settings=settings_of(service))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "there is no user zoe in app default; --create makes one" in refused.stderr
    made = run_command("token", "zoe", "--create", settings=settings_of(service))
    assert me(service, made.stdout.strip()) == 200


def test_an_app_that_is_unknown_has_no_tokens(service: ServiceProcess) -> None:
    run = run_command("token", "ada", "--app", "nope", settings=settings_of(service))
    assert (run.returncode, run.stdout) == (2, "")


def test_without_the_secret_there_is_no_token(own_server: Server, tmp_path: Path) -> None:
    """A token of another secret would be refused by the service, without a word why."""
    with own_service(redis_url=own_server.url, **KEYS):
        run = run_command("token", "ada", settings={"redis_url": own_server.url, "data_dir": tmp_path / "none"})
    assert (run.returncode, run.stdout) == (2, "")
    assert "READSTATE_TOKEN_SECRET" in run.stderr


def me(service: ServiceProcess, token: str) -> int:
    """The status of GET /me with this token."""
    headers = {"IM-CLIENT-KEY": KEYS["client_key"], "IM-Authorization": token}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{service.url}/me", headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code

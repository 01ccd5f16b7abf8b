"""Commands for a service: they work on its store only, and say what failed."""

import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import redis

from readstate.process.embedded import socket_path
from tests.e2e.test_start import catches, post, token_of
from tests.support.processes import ServiceProcess, run_command
from tests.support.servers import Server, free_port, short_directory
from tests.support.waiting import wait_until_now

# Every command but `serve`, which makes a store, and `replay`, which uses none.
COMMANDS = [
    ("audit",),
    ("audit", "--repair"),
    ("audit", "--user", "ada"),
    ("audit", "--room", "garden"),
    ("export", "everything.jsonl"),
    ("import", "pyproject.toml"),
    ("people", "list"),
    ("people", "show", "ada"),
    ("people", "export", "ada", "ada.jsonl"),
    ("people", "erase", "ada"),
    ("audit", "--user", "ada", "--erased"),
    ("apps", "add", "acme"),
    ("apps", "list"),
    ("apps", "rotate", "acme"),
    ("apps", "remove", "acme"),
    ("tokens", "end", "--app", "default"),
    ("tokens", "end", "--app", "default", "--user", "ada"),
    ("webhooks", "list"),
    ("webhooks", "replay", "--all"),
    ("deliver",),
]
DELIVERER = {"webhook_url": "https://hooks.example.org/", "webhook_token": "t" * 16}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """The data directory of a service that ran: ada and ben in a room of two messages, one of them
    read by ben.
    """
    with short_directory() as directory:
        with ServiceProcess(directory / "data") as service:
            key = {"API_KEY": service.api_key}
            for user in ("ada", "ben"):
                token_of(service, user)
            post(service, "/rooms", {"_id": "garden", "members": ["ada", "ben"], "roomTags": ["home"]}, **key)
            for message in ("m1", "m2"):
                post(
                    service,
                    "/messages",
                    {"_id": message, "room": "garden", "sender": "ada", "messageType": "text", "message": "hi"},
                    **key,
                )
        yield directory / "data"


def command(*arguments: str, data_dir: Path, **settings: object) -> CompletedProcess[str]:
    more = DELIVERER if arguments[0] == "deliver" else {}
    return run_command(*arguments, settings={"data_dir": data_dir, **more, **settings})


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_store_it_fails_and_makes_none(data_dir: Path, arguments: Sequence[str]) -> None:
    """Otherwise it would find nothing wrong, or print other keys: an operator's shell does not have
    the environment of the service.
    """
    run = command(*arguments, data_dir=data_dir)
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"readstate: there is no store to work on: {data_dir} does not exist")
    assert line.endswith("READSTATE_REDIS_URL, or READSTATE_DATA_DIR")
    assert not data_dir.exists()


@pytest.mark.parametrize("mode", [0o700, 0o755])
@pytest.mark.parametrize("arguments", [("audit",), ("apps", "add", "acme")], ids=" ".join)
def test_a_directory_without_a_store_stays_as_it_is(data_dir: Path, arguments: Sequence[str], mode: int) -> None:
    """Such as the directory of a service with its own server, which has only its secrets."""
    data_dir.mkdir(mode=mode)
    run = command(*arguments, data_dir=data_dir)
    assert run.returncode == 2
    assert "no service has kept its data in" in run.stderr or f"run `chmod 700 {data_dir}`" in run.stderr
    assert list(data_dir.iterdir()) == []
    assert data_dir.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("arguments", [("audit",), ("apps", "add", "acme"), ("webhooks", "list")], ids=" ".join)
def test_a_server_that_no_service_has_used_is_refused(data_dir: Path, arguments: Sequence[str]) -> None:
    with short_directory() as directory:
        fresh = Server(directory / "fresh")
        fresh.start()
        run = command(*arguments, data_dir=data_dir, redis_url=fresh.url)
        assert fresh.keys() == set()
        fresh.kill()
    assert (run.returncode, run.stdout) == (2, "")
    assert "correct READSTATE_REDIS_URL" in run.stderr.splitlines()[1]


def test_it_says_on_standard_error_which_store_it_works_on(stopped: Path) -> None:
    """Its output is for scripts."""
    run = command("apps", "list", data_dir=stopped)
    assert run.stderr.splitlines()[0] == f"readstate: working on the embedded store in {stopped}"
    assert [line.partition("\t")[0] for line in run.stdout.splitlines()] == ["default"]


def test_it_shows_no_password_of_the_store(data_dir: Path) -> None:
    port = free_port()
    run = command(
        "apps", "list", data_dir=data_dir, redis_url=f"redis://keeper:hidden-one@127.0.0.1:{port}?socket_timeout=5"
    )
    assert (
        run.stderr.splitlines()[0] == f"readstate: working on redis://127.0.0.1:{port}, which READSTATE_REDIS_URL names"
    )
    assert "hidden-one" not in run.stderr
    assert not data_dir.exists()


def test_on_a_server_of_ones_own_it_makes_no_secrets(stopped: Path, data_dir: Path) -> None:
    """It cannot know keys that are kept elsewhere, and says so."""
    with short_directory() as directory:
        server = Server(directory / "own")
        server.start()
        with ServiceProcess(directory / "data", redis_url=server.url):
            run = command("apps", "list", data_dir=data_dir, redis_url=server.url)
        server.kill()
    assert (run.returncode, run.stdout) == (0, "default\t-\n")
    assert "READSTATE_CLIENT_KEY" in run.stderr
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "default"), "there is an app default already"),
        (("add", "No Such Name"), "an app's name must be"),
        (("rotate", "nobody"), "there is no app nobody"),
        (
            ("rotate", "default"),
            "the API key of default is in READSTATE_API_KEY, or in the file api_key of the data directory",
        ),
        (("remove", "nobody"), "there is no app nobody"),
        (("remove", "default"), "default is the app of the settings, which every service has; it cannot be removed"),
    ],
)
def test_apps_that_cannot_be_changed_are_one_line(stopped: Path, arguments: tuple[str, str], words: str) -> None:
    run = command("apps", *arguments, data_dir=stopped)
    assert (run.returncode, run.stdout) == (2, "")
    assert words in run.stderr.splitlines()[1]


@pytest.mark.parametrize(
    "arguments", [("audit", "--user", "\udcff"), ("audit", "--app", "\udcff"), ("webhooks", "replay", "\udcff")]
)
def test_arguments_that_are_no_text_are_refused(data_dir: Path, arguments: tuple[str, ...]) -> None:
    """The exit code is not that of an audit with findings."""
    run = run_command(*arguments, settings={"data_dir": data_dir})
    assert run.returncode == 2
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("moment_s", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("arguments", [("audit",), ("webhooks", "list")], ids=" ".join)
def test_ctrl_c_ends_it_in_silence(stopped: Path, arguments: Sequence[str], moment_s: float) -> None:
    """A server that it started goes with it, so the next command can begin at once."""
    run = ServiceProcess(stopped, [sys.executable, "-m", "readstate", *arguments])
    run.launch()
    time.sleep(moment_s)
    # Before the first line of the service, Python handles the signal.
    wait_until_now(lambda: bool(run.logged) or not catches(run.pid, signal.SIGINT), "our own code to run")
    run.signal(signal.SIGINT)
    assert run.wait(10) in (-signal.SIGINT, 0)
    assert not any("Traceback" in line for line in run.logged)
    assert command("audit", data_dir=stopped).returncode == 0


_STOPPED_IN_A_FINALIZER = """
import os, signal, time
from readstate.process.stopping import Stopped, stop_by_exception

def told():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)

class Ending:
    def __del__(self):
        told()

stop_by_exception()
Ending()
print("goes on")
try:
    told()
except Stopped:
    print("stopped")
"""


def test_ctrl_c_in_a_finalizer_is_silent_and_the_next_one_ends_it() -> None:
    """The interpreter lets no exception out of a finalizer."""
    run = subprocess.run([sys.executable, "-c", _STOPPED_IN_A_FINALIZER], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("goes on\nstopped\n", "")


# The audit


def test_an_audit_says_how_much_it_looked_at(stopped: Path) -> None:
    """The counters of two users, the copies of two members, the sums of a room.

    Without these numbers, "nothing found" would prove nothing.
    """
    run = command("audit", data_dir=stopped)
    assert (run.returncode, run.stdout) == (0, "")
    *_, looked, found = run.stderr.splitlines()
    assert looked.startswith("readstate: looked at 1 room, 2 users, ")
    assert int(looked.split()[-2]) > 2 * 5
    assert found == "readstate: 0 differences"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--user", "nobody"), "there is no user nobody in app default"),
        (("--room", "norooom"), "there is no room norooom in app default"),
        (("--app", "nope"), "there is no app nope"),
        (("--app", "nope", "--user", "ada"), "there is no app nope"),
    ],
)
def test_an_audit_of_what_is_not_there_fails(stopped: Path, arguments: Sequence[str], words: str) -> None:
    run = command("audit", *arguments, data_dir=stopped)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines()[-1] == f"readstate: {words}"


@pytest.mark.parametrize("arguments", [("--user", "ada"), ("--room", "garden"), ("--app", "default")])
def test_an_audit_of_what_is_there_passes(stopped: Path, arguments: Sequence[str]) -> None:
    assert command("audit", *arguments, data_dir=stopped).returncode == 0


def test_tokens_of_what_is_not_there_are_not_ended(stopped: Path) -> None:
    assert command("tokens", "end", "--app", "nope", data_dir=stopped).returncode == 2
    assert command("tokens", "end", "--app", "default", "--user", "nobody", data_dir=stopped).returncode == 2


def test_an_event_that_is_no_dead_letter_is_not_replayed(stopped: Path) -> None:
    run = command("webhooks", "replay", "read_1", data_dir=stopped)
    assert run.returncode == 2
    assert "there is no dead letter read_1; `readstate webhooks list`" in run.stderr


def test_apps_are_added_while_the_service_runs(data_dir: Path) -> None:
    """A new app's keys work within seconds; a rotated key ends; a removed app is out."""
    settings = {"data_dir": data_dir}
    with ServiceProcess(data_dir, address_rate_limit=0) as service:
        added = run_command("apps", "add", "acme", settings=settings)
        keys = dict(line.rsplit(maxsplit=1) for line in added.stdout.splitlines())
        wait_until_now(lambda: is_let_in(service, keys["API key"]), "the new app to be known")
        assert run_command("apps", "list", settings=settings).stdout.splitlines()[1] == f"acme\t{keys['client key']}"
        assert run_command("apps", "rotate", "acme", settings=settings).returncode == 0
        wait_until_now(lambda: not is_let_in(service, keys["API key"]), "the old key to end")
        assert run_command("apps", "remove", "acme", settings=settings).returncode == 0
        assert len(run_command("apps", "list", settings=settings).stdout.splitlines()) == 1


def is_let_in(service: ServiceProcess, api_key: str) -> bool:
    try:
        token_of(service, "ada", api_key)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code not in (401, 403):
            raise
        return False
    return True


def test_an_audit_prints_what_differs_and_mends_it(data_dir: Path) -> None:
    """On the data of a stopped service, and of one user."""
    with ServiceProcess(data_dir) as service:
        for user in ("ada", "ben"):
            token_of(service, user)
        post(
            service, "/rooms/createAndJoin", {"_id": "room", "invitee": "ben"}, API_KEY=service.api_key, CLIENT_ID="ada"
        )
        assert run_command("audit", settings={"data_dir": data_dir}).returncode == 0
        with redis.Redis(unix_socket_path=str(socket_path(data_dir))) as client:
            assert client.exists("{u:default:ada}")
            client.hset("{u:default:ada}", "", bytes([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]))
    found = run_command("audit", settings={"data_dir": data_dir})
    assert found.returncode == 1
    assert found.stdout.startswith("app default user ada ")
    assert found.stdout.endswith(": stored 7, right is 0\n")
    assert run_command("audit", "--user", "ben", settings={"data_dir": data_dir}).returncode == 0
    assert run_command("audit", "--user", "ada", "--repair", settings={"data_dir": data_dir}).returncode == 1
    assert run_command("audit", settings={"data_dir": data_dir}).returncode == 0

"""The embedded server as a process: one owner, data that stays, nothing left behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from readstate.process import embedded, machine, parent_watch
from readstate.process.embedded import EmbeddedError, EmbeddedServer, running, socket_path
from tests.support.processes import is_running
from tests.support.servers import server_binary, short_directory
from tests.support.waiting import wait_until_now

# A process that starts the embedded server of a directory, says so, and waits for a line.
OWNER = """
import signal, sys
from pathlib import Path
from readstate.process.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), lambda sentence: None)
server.start()
print(server.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture
def reports() -> list[str]:
    """What the embedded server reported."""
    return []


@pytest.fixture
def server(data_dir: Path, reports: list[str]) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(data_dir, reports.append)
    server.start()
    yield server
    server.stop()


def client_of(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def started_elsewhere(data_dir: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that owns `data_dir`, and its server's process id."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        return owner, int(owner.stdout.readline())


def test_it_is_configured_to_lose_nothing_and_let_nobody_in(server: EmbeddedServer) -> None:
    """Each line is a default that would lose data, open a port or let one caller block the
    others.
    """
    wanted = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": str((machine.memory_bytes() // 2) & ~0xFFFFF),
        "maxmemory-policy": "noeviction",
        "busy-reply-threshold": "200",
        "enable-debug-command": "no",
        "unixsocketperm": "700",
        "hash-max-listpack-entries": "64",
        "hash-max-listpack-value": "512",
        "zset-max-listpack-entries": "128",
        "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    }
    with client_of(server.url) as client:
        assert client.config_get(*wanted) == wanted


def test_its_files_are_for_their_owner_only(server: EmbeddedServer, data_dir: Path) -> None:
    with client_of(server.url) as client:
        client.set("k", "v")
    open_to_others = [path for path in [data_dir, *data_dir.rglob("*")] if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


def test_data_survives_a_restart(data_dir: Path) -> None:
    for turn in range(3):
        with running(data_dir, print) as url, client_of(url) as client:
            assert client.incr("turns") == turn + 1


def test_a_second_owner_is_refused(server: EmbeddedServer, data_dir: Path) -> None:
    """Two servers would write the same files. The sentence names the owner."""
    with pytest.raises(
        EmbeddedError, match=rf"another readstate \(process {os.getpid()}\) uses {data_dir}; stop it first"
    ):
        EmbeddedServer(data_dir, print).start()
    with client_of(server.url) as client:
        assert client.ping()


def test_a_running_one_is_used_and_left_running(server: EmbeddedServer, data_dir: Path) -> None:
    """As `readstate audit` does while the service runs."""
    with running(data_dir, print) as url:
        assert url == server.url
    assert server.pid is not None
    assert is_running(server.pid)


def test_it_comes_back_with_its_data_when_it_dies(server: EmbeddedServer, reports: list[str]) -> None:
    with client_of(server.url) as client:
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 5000)
    before = server.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until_now(lambda: server.pid not in (None, before), "the server to be started again")
    wait_until_now(lambda: answer(server.url, "kept") == "yes", "the restarted server to know its data")
    assert len(reports) == 1
    assert reports[0].startswith("the embedded server ended with -9")


def answer(url: str, key: str) -> str | None:
    """The value of a key; None when the server does not answer."""
    try:
        with client_of(url) as client:
            value: str | None = client.get(key)
            return value
    except redis.RedisError:
        return None


def test_it_is_gone_when_its_owner_was_killed(data_dir: Path) -> None:
    owner, server_pid = started_elsewhere(data_dir)
    owner.kill()
    owner.wait()
    wait_until_now(lambda: not is_running(server_pid), "the server to follow its owner")


def test_the_next_owner_finds_what_a_killed_one_wrote(data_dir: Path) -> None:
    owner, _ = started_elsewhere(data_dir)
    with client_of(f"unix://{socket_path(data_dir)}") as client:
        client.set("kept", "yes")
    owner.kill()
    owner.wait()
    with running(data_dir, print) as url:
        assert answer(url, "kept") == "yes"


def orphan(data_dir: Path) -> subprocess.Popen[bytes]:
    """A server of `data_dir` without an owner, as after a supervisor that could not end it.

    It holds the server's lock.
    """
    with running(data_dir, print):
        pass
    command = [server_binary(), str(data_dir / "valkey.conf")]
    program = (
        "import os, sys; from readstate.process import parent_watch; parent_watch.KERNEL_WATCHES = "
        "False; parent_watch.main(sys.argv[1:])"
    )
    orphan = subprocess.Popen(
        [sys.executable, "-c", program, str(os.getpid()), str(data_dir / "server.lock"), *command]
    )
    wait_until_now(
        lambda: answer(f"unix://{socket_path(data_dir)}", "") is None and (data_dir / "valkey.sock").exists(),
        "the orphan",
    )
    return orphan


def test_an_orphan_is_told_to_save_and_stop(data_dir: Path, reports: list[str]) -> None:
    left = orphan(data_dir)
    wait_until_now(lambda: pinged(data_dir), "the orphan to answer")
    with client_of(f"unix://{socket_path(data_dir)}") as client:
        client.set("kept", "yes")
    server = EmbeddedServer(data_dir, reports.append)
    server.start()
    assert left.wait(10) == 0
    assert answer(server.url, "kept") == "yes"
    assert reports == [f"a server that was left behind still runs on {data_dir}; it is told to save and stop"]
    server.stop()


def pinged(data_dir: Path) -> bool:
    try:
        with client_of(f"unix://{socket_path(data_dir)}") as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def test_an_orphan_that_does_not_stop_is_refused(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on writing the files, so no second one is started."""
    monkeypatch.setattr(embedded, "ORPHAN_PATIENCE_S", 0.2)
    left = orphan(data_dir)
    wait_until_now(lambda: pinged(data_dir), "the orphan to answer")
    # Without its socket it takes no commands.
    (data_dir / "valkey.sock").unlink()
    try:
        with pytest.raises(EmbeddedError, match=r"does not stop; end the process that has .*server\.lock open"):
            EmbeddedServer(data_dir, lambda sentence: None).start()
    finally:
        left.terminate()
        left.wait(10)


def test_a_path_too_long_for_a_socket_gets_one_elsewhere(data_dir: Path) -> None:
    """The place is private, found through a pointer in the data directory, and gone afterwards."""
    deep = data_dir / ("d" * 110)
    with running(deep, print) as url:
        place = socket_path(deep).parent
        assert place != deep
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert answer(url, "missing") is None
        assert pinged(deep)
    assert not place.exists()
    assert not (deep / "socket").exists()


def test_a_path_with_spaces_and_quotes_is_no_trouble(data_dir: Path) -> None:
    odd = data_dir.with_name('a "b\\ü')
    with running(odd, print):
        assert pinged(odd)
    assert (odd / "appendonlydir").is_dir()


def test_a_broken_file_is_reported_with_the_servers_own_words(data_dir: Path) -> None:
    with running(data_dir, print) as url, client_of(url) as client:
        client.set("k", "v")
    manifest = next((data_dir / "appendonlydir").glob("*.manifest"))
    manifest.write_text("file what is this\n")
    with pytest.raises(EmbeddedError, match=r"the embedded server did not start: .*(?i:manifest).*valkey\.log"):
        EmbeddedServer(data_dir, print).start()


def test_without_any_server_it_says_what_to_install(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedError, match="or set READSTATE_REDIS_URL"):
        EmbeddedServer(data_dir, print).start()


def test_a_server_on_the_path_serves_where_the_package_has_none(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = tmp_path / "redis-server"
    found.symlink_to(server_binary())
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_server() == str(found)
    with running(data_dir, print):
        assert pinged(data_dir)


def test_a_server_that_is_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64'\n")
    old.chmod(0o700)
    monkeypatch.setattr(embedded, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match=r"redis-server 7\.0 or newer"):
        embedded.find_server()


def test_other_systems_end_the_command_with_its_parent_too(tmp_path: Path) -> None:
    """Where the kernel does not end a command with its parent, a process beside it does."""
    program = (
        "import sys; from readstate.process import parent_watch; parent_watch.KERNEL_WATCHES = False; "
        "sys.exit(parent_watch.main(sys.argv[1:]))"
    )
    starter = (
        "import os, subprocess, sys\n"
        f"command = [sys.executable, '-c', {program!r}, str(os.getpid()), sys.argv[1], '/bin/sh', '-c', "
        "'echo $$; sleep 60']\n"
        "subprocess.Popen(command).wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starter, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        command = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    wait_until_now(lambda: not is_running(command), "the command to be ended")


def test_a_lock_that_is_held_is_an_exit_code(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir, print):
        assert parent_watch.main([str(os.getppid()), str(data_dir / "server.lock"), "/bin/true"]) == parent_watch.LOCKED


def test_files_that_cannot_be_written_are_told_of(tmp_path: Path) -> None:
    """By their names, as a full disk has no words for them."""
    (tmp_path / "valkey.conf").mkdir()
    with pytest.raises(
        EmbeddedError, match=rf"^READSTATE_DATA_DIR: {tmp_path}/valkey\.conf cannot be written \(Is a directory\)"
    ):
        EmbeddedServer(tmp_path, print).start()

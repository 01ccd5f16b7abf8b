"""What power cuts and bad disks do to the embedded server's files, on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from readstate.process import append_only
from readstate.process.embedded import EmbeddedError, EmbeddedServer, running
from tests.support.servers import short_directory
from tests.support.waiting import wait_until_now

LONG = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$4096\r\n"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """The data directory of a server that got k0 to k99 one after the other, and m1 and m2 in a
    transaction.
    """
    with short_directory() as directory:
        with running(directory / "data", print) as url, redis.Redis.from_url(url) as client:
            for number in range(100):
                client.set(f"k{number}", "v" * number)
            client.pipeline(transaction=True).set("m1", "v").set("m2", "v").execute()
        yield directory / "data"


@pytest.fixture
def file(data_dir: Path) -> Path:
    return data_dir / "appendonlydir" / "appendonly.aof.1.incr.aof"


def keys_after_start(data_dir: Path) -> tuple[int, list[str]]:
    """The number of keys of a server on these files, and its reports."""
    reports: list[str] = []
    with running(data_dir, reports.append) as url, redis.Redis.from_url(url) as client:
        return client.dbsize(), reports


@pytest.mark.parametrize(
    "end",
    [
        b"\0",
        b"\0" * 4096,
        b"\0" * (3 << 20),
        b"*3\r\n",
        b"*3\r\n$3\r\nSET\r\n$4\r\nha",
        b"*3\r\n$3\r\nSET\r\n$4\r\nha" + b"\0" * 4096,
        LONG + b"x" * 100,
        LONG + b"x" * 100 + b"\0" * 8192,
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n" + b"\0" * 4096,
        b"*1\r\n$5\r\nmulti\r\n*1\r\n$4\r\nEX",
    ],
    ids=lambda end: f"{end[:24]!r} {len(end)}",
)
def test_an_end_that_was_not_written_in_full_is_dropped(data_dir: Path, file: Path, end: bytes) -> None:
    """All else is kept, the old file is kept too, and the report says what was dropped."""
    whole = file.read_bytes()
    file.write_bytes(whole + end)
    keys, reports = keys_after_start(data_dir)
    assert keys == 102
    (copy,) = data_dir.glob("*.damaged")
    assert copy.read_bytes() == whole + end
    assert copy.stat().st_mode & 0o077 == 0
    (report,) = reports
    assert report.startswith(f"{file} ended in {len(end):,} bytes that hold no whole command")
    assert report.endswith(f"is kept as {copy}")
    assert keys_after_start(data_dir) == (102, [])


@pytest.mark.parametrize("cut", [1, 2, 7, 20, 40, 80])
def test_a_file_that_was_cut_short_loses_the_command_that_was_cut(data_dir: Path, file: Path, cut: int) -> None:
    """The last command is a transaction, of which nothing is kept."""
    file.write_bytes(file.read_bytes()[:-cut])
    keys, reports = keys_after_start(data_dir)
    assert keys == 100
    assert len(reports) == 1


def test_a_file_of_zeros_only_is_an_empty_one(data_dir: Path, file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))
    keys, reports = keys_after_start(data_dir)
    assert (keys, len(reports)) == (0, 1)


@pytest.mark.parametrize("damage", [b"\0" * 30, b"garbage", b"\r\n"], ids=repr)
def test_damage_in_the_middle_is_refused_and_nothing_is_changed(data_dir: Path, file: Path, damage: bytes) -> None:
    """Good data follow, and only an operator may give them up.

    The command in the sentence does that.
    """
    whole = file.read_bytes()
    middle = whole.index(b"*3", len(whole) // 2)
    damaged = whole[:middle] + damage + whole[middle + len(damage) :]
    file.write_bytes(damaged)
    with pytest.raises(
        EmbeddedError, match=f"is damaged after {middle:,} bytes, and not only at its end; put back a copy of"
    ) as caught:
        EmbeddedServer(data_dir, print).start()
    assert f"`truncate -s {middle} {file}`" in str(caught.value)
    assert file.read_bytes() == damaged
    assert list(data_dir.glob("*.damaged")) == []
    with file.open("r+b") as opened:
        opened.truncate(middle)
    assert 0 < keys_after_start(data_dir)[0] < 100


@pytest.mark.parametrize("damage", [b"\0" * 10, b"garbage"], ids=repr)
def test_a_damaged_base_is_refused_in_one_sentence(data_dir: Path, damage: bytes) -> None:
    """It was written and synced as a whole, so a power cut cannot have damaged it."""
    base = data_dir / "appendonlydir" / "appendonly.aof.1.base.rdb"
    base.write_bytes(base.read_bytes() + damage)
    reports: list[str] = []
    with pytest.raises(
        EmbeddedError, match=rf"valkey\.log\); if its files are damaged, put back a copy of {data_dir}/appendonlydir$"
    ):
        EmbeddedServer(data_dir, reports.append).start()
    assert reports == []


def test_data_without_their_manifest_are_not_taken_for_none(data_dir: Path, file: Path) -> None:
    """A server would begin with an empty file of this name."""
    manifest = data_dir / "appendonlydir" / "appendonly.aof.manifest"
    said = manifest.read_bytes()
    manifest.unlink()
    before = file.read_bytes()
    with pytest.raises(
        EmbeddedError, match=rf"holds data, but not the manifest .*; put back a copy of {file.parent}, or"
    ):
        EmbeddedServer(data_dir, print).start()
    assert file.read_bytes() == before
    manifest.write_bytes(said)
    assert keys_after_start(data_dir) == (102, [])


def test_a_first_start_that_was_cut_short_is_no_damage(data_dir: Path, file: Path) -> None:
    """The files are there before the manifest is, with nothing in them."""
    (data_dir / "appendonlydir" / "appendonly.aof.manifest").unlink()
    file.write_bytes(b"")
    assert keys_after_start(data_dir) == (0, [])


def test_an_empty_base_is_refused(data_dir: Path) -> None:
    """The server itself would lose all data and go on."""
    base = data_dir / "appendonlydir" / "appendonly.aof.1.base.rdb"
    base.write_bytes(b"")
    with pytest.raises(EmbeddedError, match=rf"{base} is empty, and a server never leaves it so; put back a copy of"):
        EmbeddedServer(data_dir, print).start()


def test_what_is_sound_is_left_alone(data_dir: Path, file: Path) -> None:
    before = file.read_bytes()
    assert append_only.cut_unfinished_end(data_dir) == ""
    assert file.read_bytes() == before


def test_a_server_that_dies_while_it_serves_comes_back_without_the_end(data_dir: Path, file: Path) -> None:
    """As after a full disk: no operator has to restart it."""
    reports: list[str] = []
    with running(data_dir, reports.append) as url, redis.Redis.from_url(url) as client:
        client.set("last", "v")
        client.execute_command("WAITAOF", 1, 0, 5000)
        with file.open("ab") as opened:
            opened.write(b"*3\r\n$3\r\nSET")
        client.shutdown(nosave=True, now=True, force=True)
        wait_until_now(lambda: answers(url), "the server to be started again")
        assert client.get("last") == b"v"
    assert [report for report in reports if "bytes that hold no whole command" in report]


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False

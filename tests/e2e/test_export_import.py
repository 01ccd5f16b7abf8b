"""`readstate export` and `import` as processes: between apps of a store, and killed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_start import post, token_of
from tests.support.processes import ServiceProcess, clean_environ, run_command
from tests.support.servers import short_directory

ROOMS = 1500
AT_MS = 1_767_225_600_000


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Of a service that ran, with a room, and a second app."""
    with short_directory() as directory:
        with ServiceProcess(directory / "data") as service:
            token_of(service, "ada")
            post(service, "/rooms", {"_id": "garden", "members": ["ada"]}, API_KEY=service.api_key)
        command("apps", "add", "copy", data_dir=directory / "data")
        yield directory / "data"


def command(*arguments: str, data_dir: Path) -> str:
    """What a command says, which must do its work."""
    run = run_command(*arguments, settings={"data_dir": data_dir})
    assert run.returncode == 0, run.stderr
    return run.stderr


def written(path: Path) -> list[str]:
    """The lines of a file without those about the export itself; rooms have no order."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(json.dumps(line, sort_keys=True) for line in lines if line["type"] not in ("readstate", "whole"))


def test_an_app_is_brought_into_another_one(data_dir: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert "is whole; written: 1 user and 1 room" in command("export", str(one), data_dir=data_dir)
    assert "1 room imported, 1 user, into app copy" in command("import", str(one), "--app", "copy", data_dir=data_dir)
    command("export", str(other), "--app", "copy", data_dir=data_dir)
    assert written(one) == written(other)
    assert "0 differences" in command("audit", data_dir=data_dir)


def test_an_import_that_is_killed_goes_on(data_dir: Path, tmp_path: Path) -> None:
    """With the store that it had started, too."""
    path, again = tmp_path / "many", tmp_path / "again"
    path.write_text("".join(json.dumps(line) + "\n" for line in many_rooms()))
    for delay_s in (0.3, 0.6):
        importing = subprocess.Popen(
            [sys.executable, "-m", "readstate", "import", str(path)],
            env=clean_environ({"data_dir": data_dir}),
            stderr=subprocess.PIPE,
        )
        with importing:
            assert importing.stderr is not None
            importing.stderr.readline()  # it works on the store
            time.sleep(delay_s)
            importing.kill()
    said = command("import", str(path), data_dir=data_dir)
    assert "into app default" in said
    assert "0 differences" in command("audit", data_dir=data_dir)
    command("export", str(again), data_dir=data_dir)
    assert set(written(path)) <= set(written(again))


def many_rooms() -> Iterator[dict[str, object]]:
    yield {"type": "readstate", "version": 1, "id": "many", "app": "default", "exported_ms": 0}
    for number in range(ROOMS):
        room = f"room{number}"
        yield {"type": "room", "room": room, "created_ms": AT_MS, "tags": ["many"]}
        for seq in (1, 2, 3):
            yield {"type": "message", "seq": seq, "id": f"m{seq}", "at_ms": AT_MS + seq, "sender": "ada"}
        for user in ("ada", "ben"):
            yield {"type": "member", "user": user, "since": [1, AT_MS], "ordinal": 1}
        yield {"type": "end", "room": room}


def test_what_mattermost_has_exported_is_brought_in(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "import.jsonl"
    post = {"team": "core", "channel": "town", "user": "eve", "create_at": AT_MS}
    lines = [{"type": "version", "version": 1}, {"type": "post", "post": post}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = command("import", "--from", "mattermost", str(path), data_dir=data_dir)
    assert "1 room imported, into app default" in said
    assert "broken off" not in said

"""`readstate people` as a command, on the store of a service that ran."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.e2e.test_start import post, token_of
from tests.support.processes import ServiceProcess, run_command
from tests.support.servers import short_directory


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """ada and ben in a room, in which ada has written."""
    with short_directory() as directory:
        with ServiceProcess(directory / "data") as service:
            for user in ("ada", "ben"):
                token_of(service, user)
            key = {"API_KEY": service.api_key}
            post(service, "/rooms", {"_id": "garden", "members": ["ada", "ben"]}, **key)
            sent = {"_id": "m1", "room": "garden", "sender": "ada", "messageType": "text", "message": "hi"}
            post(service, "/messages", sent, **key)
        yield directory / "data"


def command(*arguments: str, data_dir: Path) -> CompletedProcess[str]:
    return run_command(*arguments, settings={"data_dir": data_dir})


def of_administrators(run: CompletedProcess[str]) -> list[str]:
    """What the log of administrators has of a command."""
    lines = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert {line["logger"] for line in lines} == {"readstate.admin"}
    return [line["message"] for line in lines]


def test_a_user_is_listed_shown_exported_and_erased(data_dir: Path, tmp_path: Path) -> None:
    """In this order, and the proof says what is so before and after."""
    assert sorted(command("people", "list", data_dir=data_dir).stdout.splitlines()) == ["ada", "ben"]
    shown = [json.loads(line) for line in command("people", "show", "ada", data_dir=data_dir).stdout.splitlines()]
    assert [line["type"] for line in shown] == ["user", "token", "copy"]
    assert command("people", "show", "eve", data_dir=data_dir).returncode == 2
    path = tmp_path / "ada.jsonl"
    assert command("people", "export", "ada", str(path), data_dir=data_dir).returncode == 0
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"type": "message", "seq": 1, "id": "m1", "sender": "ada", "joined": 0}.items() <= told[4].items()
    before = command("audit", "--user", "ada", "--erased", data_dir=data_dir)
    assert before.returncode == 1
    assert "{r:default:garden} ada" in before.stdout.splitlines()
    erased = command("people", "erase", "ada", "--as", "former-member", data_dir=data_dir)
    assert re.fullmatch("ada is erased; former-member-[0-9a-f]{16} stands in for them in rooms\n", erased.stdout)
    assert of_administrators(erased) == ["an erasure of a user has begun", "a user was erased"]
    after = command("audit", "--user", "ada", "--erased", data_dir=data_dir)
    assert (after.returncode, after.stdout) == (0, "")
    assert "0 remnants of ada" in after.stderr
    repaired = command("audit", "--repair", data_dir=data_dir)
    assert "0 differences" in repaired.stderr
    assert of_administrators(repaired) == ["an audit that repairs has begun", "an audit has repaired"]
    assert command("people", "list", data_dir=data_dir).stdout == "ben\n"
    assert "there was no user" not in erased.stderr
    assert "there was no user ada in app default" in command("people", "erase", "ada", data_dir=data_dir).stderr


@pytest.mark.parametrize("arguments", [("people", "show"), ("people", "export"), ("audit", "--erased", "--user")])
def test_an_id_that_is_too_long_is_refused(data_dir: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = [str(tmp_path / "file")] if "export" in arguments else []
    run = command(*arguments, "a" * 256, *file, data_dir=data_dir)
    assert run.returncode == 2
    assert "user must have 1 to 128 bytes" in run.stderr


@pytest.mark.parametrize("arguments", [("audit", "--erased"), ("audit", "--user", "ada", "--erased", "--repair")])
def test_the_proof_is_of_one_user_and_mends_nothing(data_dir: Path, arguments: tuple[str, ...]) -> None:
    run = command(*arguments, data_dir=data_dir)
    assert run.returncode == 2
    assert "--erased goes with --user, and without --repair" in run.stderr

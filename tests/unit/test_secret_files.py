"""Secrets in files, which READSTATE_..._FILE variables name."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from readstate.fresh_secrets import fresh_secret
from readstate.settings import Settings, SettingsError
from readstate.settings.fields import TYPES
from readstate.settings.secret_files import SECRETS

KEY = "k" * 32


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def read(path: Path, name: str = "API_KEY", **more: str) -> Settings:
    return Settings.from_environ({f"READSTATE_{name}_FILE": str(path), **more})


def refusal(path: Path, **more: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(path, **more)
    sentence = str(caught.value)
    assert KEY not in sentence, "a secret is shown"
    return sentence


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_file_holds_the_secret_and_perhaps_the_end_of_its_line(tmp_path: Path, ending: bytes) -> None:
    assert read(written(tmp_path / "key", KEY.encode() + ending)).api_key == KEY


def test_every_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """Every setting whose value must not be shown, and the URL of the store with its password."""
    named = {name for name in TYPES if name.endswith(("_key", "_secret", "_token")) and name != "webhook_client_key"}
    assert set(SECRETS) == named | {"redis_url"}
    url = written(tmp_path / "url", b"redis://:secret@store:6379\n")
    assert read(url, "REDIS_URL").redis_url == "redis://:secret@store:6379"


def test_what_the_workers_get_names_no_file(tmp_path: Path) -> None:
    """They read the settings of the supervisor, and the file may be gone by then."""
    settings = read(written(tmp_path / "key", KEY.encode()))
    assert not [name for name in settings.environ() if name.endswith("_FILE")]
    assert Settings.from_environ(settings.environ()) == settings


def test_an_empty_variable_names_no_file(tmp_path: Path) -> None:
    assert Settings.from_environ({"READSTATE_API_KEY_FILE": "", "READSTATE_API_KEY": KEY}).api_key == KEY


def test_both_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "key", KEY.encode())
    assert refusal(path, READSTATE_API_KEY=KEY) == (
        "READSTATE_API_KEY and READSTATE_API_KEY_FILE are both set; unset one of them"
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "key", KEY.encode(), mode)
    assert refusal(path).endswith(f"{path} is open to other users of this machine; run `chmod 600 {path}`")


def test_what_is_mounted_read_only_is_as_its_platform_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As secrets of Docker are: mode 0444. A test cannot mount, so the flag is set here."""
    path = written(tmp_path / "key", KEY.encode(), 0o444)
    assert "is open to other users" in refusal(path)
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert read(path).api_key == KEY


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold 1 to 4096 bytes"),
        (b"x" * 4097, "must hold 1 to 4096 bytes"),
        (b"\xff" * 20, "must be text"),
        (b"short\n", "READSTATE_API_KEY cannot be used"),
        (KEY.encode() + b"\n\n", "printable ASCII without spaces"),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refusal(written(tmp_path / "key", content))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    assert "is no file" in refusal(Path("/dev/null"))


def test_a_setting_that_is_no_secret_has_no_file() -> None:
    with pytest.raises(SettingsError, match="READSTATE_PORT_FILE is not a setting; the nearest known one is"):
        Settings.from_environ({"READSTATE_PORT_FILE": "/port"})


def test_a_fresh_secret_is_not_taken_for_an_option() -> None:
    """One random text of 64 would begin with a hyphen."""
    secrets = {fresh_secret(24) for _ in range(2000)}
    assert len(secrets) == 2000
    assert {len(secret) for secret in secrets} == {32}
    assert not any(secret.startswith("-") for secret in secrets)

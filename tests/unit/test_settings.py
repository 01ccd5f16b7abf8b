"""Settings: what is read, what is refused in which words, and secrets."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from readstate.settings import Settings, SettingsError


def refusal(**environ: str) -> str:
    """The sentence with which these variables are refused."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({f"READSTATE_{name}": value for name, value in environ.items()})
    return str(caught.value)


def test_a_machine_without_settings_serves_itself_only() -> None:
    """The defaults accept no connections from outside and start the embedded server."""
    settings = Settings.from_environ({"PATH": "/bin"})
    assert (settings.host, settings.port, settings.redis_url, settings.webhook_allow_private) == (
        "127.0.0.1",
        8080,
        None,
        False,
    )


def test_every_value_comes_from_its_variable() -> None:
    environ = {
        "READSTATE_PORT": "9",
        "READSTATE_REDIS_URL": "unix:///run/valkey.sock",
        "READSTATE_WEBHOOK_ALLOW_PRIVATE": "true",
    }
    settings = Settings.from_environ(environ)
    assert (settings.port, settings.redis_url, settings.webhook_allow_private) == (9, "unix:///run/valkey.sock", True)


def test_an_empty_variable_is_an_unset_one() -> None:
    """As container platforms pass unset values."""
    assert Settings.from_environ({"READSTATE_PORT": "", "READSTATE_REDIS_URL": ""}) == Settings()


def test_a_worker_reads_back_what_the_supervisor_had(tmp_path: Path) -> None:
    settings = Settings(
        port=0,
        tencent_sdkappid=1400000001,
        tencent_key="k" * 16,
        webhook_allow_private=True,
        data_dir=str(tmp_path / "data"),
    ).resolve()
    assert Settings.from_environ(settings.environ()) == settings


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("PROT", "READSTATE_PORT"),
        ("REDIS", "READSTATE_REDIS_URL"),
        ("API_KEYS", "READSTATE_API_KEY"),
        ("port", "READSTATE_PORT"),
        ("FANOUTLIMIT", "READSTATE_FANOUT_LIMIT"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, nearest: str) -> None:
    sentence = refusal(**{name: "1"})
    assert sentence.startswith(f"READSTATE_{name} is not a setting")
    assert nearest in sentence.partition("nearest")[2]


@pytest.mark.parametrize("name", ["FOO", "", "UNHEARD_OF"])
def test_a_name_that_is_like_no_other_is_refused_without_a_guess(name: str) -> None:
    assert refusal(**{name: "1"}) == f"READSTATE_{name} is not a setting; the README lists all of them"


@pytest.mark.parametrize("name", ["readstate_port", "Readstate_Port", "READSTATE_port"])
def test_a_name_in_small_letters_is_refused(name: str) -> None:
    """Ignoring it would serve on another port than the operator believes."""
    with pytest.raises(SettingsError, match=f"^{name} is not a setting; the nearest known one is READSTATE_PORT$"):
        Settings.from_environ({name: "9000"})


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("LOG_LEVEL", ["debug", "DEBUG", " Debug "]),
        ("WEBHOOK_FORM", ["both", "Both"]),
        ("LASTREAD_BADGE_SCOPE", ["room", "ROOM"]),
        ("ROOMS_OPEN", ["true", "True", "TRUE", "1", "yes", "on", "On "]),
        ("INVITED_MUST_ACCEPT", ["false", "False", "0", "no", "off"]),
        ("REDIS_URL", ["rediss://host", "REDISS://host", "Rediss://host"]),
    ],
)
def test_spellings_of_one_value_are_equal(name: str, spellings: list[str]) -> None:
    read = [Settings.from_environ({f"READSTATE_{name}": value}) for value in spellings]
    assert all(settings == read[0] for settings in read)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TENCENT_SDKAPPID": "1400000001"}, "READSTATE_TENCENT_SDKAPPID needs READSTATE_TENCENT_KEY"),
        (
            {"TENCENT_KEY": "k" * 16},
            "READSTATE_TENCENT_KEY is the key of the app that is named by READSTATE_TENCENT_SDKAPPID",
        ),
        ({"WEBHOOK_TOKEN": "t" * 16}, "READSTATE_WEBHOOK_TOKEN signs what is sent to READSTATE_WEBHOOK_URL"),
        ({"WEBHOOK_OLD_TOKEN": "t" * 16}, "READSTATE_WEBHOOK_OLD_TOKEN signs beside READSTATE_WEBHOOK_TOKEN"),
        (
            {"WEBHOOK_CLIENT_CERT": "cert.pem"},
            "READSTATE_WEBHOOK_CLIENT_CERT is shown to the receiver at READSTATE_WEBHOOK_URL",
        ),
        ({"EMBEDDED_MEMORY_MB": "100", "REDIS_URL": "redis://host"}, "READSTATE_REDIS_URL names another server"),
    ],
)
def test_a_setting_that_does_nothing_alone_is_refused(environ: dict[str, str], words: str) -> None:
    """An operator who sets it expects an effect."""
    assert words in refusal(**environ)


@pytest.mark.parametrize("used", [{"TENCENT_KEY": "k" * 16}, {"TENCENT_TOKEN": "t" * 16}])
def test_an_app_of_tencents_is_for_the_server_api_or_for_callbacks(used: dict[str, str]) -> None:
    environ = {f"READSTATE_{name}": value for name, value in {"TENCENT_SDKAPPID": "1400000001", **used}.items()}
    assert Settings.from_environ(environ).tencent_sdkappid == 1400000001


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://chat.example.org",
        "https://a.example.org, http://localhost:3000",
        "capacitor://localhost",
        "http://[::1]:8080",
    ],
)
def test_origins_are_taken_as_browsers_send_them(origins: str) -> None:
    assert Settings.from_environ({"READSTATE_CORS_ORIGINS": origins}).cors_origins == origins


@pytest.mark.parametrize(
    "origins",
    [
        *(
            "foo",
            "chat.example.org",
            "https://",
            "https://chat.example.org/",
            "https://chat.example.org/app",
            "https://Chat.example.org",
        ),
        *(
            "https://chat.example.org:443",
            "http://chat.example.org:80",
            "https://*.example.org",
            "*, foo",
            "https://a b",
        ),
    ],
)
def test_what_no_browser_sends_as_its_origin_is_refused(origins: str) -> None:
    assert refusal(CORS_ORIGINS=origins).startswith("READSTATE_CORS_ORIGINS cannot be used")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"API_KEY": "k" * 32}, {"CLIENT_KEY": "k" * 32}),
        ({"API_KEY": "k" * 32}, {"TOKEN_SECRET": "k" * 32}),
        ({"API_KEY": "k" * 32}, {"OLD_API_KEY": "k" * 32}),
        ({"TOKEN_SECRET": "k" * 32}, {"TENCENT_KEY": "k" * 32, "TENCENT_SDKAPPID": "1"}),
    ],
)
def test_equal_keys_are_refused_at_the_start(tmp_path: Path, one: dict[str, str], other: dict[str, str]) -> None:
    """A reader of the public key would know the secret one."""
    environ = {
        f"READSTATE_{name}": value for name, value in {**one, **other, "DATA_DIR": str(tmp_path / "data")}.items()
    }
    with pytest.raises(SettingsError, match="are the same"):
        Settings.from_environ(environ).resolve()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("PORT", "eighty", "a whole number"),
        ("PORT", "65536", "of at most 65535"),
        ("PORT", "-1", "of at least 0"),
        ("WORKERS", "0", "of at least 1"),
        ("WORKERS", "65", "of at most 64"),
        ("FANOUT_LIMIT", "0", "of at least 1"),
        ("MESSAGE_HISTORY", "99", "of at least 100"),
        ("TOKEN_LIFE_DAYS", "1.5", "a whole number"),
        ("SOCKET_PING_INTERVAL_S", "3601", "of at most 3600"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LASTREAD_BADGE_SCOPE", "all", "one of total, room"),
        ("WEBHOOK_ALLOW_PRIVATE", "maybe", "true or false"),
        ("ROCKETCHAT_RATE_LIMIT", "-1", "of at least 0"),
        ("TENCENT_SDKAPPID", "one", "a whole number"),
        ("TENCENT_ADMIN", "a" * 1025, "text of length at most 1024"),
        ("TENCENT_RATE_LIMIT", "-1", "of at least 0"),
        ("API_KEY", "short", "text of length at least 16"),
        ("CLIENT_KEY", "two words, and more", "printable ASCII without spaces"),
        ("API_KEY", "schlüssel-und-mehr", "printable ASCII without spaces"),
        ("TOKEN_SECRET", "a" * 31, "text of length at least 32"),
        ("API_KEY", "a" * 257, "text of length at most 256"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: str, wanted: str) -> None:
    sentence = refusal(**{name: value})
    assert sentence.startswith(f"READSTATE_{name} cannot be used")
    assert wanted in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://host:99999"),
        ("REDIS_URL", "redis://host:port"),
        ("REDIS_URL", "unix://"),
        ("WEBHOOK_URL", "ftp://example.org"),
        ("WEBHOOK_URL", "https://"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"READSTATE_{name} ")


def test_a_refusal_never_shows_a_secret() -> None:
    """Refused values end up in logs."""
    assert "geheim" not in refusal(API_KEY="geheim")


@pytest.mark.parametrize(
    ("old", "present"), [("TENCENT_OLD_KEY", "TENCENT_KEY"), ("TENCENT_OLD_TOKEN", "TENCENT_TOKEN")]
)
def test_an_old_key_alone_is_refused(old: str, present: str) -> None:
    """Without the present one it would have no effect."""
    assert f"READSTATE_{present}" in refusal(**{old: "o" * 32})


def test_secrets_are_made_once_and_kept_for_their_owner(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    first = settings.resolve()
    assert settings.resolve() == first
    assert min(len(first.api_key), len(first.client_key), len(first.token_secret)) >= 32
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]
    }
    assert modes == {"data": 0o700, "api_key": 0o600, "client_key": 0o600, "token_secret": 0o600}


def test_a_given_secret_wins_and_is_not_written_down(tmp_path: Path) -> None:
    resolved = Settings(data_dir=str(tmp_path / "data"), api_key="given-by-the-operator").resolve()
    assert resolved.api_key == "given-by-the-operator"
    assert not (tmp_path / "data" / "api_key").exists()


def test_a_deployment_that_needs_no_data_directory_gets_none(tmp_path: Path) -> None:
    """With all secrets and an own server, the file system may be read-only."""
    given: dict[str, Any] = {"api_key": "a" * 16, "client_key": "c" * 16, "token_secret": "t" * 32}
    Settings(data_dir=str(tmp_path / "data"), redis_url="redis://localhost", **given).resolve()
    assert not (tmp_path / "data").exists()


def test_all_that_start_together_get_the_same_secrets(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    with ThreadPoolExecutor(16) as pool:
        resolved = list(pool.map(lambda _: settings.resolve(), range(64)))
    assert len({one.token_secret for one in resolved}) == 1
    assert len(list((tmp_path / "data").iterdir())) == 3


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o705, 0o777, 0o711])
def test_a_data_directory_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "something").touch()
    tmp_path.chmod(mode)
    with pytest.raises(SettingsError, match=f"run `chmod 700 {tmp_path}`"):
        Settings(data_dir=str(tmp_path)).resolve()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
def test_a_fresh_directory_of_ones_own_is_taken_and_closed_to_others(tmp_path: Path, mode: int) -> None:
    """As `mkdir data` makes it: no other user can have put anything into it."""
    tmp_path.chmod(mode)
    Settings(data_dir=str(tmp_path)).resolve()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_an_empty_directory_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(SettingsError, match=f"run `chmod 700 {tmp_path}`"):
        Settings(data_dir=str(tmp_path)).resolve()


def test_a_secret_that_cannot_be_written_is_told_of_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = r"^READSTATE_DATA_DIR: .*/data cannot be used \(No space left on device\); free some space there"
    with pytest.raises(SettingsError, match=said):
        Settings(data_dir=str(tmp_path / "data")).resolve()
    assert [*(tmp_path / "data").iterdir()] == []


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    settings.resolve()
    (tmp_path / "data" / "token_secret").chmod(0o640)
    with pytest.raises(SettingsError, match=r"run `chmod 600 .*token_secret`"):
        settings.resolve()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_data_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(SettingsError, match=r"belongs to another user \(nobody\), who could change it; run `chown 0 "):
        Settings(data_dir=str(tmp_path)).resolve()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_in_a_checkout_of_somebody_else_a_user_is_told_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not suggest chown, which only root may do."""
    Settings(data_dir=str(tmp_path / "data")).resolve()
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    words = (
        r"belongs to another user \(root\), who could change it; name a directory of your own in READSTATE_DATA_DIR$"
    )
    with pytest.raises(SettingsError, match=words):
        Settings(data_dir=str(tmp_path / "data")).resolve()


def test_a_command_that_looks_after_a_service_makes_nothing(tmp_path: Path) -> None:
    """It uses kept secrets, and does without missing ones."""
    assert Settings(data_dir=str(tmp_path / "data")).resolve_existing().api_key == ""
    assert not (tmp_path / "data").exists()
    made = Settings(data_dir=str(tmp_path / "data")).resolve()
    assert Settings(data_dir=str(tmp_path / "data")).resolve_existing() == made


def test_a_file_in_the_place_of_the_data_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SettingsError, match="READSTATE_DATA_DIR"):
        Settings(data_dir=str(tmp_path / "data")).resolve()


def test_a_kept_secret_that_was_damaged_is_refused(tmp_path: Path) -> None:
    """An empty key would accept every caller."""
    settings = Settings(data_dir=str(tmp_path / "data"))
    settings.resolve()
    (tmp_path / "data" / "api_key").write_text("")
    with pytest.raises(SettingsError, match=r"the secret in .*api_key cannot be used"):
        settings.resolve()


def test_the_port_of_operators_is_another_one() -> None:
    assert refusal(OPS_PORT="8080") == "READSTATE_OPS_PORT and READSTATE_PORT are the same; give each its own"
    assert refusal(OPS_HOST="::1") == (
        "READSTATE_OPS_HOST is the address of READSTATE_OPS_PORT; set that as well, or neither"
    )
    assert Settings().ops_address() is None
    assert Settings(ops_port=9090).ops_address() == ("127.0.0.1", 9090)
    assert Settings(ops_port=9090, ops_host="::1").ops_address() == ("::1", 9090)

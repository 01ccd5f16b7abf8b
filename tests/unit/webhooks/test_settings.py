"""Settings of webhooks: what is refused, and in which words."""

from pathlib import Path

import pytest

from readstate.settings import Settings, SettingsError

COMPLETE = {"WEBHOOK_URL": "https://hooks.example.org/read", "WEBHOOK_TOKEN": "token-of-the-operator"}


def read(**environ: str) -> Settings:
    return Settings.from_environ({f"READSTATE_{name}": value for name, value in {**COMPLETE, **environ}.items()})


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    return str(caught.value)


def test_a_url_and_a_token_are_enough() -> None:
    settings = read()
    assert (settings.webhook_form, settings.webhook_retry_hours, settings.webhook_allow_private) == ("auto", 24, False)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"WEBHOOK_TOKEN": ""}, "READSTATE_WEBHOOK_URL needs READSTATE_WEBHOOK_TOKEN"),
        (
            {"WEBHOOK_TOKEN": "", "TENCENT_TOKEN": "tencent-token"},
            "READSTATE_WEBHOOK_URL needs READSTATE_WEBHOOK_TOKEN",
        ),
        ({"WEBHOOK_TOKEN": "whsec_%%%"}, "READSTATE_WEBHOOK_TOKEN must be base64"),
        ({"WEBHOOK_OLD_TOKEN": "whsec_AAAA"}, "READSTATE_WEBHOOK_OLD_TOKEN must be base64 of 24 to 64 bytes"),
        ({"WEBHOOK_URL": "http://hooks.example.org/"}, "READSTATE_WEBHOOK_URL must begin with https://"),
        ({"WEBHOOK_URL": "https://127.0.0.1/"}, "READSTATE_WEBHOOK_ALLOW_PRIVATE=true"),
        ({"WEBHOOK_URL": "https://user:pass@hooks.example.org/"}, "READSTATE_WEBHOOK_URL must be https://HOST"),
        ({"WEBHOOK_FORM": "tencent"}, "needs READSTATE_TENCENT_SDKAPPID"),
        ({"WEBHOOK_FORM": "both"}, "needs READSTATE_TENCENT_SDKAPPID"),
        ({"WEBHOOK_FORM": "xml"}, "one of auto, standard, tencent, both"),
        ({"WEBHOOK_RETRY_HOURS": "-1"}, "a number"),
        ({"WEBHOOK_RETRY_HOURS": "169"}, "a number"),
        ({"WEBHOOK_RETRY_HOURS": "nan"}, "READSTATE_WEBHOOK_RETRY_HOURS"),
        ({"WEBHOOK_CLIENT_KEY": "key.pem"}, "READSTATE_WEBHOOK_CLIENT_CERT"),
    ],
)
def test_what_cannot_work_is_refused_by_name(environ: dict[str, str], words: str) -> None:
    assert words in refusal(**environ)


@pytest.mark.parametrize("form", ["auto", "tencent", "both"])
def test_tencents_form_needs_a_token_of_its_own(form: str) -> None:
    """`Sign` is in the URL and in the receiver's logs, so it must not open anything here."""
    environ = {
        "WEBHOOK_FORM": form,
        "TENCENT_SDKAPPID": "1400000001",
        "WEBHOOK_TOKEN": "one-token",
        "TENCENT_TOKEN": "one-token",
    }
    assert refusal(**environ).startswith("READSTATE_WEBHOOK_TOKEN and READSTATE_TENCENT_TOKEN must differ")
    assert "READSTATE_WEBHOOK_URL needs READSTATE_WEBHOOK_TOKEN" in refusal(**{**environ, "WEBHOOK_TOKEN": ""})
    assert read(**{**environ, "TENCENT_TOKEN": "another-token"}).webhook_form == form


def test_one_token_is_enough_where_no_sign_is_sent() -> None:
    """The native form covers the body."""
    same = {"WEBHOOK_TOKEN": "one-token", "TENCENT_TOKEN": "one-token"}
    assert read(**same).tencent_sdkappid is None
    assert read(**same, TENCENT_SDKAPPID="1400000001", WEBHOOK_FORM="standard").webhook_form == "standard"


def test_private_receivers_and_http_can_be_allowed() -> None:
    assert read(WEBHOOK_URL="http://127.0.0.1:9000/", WEBHOOK_ALLOW_PRIVATE="true").webhook_allow_private


def test_a_form_without_a_url_does_nothing() -> None:
    """It has a default, and having no receiver is usual."""
    assert Settings.from_environ({"READSTATE_WEBHOOK_FORM": "tencent"}).webhook_url is None


def test_a_client_certificate_that_is_not_there_is_found_at_the_start(tmp_path: Path) -> None:
    settings = read(WEBHOOK_CLIENT_CERT=str(tmp_path / "cert.pem"), DATA_DIR=str(tmp_path / "data"))
    with pytest.raises(SettingsError, match=r"READSTATE_WEBHOOK_CLIENT_CERT: .* cannot be used"):
        settings.resolve()


def test_a_worker_reads_back_every_webhook_setting(tmp_path: Path) -> None:
    environ = {
        "WEBHOOK_OLD_TOKEN": "older-token",
        "WEBHOOK_RETRY_HOURS": "0.5",
        "WEBHOOK_FORM": "standard",
        "DATA_DIR": str(tmp_path / "data"),
    }
    settings = read(**environ).resolve()
    assert Settings.from_environ(settings.environ()) == settings


def test_a_refusal_shows_neither_token_nor_url() -> None:
    """Both may hold secrets, and refusals end up in logs."""
    assert "geheim" not in refusal(WEBHOOK_URL="https://hooks.example.org/geheim#", WEBHOOK_TOKEN="geheim-geheim")
    assert "geheim" not in refusal(WEBHOOK_TOKEN="whsec_geheim")

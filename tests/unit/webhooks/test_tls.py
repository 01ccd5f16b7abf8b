"""TLS: the receiver's certificate is checked, and the service can show its own.

Certificates are made for each run.
"""

import shutil
import ssl
from pathlib import Path

import pytest

from readstate.webhook_keys import client_tls
from readstate.webhooks.forms import Answer, WebhookRequest
from readstate.webhooks.sender import Sender
from tests.support.authority import Authority
from tests.support.receiver import Receiver

REQUEST = WebhookRequest(b"{}", {})

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the openssl command to make certificates"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_side(authority: Authority, name: str, *alternatives: str, asks_for_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certify(name, *alternatives))
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
    return context


async def send(url: str, tls: ssl.SSLContext) -> Answer:
    async with Sender(url, allow_private=True, tls=tls) as sender:
        return await sender.send(REQUEST)


async def test_a_receiver_with_a_certificate_that_we_trust_is_sent_to(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust is the system's, which SSL_CERT_FILE extends."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with Receiver(tls=server_side(authority, "good", "IP:127.0.0.1")) as receiver:
        assert (await send(receiver.url, client_tls(None, None))).reason == ""
    assert len(receiver.calls) == 1


async def test_a_certificate_of_nobody_we_know_is_refused(authority: Authority) -> None:
    """Nothing of the request is sent."""
    async with Receiver(tls=server_side(authority, "unknown", "IP:127.0.0.1")) as receiver:
        assert (await send(receiver.url, client_tls(None, None))).reason == "tls"
    assert receiver.calls == []


async def test_a_certificate_for_another_name_is_refused(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name in the URL counts, whatever address it has."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with Receiver(tls=server_side(authority, "another", "DNS:hooks.example.org")) as receiver:
        assert (await send(receiver.url, client_tls(None, None))).reason == "tls"
    assert receiver.calls == []


async def test_a_client_certificate_is_shown(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that asks for a certificate rejects others.

    Its key may be in its own file or in the same one.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    certificate, key = authority.certify("client")
    both = certificate.with_name("both.pem")
    both.write_text(certificate.read_text() + key.read_text())
    async with Receiver(tls=server_side(authority, "asking", "IP:127.0.0.1", asks_for_client=True)) as receiver:
        assert (await send(receiver.url, client_tls(None, None))).reason in ("tls", "connection")
        assert receiver.calls == []
        assert (await send(receiver.url, client_tls(str(certificate), str(key)))).reason == ""
        assert (await send(receiver.url, client_tls(str(both), None))).reason == ""


def test_a_certificate_that_cannot_be_used_is_refused_in_words(authority: Authority, tmp_path: Path) -> None:
    """A missing file, a wrong key, a key with a password, and text that is no PEM."""
    certificate, key = authority.certify("one")
    _, other_key = authority.certify("two")
    hidden, hidden_key = authority.certify("hidden", encrypted=True)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for pair in ((tmp_path / "missing.pem", key), (certificate, other_key), (hidden, hidden_key), (nonsense, key)):
        with pytest.raises(ValueError, match="cannot be used with its key"):
            client_tls(*map(str, pair))

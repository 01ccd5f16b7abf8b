"""Signatures: checked by an implementation that is not ours, and by Tencent's own vectors."""

import base64
import json
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from readstate.dialects.tencent import webhooks as tencents
from readstate.domain.events import ReadEvent
from readstate.webhook_keys import secret_of
from readstate.webhooks.standard import Signer, Standard

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = ReadEvent("default", "garden", "ann", "m7", 7, 3, 1_700_000_000_045, 2, 1_700_000_000_045_678)


async def test_the_native_form_in_full() -> None:
    """What the documentation for receivers shows."""
    request = await Standard(Signer(SECRET).headers).request(EVENT, 1_700_000_001)
    assert request is not None
    assert request.body == (
        b'{"type":"read","timestamp":"2023-11-14T22:13:20.045Z","data":{"app":"default","room":"garden","member":"ann",'
        b'"message":"m7","seq":7,"before":3,"unread":2,"revision":1700000000045678}}'
    )
    assert request.headers == {
        "webhook-id": "read_5859865931ece749_1700000000045678",
        "webhook-timestamp": "1700000001",
        "webhook-signature": "v1,kjChYiQlJOOkpxkhLK/x+Po0vilPv/52iR2nahZUUIM=",
    }
    assert request.query == ""


@pytest.mark.parametrize(
    "token",
    [SECRET, SECRET.rstrip("="), "whsec_" + base64.b64encode(b"x" * 25).decode(), "plain-token-of-the-operator"],
)
async def test_an_independent_implementation_accepts_the_signature(token: str) -> None:
    request = await Standard(Signer(token).headers).request(EVENT, int(time.time()))
    assert request is not None
    receiver = Webhook(token if token.startswith("whsec_") else token.encode())
    assert receiver.verify(request.body, request.headers) == json.loads(request.body)


@pytest.mark.parametrize("what", ["body", "webhook-id", "webhook-timestamp", "secret"])
async def test_it_refuses_what_was_changed(what: str) -> None:
    request = await Standard(Signer(SECRET).headers).request(EVENT, int(time.time()))
    assert request is not None
    headers = request.headers | ({what: request.headers[what] + "1"} if what.startswith("webhook") else {})
    body = request.body + b" " if what == "body" else request.body
    receiver = Webhook(b"another one" if what == "secret" else SECRET)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body, headers)


async def test_while_a_token_is_replaced_both_verify() -> None:
    """The new one's signature comes first."""
    old, new = "the-old-token-of-the-operator", "the-new-token-of-the-operator"
    request = await Standard(Signer(new, old).headers).request(EVENT, int(time.time()))
    assert request is not None
    for token in (old, new):
        Webhook(token.encode()).verify(request.body, request.headers)
    first = request.headers["webhook-signature"].split(" ")[0]
    Webhook(new.encode()).verify(request.body, request.headers | {"webhook-signature": first})


@pytest.mark.parametrize(
    "token", ["whsec_", "whsec_short", "whsec_!!!!", "whsec_" + base64.b64encode(b"x" * 65).decode()]
)
def test_a_secret_that_standard_webhooks_does_not_allow_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="must be base64"):
        secret_of(token)


@pytest.mark.parametrize(
    ("token", "now_s", "sign"),
    [
        ("xxxxyyyy", 1669872112, "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"),
        ("mytoken", 1700000000, "72caf68fb3e52f224089e013c820014df8fc47dc62eb61acd7d2b0f49b32cb77"),
    ],
)
def test_tencents_sign(token: str, now_s: int, sign: str) -> None:
    """Their published vector, and one more."""
    assert tencents.sign(token, str(now_s)) == sign

"""Authentication of callbacks, and the answers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest

from readstate.dialects.base import ProblemError
from readstate.dialects.tencent.api import callback_authenticator
from readstate.dialects.tencent.callbacks.auth import CallbackAuthenticator, Url
from readstate.dialects.tencent.webhooks import sign
from readstate.errors import Unavailable, UnknownOutcome
from readstate.settings import Settings
from tests.support import tencent_callbacks as told
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.servers import Server
from tests.support.tencent_callbacks import OK, SDKAPPID, TOKEN, Tencent, fail

UNSIGNED = fail("Sign must be the SHA-256 of the token and RequestTime, and RequestTime within 60 seconds of now")
CLOSED = fail("Callbacks are taken when READSTATE_TENCENT_TOKEN is set, to the token in the console")
FOREIGN = fail("SdkAppid is not the one that this service is set up for")
COMMAND, BODY = told.direct_sent("bo", "al", 1)


@pytest.fixture
def tencent_settings() -> dict[str, Any]:
    """Settings of the dialect."""
    return {"tencent_sdkappid": SDKAPPID, "tencent_token": TOKEN}


@pytest.fixture
def settings(server: Server, tencent_settings: dict[str, Any]) -> Settings:
    return Settings(
        redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32, **tencent_settings
    )


def in_minutes(minutes: float) -> str:
    return str(int(time.time() + minutes * 60))


async def refused(tencent: Tencent, answer: httpx.Response) -> tuple[int, bytes]:
    """Status and text of an answer. It is JSON, and nothing was written."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert await tencent.imkit.everything() == {}
    return answer.status_code, answer.content


# Sign


@pytest.mark.parametrize(
    ("token", "request_time", "expected"),
    [
        ("xxxxyyyy", "1669872112", "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"),
        ("mytoken", "1700000000", "72caf68fb3e52f224089e013c820014df8fc47dc62eb61acd7d2b0f49b32cb77"),
    ],
)
def test_known_signatures(token: str, request_time: str, expected: str) -> None:
    """The documented signature and one more. Each is good for a minute in both directions."""
    assert sign(token, request_time) == expected
    url = Url(sign=expected, time=request_time)
    for off_s in (-60, 0, 60):
        CallbackAuthenticator(token=token, now=partial(int, int(request_time) + off_s)).authenticate(url, [])
    for off_s in (-61, 61):
        with pytest.raises(ProblemError):
            CallbackAuthenticator(token=token, now=partial(int, int(request_time) + off_s)).authenticate(url, [])


def test_what_the_old_token_signed_is_good_while_it_is_set() -> None:
    """Also for a minute. A request that neither token signed is refused."""
    authenticator = CallbackAuthenticator(token="new-token", old_token="old-token", now=lambda: 1_700_000_000.0)
    for token in ("new-token", "old-token"):
        authenticator.authenticate(Url(sign=sign(token, "1700000000"), time="1700000000"), [])
        with pytest.raises(ProblemError):
            authenticator.authenticate(Url(sign=sign(token, "1699999939"), time="1699999939"), [])
    for token in ("", "None", "other-token"):
        with pytest.raises(ProblemError):
            authenticator.authenticate(Url(sign=sign(token, "1700000000"), time="1700000000"), [])
    with pytest.raises(ProblemError):
        CallbackAuthenticator(token="new-token", now=lambda: 1_700_000_000.0).authenticate(
            Url(sign=sign("", "1700000000"), time="1700000000"), []
        )


async def test_a_signed_callback_is_taken(tencent: Tencent) -> None:
    answer = await tencent.send(COMMAND, BODY)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        OK,
        "application/json; charset=utf-8",
    )
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize(
    "url",
    [
        {"Sign": None},
        {"Sign": ""},
        {"Sign": "0" * 64},
        {"Sign": sign(TOKEN + "x", in_minutes(0)), "RequestTime": in_minutes(0)},
        {"Sign": sign(TOKEN, in_minutes(0)).upper(), "RequestTime": in_minutes(0)},
        {"Sign": sign(TOKEN, in_minutes(0))[:-1], "RequestTime": in_minutes(0)},
        {"Sign": "\u00e9\ud7ff" * 32},
        {"RequestTime": None},
        {"RequestTime": ""},
        {"RequestTime": "now"},
        {"RequestTime": "-1"},
        {"RequestTime": "1e9"},
        {"RequestTime": "9" * 400},
        {"RequestTime": "\u0661\u0662"},
        {"RequestTime": in_minutes(-2)},
        {"RequestTime": in_minutes(60)},
        {"Sign": None, "RequestTime": None, "SdkAppid": 1},
        {f"x{number}": 1 for number in range(40)},
    ],
)
async def test_a_sender_must_know_the_token(tencent: Tencent, url: dict[str, Any]) -> None:
    """401 whatever else the request holds. The message says how to sign."""
    assert await refused(tencent, await tencent.send(COMMAND, BODY, **url)) == (401, UNSIGNED)


async def test_the_signature_is_looked_at_before_the_body(tencent: Tencent) -> None:
    assert await refused(tencent, await tencent.send(COMMAND, b"{", Sign="0" * 64)) == (401, UNSIGNED)


@pytest.mark.parametrize(
    "url", [{"SdkAppid": 1400000002}, {"SdkAppid": None}, {"SdkAppid": "01400000001"}, {"SdkAppid": "\u0661"}]
)
async def test_callbacks_of_another_app_are_refused(tencent: Tencent, url: dict[str, Any]) -> None:
    assert await refused(tencent, await tencent.send(COMMAND, BODY, **url)) == (200, FOREIGN)


# What is set


@pytest.mark.parametrize("tencent_settings", [{"tencent_token": TOKEN}])
async def test_the_token_is_enough(tencent: Tencent) -> None:
    """A sender that knows the token may speak for any app, unless one is set."""
    assert (await tencent.send(COMMAND, BODY, SdkAppid=5)).content == OK


@pytest.mark.parametrize("tencent_settings", [{"tencent_sdkappid": SDKAPPID}])
async def test_on_this_machine_the_app_is_enough(tencent: Tencent) -> None:
    """Without a token nothing is signed. That is for trials on a loopback address."""
    tencent.imkit.client.base_url = "http://127.0.0.1:8080"
    assert (await tencent.send(COMMAND, BODY, Sign=None, RequestTime=None)).content == OK
    assert (await tencent.send(COMMAND, BODY, SdkAppid=5)).content == FOREIGN


@pytest.mark.parametrize("tencent_settings", [{}, {"tencent_sdkappid": SDKAPPID, "host": "0.0.0.0"}])
async def test_without_a_token_nothing_comes_in_from_outside(tencent: Tencent) -> None:
    """A dialect that is not set up accepts nothing: an SDKAppID is no secret."""
    assert await refused(tencent, await tencent.send(COMMAND, BODY)) == (401, CLOSED)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.7", False),
        ("chat.example", False),
    ],
)
def test_what_counts_as_this_machine(host: str, loopback: bool) -> None:
    assert callback_authenticator(Settings(host=host, tencent_sdkappid=SDKAPPID)).loopback is loopback


# The form


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_only_post(tencent: Tencent, method: str) -> None:
    answer = await tencent.imkit.client.request(method, "/tencent/callbacks", params=tencent.url(COMMAND))
    assert await refused(tencent, answer) == (405, fail("Callbacks are sent by POST"))
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/tencent/callbacks/", 200), ("/tencent/callbacks//", 404), ("/tencent/callbacks/x", 404), ("/tencent", 404)],
)
async def test_there_is_one_path(tencent: Tencent, path: str, status: int) -> None:
    answer = await tencent.imkit.client.post(path, params=tencent.url(COMMAND), json=BODY)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ({"CallbackCommand": "Group.CallbackAfterSendMsg"}, BODY),
        ({"CallbackCommand": "c2c.callbackaftersendmsg"}, BODY),
        ({"CallbackCommand": None}, {**BODY, "CallbackCommand": None}),
        ({"CallbackCommand": None}, {**BODY, "CallbackCommand": ""}),
        ({}, {**BODY, "CallbackCommand": "Some.Day"}),
    ],
)
async def test_the_command_must_be_the_same_in_the_url_and_in_the_body(
    tencent: Tencent, url: dict[str, Any], body: dict[str, Any]
) -> None:
    expected = fail("CallbackCommand must be the same in the URL and in the body")
    assert await refused(tencent, await tencent.send(COMMAND, body, **url)) == (200, expected)


@pytest.mark.parametrize(("url", "body"), [({"CallbackCommand": None}, {}), ({}, {"CallbackCommand": None})])
async def test_a_command_named_in_one_place_is_enough(
    tencent: Tencent, url: dict[str, Any], body: dict[str, Any]
) -> None:
    assert (await tencent.send(COMMAND, {**BODY, **body}, **url)).content == OK
    assert await tencent.badges("al") == {"al": 1}


async def test_the_content_type_does_not_matter(tencent: Tencent) -> None:
    content = msgspec.json.encode({"CallbackCommand": COMMAND, **BODY})
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content-Type": content_type}
        answer = await tencent.imkit.client.post(
            "/tencent/callbacks", params=tencent.url(COMMAND), content=content, headers=headers
        )
        assert answer.content == OK


# Trouble


@pytest.mark.parametrize("fault", [Unavailable("away"), UnknownOutcome("lost")])
async def test_trouble_with_the_store_asks_for_another_try(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The same callback, sent again, counts once."""
    with in_trouble(tencent, monkeypatch, fault):
        answer = await tencent.send(COMMAND, BODY)
        assert (answer.status_code, answer.content) == (503, fail("The store is out of reach; send it again"))
        assert answer.headers["retry-after"] == "1"
    await tencent.tell((COMMAND, BODY))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_fault_of_ours_asks_for_another_try(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer has Tencent's form. The log has the details."""
    with in_trouble(tencent, monkeypatch, ZeroDivisionError("oops")):
        answer = await tencent.send(COMMAND, BODY)
    assert (answer.status_code, answer.content) == (503, fail("Something failed on our side; send it again"))
    assert "oops" in caplog.text


async def test_what_failed_halfway_is_done_when_it_is_sent_again(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join counts only when it is done."""
    await tencent.tell(told.group_created("g", "al"))
    came = told.joined("g", "bo")
    with in_trouble(tencent, monkeypatch, Unavailable("away"), "add_members"):
        assert (await tencent.send(*came)).status_code == 503
    await tencent.tell(came, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


@contextmanager
def in_trouble(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, fault: Exception, operation: str = "post"
) -> Iterator[None]:
    """One operation of the store fails. A real outage would disturb other tests."""
    with monkeypatch.context() as patch:
        tencent.imkit.fail(patch, operation, fault)
        yield

"""Callbacks of Tencent IM: senders nearby who must not be accepted."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from readstate.dialects.tencent.callbacks import auth
from readstate.dialects.tencent.webhooks import sign
from readstate.settings import Settings
from tests.support import tencent_callbacks as told
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process
from tests.support.servers import Server
from tests.support.tencent_callbacks import OK, SDKAPPID, TOKEN, Tencent, fail

COMMAND, BODY = told.direct_sent("bo", "al", 1)
CLOSED = fail("Callbacks are taken when READSTATE_TENCENT_TOKEN is set, to the token in the console")
USED = fail("Sign was first used more than 1 seconds ago, for something else")


@pytest.fixture
def token() -> str | None:
    return TOKEN


@pytest.fixture
def settings(server: Server, token: str | None) -> Settings:
    return Settings(
        redis_url=server.url,
        api_key=API_KEY,
        client_key=CLIENT_KEY,
        token_secret="t" * 32,
        tencent_sdkappid=SDKAPPID,
        tencent_token=token,
    )


@pytest.fixture
def tencent(imkit: Imkit) -> Tencent:
    return Tencent(imkit)


async def send(tencent: Tencent, headers: dict[str, str]) -> httpx.Response:
    """An unsigned callback, to the loopback address unless `headers` say otherwise."""
    url = tencent.url(COMMAND, Sign=None, RequestTime=None)
    sent = {"Host": "127.0.0.1:8080", **headers}
    return await tencent.imkit.client.post(
        "/tencent/callbacks", params=url, json={"CallbackCommand": COMMAND, **BODY}, headers=sent
    )


@pytest.mark.parametrize("token", [None])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "", "Content-Type": "text/plain"},
        {"Host": "rebind.evil.example"},
        {"Host": "rebind.evil.example:8080"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:8080"},
        {"Host": "192.168.0.7:8080"},
        {"Host": "[2001:db8::1]:8080"},
        {"Host": "[::1"},
        {"Host": ""},
    ],
)
async def test_without_a_token_no_page_in_a_browser_on_this_machine_sends_callbacks(
    tencent: Tencent, headers: dict[str, str]
) -> None:
    """A page of any site can make its reader's browser post to a loopback address, even under the
    site's own name.
    """
    answer = await send(tencent, headers)
    assert (answer.status_code, answer.content) == (401, CLOSED)
    assert await tencent.imkit.everything() == {}


@pytest.mark.parametrize("token", [None])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080", "[::1]", "localhost:8080", "LocalHost"]
)
async def test_without_a_token_programs_on_this_machine_send_callbacks(tencent: Tencent, host: str) -> None:
    assert (await send(tencent, {"Host": host})).content == OK
    assert await tencent.badges("al") == {"al": 1}


async def test_with_a_token_neither_host_nor_origin_matters(tencent: Tencent) -> None:
    """Behind a proxy the host is whatever the public name is."""
    headers = {"Host": "chat.example", "Origin": "https://chat.example"}
    answer = await tencent.imkit.client.post(
        "/tencent/callbacks", params=tencent.url(COMMAND), json=BODY, headers=headers
    )
    assert answer.content == OK


@pytest.fixture
def signed() -> dict[str, Any]:
    """The signature of this second."""
    now = str(int(time.time()))
    return {"RequestTime": now, "Sign": sign(TOKEN, now)}


@pytest.fixture
def used(signed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The same, with new callbacks accepted for one second instead of fifteen."""
    monkeypatch.setattr(auth, "FRESH_S", 1)
    return signed


async def test_a_signature_brings_nothing_new_when_it_is_no_longer_fresh(
    tencent: Tencent, used: dict[str, Any]
) -> None:
    """An address found in a log gives no access, and repeating does not help."""
    assert (await tencent.send(COMMAND, BODY, **used)).content == OK
    await asyncio.sleep(1.1)
    for command, body in (
        told.direct_sent("bo", "al", 2),
        told.group_created("g", "al"),
        ("C2C.CallbackAfterMsgReport", BODY),
    ):
        for _ in range(2):
            answer = await tencent.send(command, body, **used)
            assert (answer.status_code, answer.content) == (401, USED)
    assert await tencent.badges("al") == {"al": 1}


async def test_the_callbacks_of_one_second_are_all_taken(tencent: Tencent, signed: dict[str, Any]) -> None:
    """They have the same signature, which does not cover their bodies."""
    for seq in range(1, 6):
        assert (await tencent.send(*told.direct_sent("bo", "al", seq), **signed)).content == OK
    assert await tencent.badges("al") == {"al": 5}


async def test_what_came_with_a_signature_may_come_again(tencent: Tencent, used: dict[str, Any]) -> None:
    """Tencent repeats callbacks that were not answered in time."""
    assert (await tencent.send(COMMAND, BODY, **used)).content == OK
    await asyncio.sleep(1.1)
    assert (await tencent.send(COMMAND, BODY, **used)).content == OK
    assert await tencent.badges("al") == {"al": 1}


async def test_every_worker_knows_which_signatures_were_used(
    tencent: Tencent, used: dict[str, Any], settings: Settings
) -> None:
    assert (await tencent.send(COMMAND, BODY, **used)).content == OK
    await asyncio.sleep(1.1)
    async with in_process(settings) as other:
        elsewhere = Tencent(other)
        answer = await elsewhere.send(*told.direct_sent("bo", "al", 2), **used)
        assert (answer.status_code, answer.content) == (401, USED)
        assert (await elsewhere.send(COMMAND, BODY, **used)).content == OK


async def test_what_is_remembered_of_signatures_goes_after_two_minutes(
    tencent: Tencent, signed: dict[str, Any]
) -> None:
    """It is little: one number for a signature, one for each callback."""
    for seq in (1, 2, 2):
        await tencent.send(*told.direct_sent("bo", "al", seq), **signed)
    kept = [key async for key in tencent.imkit.executor.scan("{q:*tencent sign*")]
    assert len(kept) == 3
    for key in kept:
        assert 110_000 < await tencent.imkit.executor.command("PTTL", key, key=key) <= 120_000

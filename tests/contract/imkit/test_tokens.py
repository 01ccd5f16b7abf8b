"""Tokens seen from outside: issued, bound, revoked, ended.

On the worker that did it and on the others.
"""

import time
from collections.abc import AsyncIterator

import jwt
import msgspec
import pytest
import pytest_asyncio

from readstate.domain.notices import TokensRevoked, Topic
from readstate.domain.tokens import Tokens
from readstate.settings import Settings
from readstate.store import tokens as stored_tokens
from readstate.store.keys import Keys
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers
from tests.support.ears import an_ear
from tests.support.imkit import CLIENT_KEY, Imkit, in_process, result
from tests.support.waiting import wait_until

HONOURED_WITHIN_S = 5.0
FOR_LONG = {"expirationDate": "2099-01-01T00:00:00Z"}


@pytest.fixture
def settings(settings: Settings, plan_url: str) -> Settings:
    """On one server and on a cluster."""
    return msgspec.structs.replace(settings, redis_url=plan_url)


@pytest_asyncio.fixture
async def second(imkit: Imkit, settings: Settings) -> AsyncIterator[Imkit]:
    """Another worker of the same service."""
    async with in_process(settings) as second:
        yield second


async def status(imkit: Imkit, token: str) -> int:
    """The status of a call with `token`."""
    headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token}
    return (await imkit.call("GET", "/me/badge", None, headers)).status_code


async def refused_by(imkit: Imkit, token: str) -> None:
    """Wait until the token is void at `imkit`."""

    async def refuses() -> bool:
        return await status(imkit, token) == 401

    await wait_until(refuses, "the token to be refused", timeout_s=HONOURED_WITHIN_S)


async def bind(imkit: Imkit, user: str, token: str) -> None:
    result(await imkit.as_backend("POST", "/admin/clients", {"_id": user, "token": token, **FOR_LONG}))


async def test_an_issued_token_says_who_and_until_when(imkit: Imkit) -> None:
    """A JWT as original clients expect it, good for seven days."""
    claims = jwt.decode(await imkit.sign_in("al"), options={"verify_signature": False})
    assert claims["id"] == "al"
    assert claims["exp"] - claims["iat"] == 7 * 86_400
    assert abs(claims["iat"] - time.time()) < 60


async def test_checking_an_issued_token_asks_no_store(imkit: Imkit) -> None:
    token = await imkit.sign_in("al")
    fresh = Tokens(RedisTokens(imkit.services.directory._executor), imkit.services.apps, secret="t" * 32)
    before = imkit.round_trips
    for _ in range(3):
        assert await fresh.verify("default", token) is not None
    assert imkit.round_trips == before


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "..",
        "x" * 5000,
        "é",
        jwt.encode({"id": "al", "exp": 4102444800, "jti": "1"}, "k" * 32, algorithm="HS256"),
        jwt.encode({"id": "al", "exp": 4102444800, "jti": "1"}, "", algorithm="none"),
        jwt.encode({"id": "al", "exp": 4102444800, "jti": "1"}, "t" * 32, algorithm="HS256"),
        jwt.encode({"id": "al", "exp": 4102444800, "jti": "1"}, "t" * 64, algorithm="HS512"),
    ],
)
async def test_forged_tokens_are_refused(imkit: Imkit, token: str) -> None:
    """Also tokens signed with the deployment's secret itself: every app has a key of its own."""
    await imkit.sign_in("al")
    answer = await imkit.client.get(
        "/me/badge", headers=[(b"IM-CLIENT-KEY", CLIENT_KEY.encode()), (b"IM-Authorization", token.encode())]
    )
    assert answer.status_code == 401


async def test_a_user_may_have_several_tokens(imkit: Imkit) -> None:
    first, second = await imkit.sign_in("al"), await imkit.sign_in("al")
    assert [await status(imkit, token) for token in (first, second)] == [200, 200]
    await imkit.as_backend("DELETE", "/admin/clients/al/token", {"token": first})
    assert [await status(imkit, token) for token in (first, second)] == [401, 200]
    await imkit.as_backend("DELETE", "/admin/clients/al/token")
    assert await status(imkit, second) == 401


async def test_a_token_issued_right_after_revoking_all_is_good(imkit: Imkit, second: Imkit) -> None:
    old = await imkit.sign_in("al")
    await imkit.as_backend("DELETE", "/admin/clients/al/token")
    new = await imkit.sign_in("al")
    await refused_by(second, old)
    assert [await status(imkit, new), await status(second, new)] == [200, 200]


async def test_every_worker_honours_a_revocation(imkit: Imkit, second: Imkit) -> None:
    token = await imkit.sign_in("al")
    await bind(imkit, "al", "the-custom-token")
    assert [await status(second, token), await status(second, "the-custom-token")] == [200, 200]
    await imkit.as_backend("DELETE", "/admin/clients/al/token")
    assert [await status(imkit, token), await status(imkit, "the-custom-token")] == [401, 401]
    await refused_by(second, token)
    await refused_by(second, "the-custom-token")


async def test_a_worker_that_starts_later_knows_of_revocations(imkit: Imkit, settings: Settings) -> None:
    token = await imkit.sign_in("al")
    await imkit.as_user("al", "POST", "/me/logout")
    async with in_process(settings) as later:
        assert await status(later, token) == 401


async def test_revoking_is_announced_to_connections(imkit: Imkit, settings: Settings) -> None:
    """The notice names the token, so sockets with other tokens of the user stay."""
    await imkit.sign_in("al")
    al = Topic.user("default", "al")
    token_id = jwt.decode(imkit.tokens["al"], options={"verify_signature": False})["jti"]
    async with an_ear(imkit.executor, str(settings.redis_url), al) as ear:
        await imkit.as_user("al", "POST", "/me/logout")
        heard = await ear.catch_up(al)
    assert [(notice.user, notice.token_id) for _, notice in heard if isinstance(notice, TokensRevoked)] == [
        ("al", token_id)
    ]


async def test_logging_out_leaves_the_other_devices_alone(imkit: Imkit) -> None:
    other = await imkit.sign_in("al")
    mine = await imkit.sign_in("al")
    await imkit.as_user("al", "POST", "/me/logout")
    assert [await status(imkit, other), await status(imkit, mine)] == [200, 401]


async def test_logging_out_works_for_a_token_the_store_has_lost(imkit: Imkit) -> None:
    token = await imkit.sign_in("al")
    key = Keys.user_tokens("default", "al")
    await imkit.executor.command("DEL", key, key=key)
    result(await imkit.as_user("al", "POST", "/me/logout"))
    assert await status(imkit, token) == 401


async def test_a_bound_token_counts_at_once(imkit: Imkit, second: Imkit) -> None:
    assert [await status(imkit, "the-custom-token"), await status(second, "the-custom-token")] == [401, 401]
    await bind(imkit, "al", "the-custom-token")
    assert [await status(imkit, "the-custom-token"), await status(second, "the-custom-token")] == [200, 200]


async def test_replacing_a_bound_token_voids_the_old_one(imkit: Imkit, second: Imkit) -> None:
    """Issued tokens stay."""
    issued = await imkit.sign_in("al")
    await bind(imkit, "al", "custom-token-one")
    assert await status(second, "custom-token-one") == 200
    result(await imkit.as_backend("PUT", "/admin/clients/al/token", {"token": "custom-token-two", **FOR_LONG}))
    assert [await status(imkit, token) for token in ("custom-token-one", "custom-token-two", issued)] == [401, 200, 200]
    await refused_by(second, "custom-token-one")
    assert await status(second, "custom-token-two") == 200


async def test_binding_a_token_again_is_harmless(imkit: Imkit) -> None:
    for _ in range(2):
        await bind(imkit, "al", "the-custom-token")
        result(await imkit.as_backend("PUT", "/admin/clients/al/token", {"token": "the-custom-token", **FOR_LONG}))
        assert await status(imkit, "the-custom-token") == 200
    revoked = result(await imkit.as_backend("DELETE", "/admin/clients/al/token"))["data"]
    assert len(revoked) == 1
    assert await status(imkit, "the-custom-token") == 401


async def test_a_revoked_custom_token_may_go_to_another_user(imkit: Imkit) -> None:
    await bind(imkit, "al", "the-custom-token")
    await imkit.as_backend("DELETE", "/admin/clients/al/token", {"token": "the-custom-token"})
    await bind(imkit, "bo", "the-custom-token")
    headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": "the-custom-token"}
    assert result(await imkit.call("GET", "/me", None, headers))["_id"] == "bo"


async def test_a_bound_token_ends_by_itself(imkit: Imkit) -> None:
    ends_s = int(time.time()) + 2
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_s))
    result(
        await imkit.as_backend(
            "POST", "/admin/clients", {"_id": "al", "token": "the-custom-token", "expirationDate": at}
        )
    )
    assert await status(imkit, "the-custom-token") == 200
    await refused_by(imkit, "the-custom-token")
    assert time.time() >= ends_s


async def test_a_user_keeps_a_bounded_number_of_tokens(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_tokens, "MAX_LIVE_TOKENS", 3)
    tokens = [await imkit.sign_in("al") for _ in range(5)]
    await imkit.services.tokens.refresh_revocations()
    assert sorted([await status(imkit, token) for token in tokens]) == [200, 200, 200, 401, 401]


async def test_ended_tokens_are_forgotten(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's list and the revocations do not grow with tokens that have ended."""
    monkeypatch.setattr(stored_tokens, "MARGIN_S", 0)
    tokens, now = RedisTokens(imkit.executor), int(time.time())
    await RedisUsers(imkit.executor).upsert_user(app="default", user="al", profile={})
    for token_id, expires_s in (("old", now + 1), ("new", now + 1000)):
        await tokens.remember_token(
            app="default", user="al", token_id=token_id, created_ms=now * 1000, expires_s=expires_s
        )
    await tokens.revoke_tokens(app="default", user="al", token_id="old")

    async def old_is_over() -> bool:
        return time.time() > now + 1.1

    await wait_until(old_is_over, "a second to pass")
    await tokens.revoke_tokens(app="default", user="al", token_id="new")
    assert [one.token_id for one in (await tokens.revocations(app="default", since=0)).entries] == ["new"]

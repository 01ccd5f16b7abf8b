"""Ending tokens: of an app, of a removed app, and by a revocation."""

import hmac
import time

import jwt
import msgspec
import pytest

from readstate.domain import tokens as rules
from readstate.domain.tokens import Tokens
from readstate.errors import Invalid
from readstate.settings import Settings
from readstate.store import tokens as stored_tokens
from readstate.store.apps import AppRegistry, NewApp
from readstate.store.keys import Keys
from readstate.store.tokens import RedisTokens
from tests.security.keys.calls import CUSTOM, SECRET, WITHIN_S, backend_status, good, heard, issued_and_bound
from tests.support.imkit import Imkit, in_process
from tests.support.waiting import wait_until


async def test_ending_an_app_s_tokens_ends_issued_and_bound_ones_on_every_worker(
    imkit: Imkit, second: Imkit, apps: AppRegistry, acme: NewApp
) -> None:
    """Each worker learns of it within five seconds.

    Tokens of other apps stay, and so do users and rooms.
    """
    await heard(second)
    ours, theirs = await issued_and_bound(imkit), await issued_and_bound(imkit, acme.api_key)
    for worker in (imkit, second):
        assert await good(worker, theirs, acme.client_key) == [True, True]
    await apps.end_tokens("acme")
    ended_at = time.monotonic()

    async def all_ended() -> bool:
        return [await good(worker, theirs, acme.client_key) for worker in (imkit, second)] == [[False, False]] * 2

    await wait_until(all_ended, "the tokens to end", timeout_s=WITHIN_S)
    assert time.monotonic() - ended_at < WITHIN_S
    assert [await good(worker, ours) for worker in (imkit, second)] == [[True, True]] * 2
    assert await good(imkit, await issued_and_bound(imkit, acme.api_key), acme.client_key) == [True, True]


async def test_the_first_app_s_tokens_can_be_ended_as_well(imkit: Imkit, apps: AppRegistry, settings: Settings) -> None:
    """Also for a worker that starts later, and any number of times."""
    await imkit.room("r", "al")
    for _ in range(3):
        tokens = await issued_and_bound(imkit)
        assert await good(imkit, tokens) == [True, True]
        await apps.end_tokens("default")
        await heard(imkit)
        assert await good(imkit, tokens) == [False, False]
        async with in_process(settings) as later:
            assert await good(later, tokens) == [False, False]
    assert await imkit.badge("al") == 0


async def test_a_token_of_a_removed_app_stays_void_when_the_name_comes_back(
    imkit: Imkit, apps: AppRegistry, acme: NewApp
) -> None:
    """Its keys stay void too, including the one before the last."""
    tokens = await issued_and_bound(imkit, acme.api_key)
    rotated = await apps.rotate("acme", keep_old_for_s=3600)
    await apps.remove("acme")
    again = await apps.add("acme", keep_data=True)
    await heard(imkit)
    assert await good(imkit, tokens, again.client_key) == [False, False]
    assert [await backend_status(imkit, key) for key in (acme.api_key, rotated.api_key, again.api_key)] == [
        401,
        401,
        200,
    ]
    assert (
        await imkit.call("GET", "/me/badge", None, {"IM-CLIENT-KEY": acme.client_key, "IM-Authorization": tokens[0]})
    ).status_code == 401


async def test_rotating_a_key_ends_no_token(imkit: Imkit, apps: AppRegistry, acme: NewApp) -> None:
    """It brings back no token that was ended before, or during the rotation."""
    tokens = await issued_and_bound(imkit, acme.api_key)
    before = await imkit.executor.command("HGET", Keys.apps, "acme", key=Keys.apps)
    await apps.rotate("acme")
    await heard(imkit)
    assert await good(imkit, tokens, acme.client_key) == [True, True]
    await apps.end_tokens("acme")
    await imkit.executor.command(
        "HSET", Keys.apps, "acme", before, key=Keys.apps
    )  # as a rotation that had read it before would
    await heard(imkit)
    assert await good(imkit, tokens, acme.client_key) == [False, False]


async def test_generations_never_repeat(apps: AppRegistry) -> None:
    """They are random numbers of 53 bits, so no counter is needed."""
    seen = []
    for _ in range(100):
        await apps.end_tokens("default")
        seen.append((await apps.list())[0].generation)
    assert len(set(seen)) == 100
    assert all(0 < generation < 2**53 for generation in seen)
    assert max(seen) > 2**48


@pytest.mark.parametrize(("generation", "counts"), [(1, True), (2, False), (7, False)])
async def test_a_token_bound_before_generations_were_kept_counts_only_where_no_key_was_rotated(
    imkit: Imkit, apps: AppRegistry, generation: int, counts: bool
) -> None:
    """A rotation was meant to end it."""
    stored = msgspec.msgpack.encode(["key-of-the-clients-of-old", "00" * 32, generation])
    await imkit.executor.command("HSET", Keys.apps, "old", stored, key=Keys.apps)
    await bound_of_old(imkit, "old")
    await heard(imkit)
    assert await good(imkit, [CUSTOM], "key-of-the-clients-of-old") == [counts]
    await apps.end_tokens("old")
    await heard(imkit)
    assert await good(imkit, [CUSTOM], "key-of-the-clients-of-old") == [False]


async def test_tokens_of_the_first_app_from_before_count_until_they_are_ended(imkit: Imkit, apps: AppRegistry) -> None:
    await bound_of_old(imkit, "default")
    key = hmac.digest(SECRET.encode(), b"default:0", "sha256")
    issued = jwt.encode({"id": "al", "iat": 1, "exp": int(time.time()) + 60, "jti": "1"}, key, algorithm="HS256")
    assert await good(imkit, [issued, CUSTOM]) == [True, True]
    await apps.end_tokens("default")
    await heard(imkit)
    assert await good(imkit, [issued, CUSTOM]) == [False, False]


async def bound_of_old(imkit: Imkit, app: str) -> None:
    """A custom token as it was stored without a generation."""
    until_s = int(time.time()) + 3600
    key = Keys.bound_token(app, rules._digest(CUSTOM))
    await imkit.executor.command(
        "SET", key, msgspec.msgpack.encode(["al", "0" * 24, until_s]), "EXAT", until_s, key=key
    )


@pytest.mark.parametrize("name", ["nobody", "", "default "])
async def test_ending_the_tokens_of_no_app_is_refused(apps: AppRegistry, imkit: Imkit, name: str) -> None:
    before = await imkit.everything()
    with pytest.raises(Invalid, match="there is no app"):
        await apps.end_tokens(name)
    assert await imkit.everything() == before


@pytest.mark.parametrize("off_s", [-86_400 * 9, -60, 60, 86_400 * 9])
async def test_a_revocation_is_heard_whatever_the_clock_of_a_host_says(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, off_s: int
) -> None:
    """Of the revoking host, after another one's was heard.

    And of the listening host, as long as the token is valid for it.
    """
    stored, apps = RedisTokens(imkit.executor), imkit.services.apps
    elsewhere = Tokens(stored, apps, secret=SECRET, now=lambda: time.time() + max(-60, min(60, off_s)))
    first, second = (
        await issued_and_bound(imkit),
        await issued_and_bound(imkit, user="bo", custom="the-custom-token-of-bo"),
    )
    for token in first + second:
        assert await elsewhere.verify("default", token) is not None
    await stored.revoke_tokens(app="default", user="al", token_id=None)
    await elsewhere.refresh_revocations()
    monkeypatch.setattr(stored_tokens, "time", ClockThatIsOff(off_s), raising=False)
    await RedisTokens(imkit.executor).revoke_tokens(app="default", user="bo", token_id=None)
    await elsewhere.refresh_revocations()
    assert [await elsewhere.verify("default", token) for token in first + second] == [None] * 4
    late = Tokens(stored, apps, secret=SECRET)
    await late.refresh_revocations()
    assert [await late.verify("default", token) for token in first + second] == [None] * 4


class ClockThatIsOff:
    """The module `time` of a host whose clock is wrong."""

    def __init__(self, off_s: int) -> None:
        self.off_s = off_s

    def time(self) -> float:
        return time.time() + self.off_s

    def time_ns(self) -> int:
        return time.time_ns() + self.off_s * 10**9

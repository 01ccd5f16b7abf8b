"""A key that was changed is dead, a token that was ended stays dead, and nothing of another app's or another time's is good."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import msgspec
import pytest
import pytest_asyncio

from readstate.domain import tokens as rules
from readstate.domain.tokens import Tokens
from readstate.errors import Invalid
from readstate.settings import Settings, SettingsError
from readstate.store import tokens as stored_tokens
from readstate.store import workers
from readstate.store.apps import AppRegistry, NewApp
from readstate.store.keys import Keys
from readstate.store.tokens import RedisTokens
from readstate.store.workers import Key, Workers
from tests.support import devices
from tests.support.devices import Backend, device, faults
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process, result
from tests.support.processes import ServiceProcess, run_command
from tests.support.servers import short_directory
from tests.support.waiting import wait_until

WITHIN_S = 5.0
FOR_LONG = {"expirationDate": "2099-01-01T00:00:00Z"}
CUSTOM = "the-custom-token-of-al"
SECRET = "t" * 32


@pytest.fixture
def settings(settings: Settings, plan_url: str) -> Settings:
    """On one server and on a cluster."""
    return msgspec.structs.replace(settings, redis_url=plan_url)


@pytest_asyncio.fixture
async def second(imkit: Imkit, settings: Settings) -> AsyncIterator[Imkit]:
    async with in_process(settings) as second:
        yield second


@pytest.fixture
def apps(imkit: Imkit) -> AppRegistry:
    """As the command `readstate apps` has them."""
    return AppRegistry(imkit.executor, client_key=CLIENT_KEY, api_key=API_KEY)


@pytest.fixture
async def acme(imkit: Imkit, apps: AppRegistry) -> NewApp:
    """A second app, which the service has heard of."""
    added = await apps.add("acme")
    await heard(imkit)
    return added


async def heard(imkit: Imkit) -> None:
    """The worker looks at the store now."""
    services = imkit.services
    await services.apps.refresh()
    await services.tokens.learn_revocations()


async def issued_and_bound(
    imkit: Imkit, api_key: str = API_KEY, *, user: str = "al", custom: str = CUSTOM
) -> list[str]:
    """Both kinds of token for a user."""
    backend = {"IM-API-KEY": api_key}
    issued = result(await imkit.call("POST", "/admin/clients", {"_id": user, "issueAccessToken": True}, backend))[
        "token"
    ]
    result(await imkit.call("POST", "/admin/clients", {"_id": user, "token": custom, **FOR_LONG}, backend))
    return [issued, custom]


async def good(imkit: Imkit, tokens: list[str], client_key: str = CLIENT_KEY) -> list[bool]:
    """Which of the tokens are let in; a token that is not is answered 401."""
    answers = [
        await imkit.call("GET", "/me/badge", None, {"IM-CLIENT-KEY": client_key, "IM-Authorization": token})
        for token in tokens
    ]
    assert {answer.status_code for answer in answers} <= {200, 401}
    return [answer.status_code == 200 for answer in answers]


async def backend_status(imkit: Imkit, api_key: str) -> int:
    return (await imkit.call("GET", "/me/badge", None, {"IM-API-KEY": api_key, "IM-CLIENT-ID": "al"})).status_code


# Ending tokens


async def test_ending_an_app_s_tokens_ends_issued_and_bound_ones_on_every_worker(
    imkit: Imkit, second: Imkit, apps: AppRegistry, acme: NewApp
) -> None:
    """Each worker learns of it by itself, within five seconds. The tokens of other apps stay, and so do users and rooms."""
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
    """Also for a worker that starts later, and as often as one likes."""
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
    """And so do its keys, the one before the last included."""
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
    """Nor does it bring one back that was ended before, or while the key was rotated."""
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
    """Random ones of 53 bits, so that they need not be counted."""
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
    """A rotation meant to end it."""
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


# Clocks


@pytest.mark.parametrize("off_s", [-86_400 * 9, -60, 60, 86_400 * 9])
async def test_a_revocation_is_heard_whatever_the_clock_of_a_host_says(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, off_s: int
) -> None:
    """Of the one that revokes, after another one's was heard; and of the one that listens, as far as the token is not over for it."""
    stored, apps = RedisTokens(imkit.executor), imkit.services.apps
    elsewhere = Tokens(stored, apps, secret=SECRET, now=lambda: time.time() + max(-60, min(60, off_s)))
    first, second = (
        await issued_and_bound(imkit),
        await issued_and_bound(imkit, user="bo", custom="the-custom-token-of-bo"),
    )
    for token in first + second:
        assert await elsewhere.verify("default", token) is not None
    await stored.revoke_tokens(app="default", user="al", token_id="")
    await elsewhere.learn_revocations()
    monkeypatch.setattr(stored_tokens, "time", ClockThatIsOff(off_s), raising=False)
    await RedisTokens(imkit.executor).revoke_tokens(app="default", user="bo", token_id="")
    await elsewhere.learn_revocations()
    assert [await elsewhere.verify("default", token) for token in first + second] == [None] * 4
    late = Tokens(stored, apps, secret=SECRET)
    await late.learn_revocations()
    assert [await late.verify("default", token) for token in first + second] == [None] * 4


class ClockThatIsOff:
    """The module `time` of a host whose clock is wrong."""

    def __init__(self, off_s: int) -> None:
        self.off_s = off_s

    def time(self) -> float:
        return time.time() + self.off_s

    def time_ns(self) -> int:
        return time.time_ns() + self.off_s * 10**9


# Keys that are being replaced


async def test_an_old_api_key_and_an_old_client_key_are_good_beside_the_new_ones(
    imkit: Imkit, settings: Settings
) -> None:
    """And nothing is answered with them."""
    old = {"old_api_key": "api-key-of-the-year-before", "old_client_key": "client-key-of-the-year-before"}
    token = await imkit.sign_in("al")
    async with in_process(msgspec.structs.replace(settings, **old)) as changing:
        for api_key in (API_KEY, old["old_api_key"]):
            assert await backend_status(changing, api_key) == 200
            for client_key in (CLIENT_KEY, old["old_client_key"]):
                backend = {"IM-API-KEY": api_key, "IM-CLIENT-KEY": client_key, "IM-CLIENT-ID": "al"}
                answer = await changing.call("GET", "/me", None, backend)
                assert result(answer)["_id"] == "al"
                assert not any(key in answer.text for key in old.values())
        assert await good(changing, [token], old["old_client_key"]) == [True]
    assert await backend_status(imkit, old["old_api_key"]) == 401
    assert await backend_status(imkit, "") == 401


async def test_an_old_token_secret_is_good_and_signs_nothing(imkit: Imkit, settings: Settings) -> None:
    token = await imkit.sign_in("al")
    changed = msgspec.structs.replace(settings, token_secret="n" * 32, old_token_secret=settings.token_secret)
    async with in_process(changed) as changing:
        new = (await issued_and_bound(changing))[0]
        assert await good(changing, [token, new]) == [True, True]
    async with in_process(msgspec.structs.replace(settings, token_secret="n" * 32)) as after:
        assert await good(after, [token, new]) == [False, True]
    assert await good(imkit, [new]) == [False]


async def test_a_rotated_key_is_kept_as_long_as_was_said_by_the_store_s_clock(
    imkit: Imkit, apps: AppRegistry, acme: NewApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    rotated = await apps.rotate("acme", keep_old_for_s=1)
    await heard(imkit)
    assert [await backend_status(imkit, key) for key in (acme.api_key, rotated.api_key)] == [200, 200]
    key = Keys.old_api_key("acme")

    async def over() -> bool:
        return bool(await imkit.executor.command("EXISTS", key, key=key) == 0)

    await wait_until(over, "the store to forget the old key")
    await heard(imkit)
    assert [await backend_status(imkit, key) for key in (acme.api_key, rotated.api_key)] == [401, 200]


async def test_rotating_again_ends_a_key_that_was_kept(imkit: Imkit, apps: AppRegistry, acme: NewApp) -> None:
    """Otherwise a key that leaked could not be ended before its time."""
    first = await apps.rotate("acme", keep_old_for_s=3600)
    second = await apps.rotate("acme", keep_old_for_s=3600)
    await heard(imkit)
    assert [await backend_status(imkit, one.api_key) for one in (acme, first, second)] == [401, 200, 200]
    third = await apps.rotate("acme")
    await heard(imkit)
    assert [await backend_status(imkit, one.api_key) for one in (first, second, third)] == [401, 401, 200]


async def test_a_name_that_was_used_is_refused_unless_the_data_is_meant_to_stay(
    imkit: Imkit, apps: AppRegistry, acme: NewApp
) -> None:
    """Whoever takes the name sees what the app before it stored."""
    backend = {"IM-API-KEY": acme.api_key, "IM-CLIENT-ID": "al"}
    result(await imkit.call("POST", "/rooms", {"_id": "r", "members": ["al"]}, backend))
    await apps.remove("acme")
    before = await imkit.everything()
    with pytest.raises(Invalid, match=r"the data of an earlier app acme is still there; .* --keep-data"):
        await apps.add("acme")
    assert await imkit.everything() == before
    again = await apps.add("acme", keep_data=True)
    await heard(imkit)
    rooms = result(await imkit.call("GET", "/rooms", None, {"IM-API-KEY": again.api_key, "IM-CLIENT-ID": "al"}))
    assert [room["_id"] for room in rooms["data"]] == ["r"]


async def test_an_app_that_was_removed_before_names_were_kept_is_known_by_its_data(
    imkit: Imkit, apps: AppRegistry, acme: NewApp
) -> None:
    result(await imkit.call("POST", "/admin/clients", {"_id": "al"}, {"IM-API-KEY": acme.api_key}))
    for key in (Keys.apps, Keys.generations):
        await imkit.executor.command("HDEL", key, "acme", key=key)
    with pytest.raises(Invalid, match="still there"):
        await apps.add("acme")
    assert (await apps.add("acm")).app == "acm"


# Keys that must differ

KEYS = {
    "api_key": "a" * 32,
    "old_api_key": "b" * 32,
    "client_key": "c" * 32,
    "old_client_key": "d" * 32,
    "token_secret": "e" * 32,
    "old_token_secret": "f" * 32,
    "tencent_key": "g" * 32,
    "tencent_old_key": "h" * 32,
    "tencent_token": "i" * 32,
    "tencent_old_token": "j" * 32,
    "webhook_token": "k" * 32,
    "webhook_old_token": "l" * 32,
}


@pytest.mark.parametrize("one", KEYS)
@pytest.mark.parametrize("other", KEYS)
def test_two_keys_that_are_the_same_are_refused_at_the_start(tmp_path: Path, one: str, other: str) -> None:
    """With a sentence that names both. Only callbacks may be signed alike in both directions."""
    callbacks = {one, other} & {"tencent_token", "tencent_old_token"} and {one, other} & {
        "webhook_token",
        "webhook_old_token",
    }
    given: dict[str, Any] = KEYS | {other: KEYS[one]}
    same = Settings(data_dir=str(tmp_path / "data"), **given)
    if one == other or callbacks:
        same.resolve()
        return
    with pytest.raises(SettingsError) as refused:
        same.resolve()
    sentence = str(refused.value)
    assert f"READSTATE_{one.upper()}" in sentence
    assert f"READSTATE_{other.upper()} are the same" in sentence or f"READSTATE_{one.upper()} are the same" in sentence
    assert KEYS[one] not in sentence


def test_keys_that_were_made_must_differ_as_well(tmp_path: Path) -> None:
    """A file that was copied over another one."""
    settings = Settings(data_dir=str(tmp_path / "data"))
    settings.resolve()
    (tmp_path / "data" / "client_key").write_bytes((tmp_path / "data" / "api_key").read_bytes())
    with pytest.raises(SettingsError, match="READSTATE_API_KEY and READSTATE_CLIENT_KEY are the same"):
        settings.resolve()


# Several machines


OTHERS = {"api_key": "api-key-of-another-machine", "client_key": "client-key-of-another-one", "token_secret": "x" * 32}


@pytest.mark.parametrize("name", OTHERS)
async def test_a_service_with_another_key_says_so(
    imkit: Imkit, settings: Settings, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Both do: at the start, in a line of the log, and as long as it is so in /readyz, which does not fail for it."""
    assert (await imkit.call("GET", "/readyz")).text == "ready\n"
    variable = f"READSTATE_{name.upper()}"
    warning = f"another service uses this store with another {variable}; give them the same one (docs/keys.md)"
    async with in_process(msgspec.structs.replace(settings, **{name: OTHERS[name]})) as stranger:
        ready = await stranger.call("GET", "/readyz")
        assert (ready.status_code, ready.text) == (200, f"ready\nwarning: {warning}\n")
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [warning]
        await look(imkit)
        assert (await imkit.call("GET", "/readyz")).text == f"ready\nwarning: {warning}\n"
    await look(imkit)
    assert (await imkit.call("GET", "/readyz")).text == "ready\n"


@pytest.mark.parametrize("name", OTHERS)
async def test_an_old_key_on_either_side_explains_a_difference(imkit: Imkit, settings: Settings, name: str) -> None:
    """As while keys are being replaced, one service after the other."""
    for changed in ({name: OTHERS[name], f"old_{name}": getattr(settings, name)}, {f"old_{name}": OTHERS[name]}):
        async with in_process(msgspec.structs.replace(settings, **changed)) as changing:
            await look(imkit)
            for service in (imkit, changing):
                assert (await service.call("GET", "/readyz")).text == "ready\n"


async def look(imkit: Imkit) -> None:
    """The worker looks at the others now, as it does every half a minute."""
    await imkit.service.parts.workers.note()


async def test_a_service_that_is_silent_is_forgotten_by_the_store_s_clock(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that crashed says nothing when it goes."""
    monkeypatch.setattr(workers, "FORGOTTEN_AFTER_S", 0.3)
    crashed, other = (Workers(imkit.executor, {"READSTATE_API_KEY": Key(key)}) for key in ("x" * 32, "y" * 32))
    await crashed.note()
    await other.note()
    assert len(other.warnings()) == 1
    await asyncio.sleep(0.4)
    await other.note()
    assert other.warnings() == []


async def test_no_key_and_no_digest_that_would_tell_it_is_in_the_store(imkit: Imkit, settings: Settings) -> None:
    """Two bytes of each: to guess with these alone leaves one in 65,536 of all guesses."""
    notes = await imkit.executor.command("ZRANGE", Keys.workers, 0, -1, key=Keys.workers)
    digests = [digest for note in notes for pair in msgspec.msgpack.decode(note)[1].values() for digest in pair]
    assert sorted(map(len, digests)) == [0, 0, 0, 2, 2, 2]
    stored = b"".join([*notes, *(await imkit.everything()).values()])
    for key in (settings.api_key, settings.client_key, settings.token_secret):
        assert key.encode() not in stored


async def test_a_note_that_cannot_be_read_is_passed_over(imkit: Imkit) -> None:
    """Of another version, or somebody else's."""
    now_ms = time.time_ns() // 1_000_000
    for note in (
        b"",
        b"\xff",
        msgspec.msgpack.encode({"a": 1}),
        msgspec.msgpack.encode(["x", {"READSTATE_API_KEY": 1}]),
    ):
        await imkit.executor.command("ZADD", Keys.workers, now_ms, note, key=Keys.workers)
    await look(imkit)
    assert (await imkit.call("GET", "/readyz")).text == "ready\n"


# Odd tokens


@pytest.mark.parametrize(
    "claims", ['"exp":1e999', '"exp":-1e999', f'"exp":{"9" * 400}', '"exp":NaN', '"exp":253402300800', '"exp":[1]']
)
async def test_an_odd_token_signed_with_the_right_key_is_refused(
    imkit: Imkit, caplog: pytest.LogCaptureFixture, claims: str
) -> None:
    """401 and no line in the log, over every road."""
    key = hmac.digest(SECRET.encode(), b"default:0", "sha256")
    token = jwt.PyJWS().encode(f'{{"id":"al","jti":"1",{claims}}}'.encode(), key, algorithm="HS256")
    assert await good(imkit, [token]) == [False]
    assert (await imkit.call("GET", "/me", None, {"IM-Authorization": token})).status_code == 401
    assert (
        await imkit.call("GET", "/api/v1/subscriptions.get", None, {"X-Auth-Token": token, "X-User-Id": "al"})
    ).status_code == 401
    assert (await imkit.call("POST", "/api/v1/login", {"resume": token})).status_code == 401
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# The command, on a running service


@pytest.fixture(scope="module")
def live() -> Iterator[ServiceProcess]:
    """Two workers, on an embedded server."""
    keys = {"api_key": devices.API_KEY, "client_key": devices.CLIENT_KEY}
    with short_directory() as directory, ServiceProcess(directory / "data", workers=2, **keys) as process:
        yield process
        assert faults(process) == []


async def readstate(live: ServiceProcess, *arguments: str) -> tuple[int, str]:
    """Exit code and what the command says."""
    run = await asyncio.to_thread(run_command, *arguments, settings={"data_dir": live.data_dir})
    return run.returncode, run.stderr + run.stdout


@pytest.mark.parametrize("whose", [("--app", "default"), ("--app", "default", "--user", "ann")])
async def test_the_command_ends_tokens_and_sockets_within_five_seconds(
    live: ServiceProcess, whose: tuple[str, ...]
) -> None:
    """Issued and bound ones, on both workers; with a user only that user's. Tokens that are given out after that are good."""
    async with Backend(live.url) as backend:
        tokens = {user: [await backend.token(user), f"the-custom-token-of-{user}"] for user in ("ann", "ben")}
        for user, (_, custom) in tokens.items():
            await backend.call("PUT", f"/admin/clients/{user}/token", {"token": custom, **FOR_LONG})
        async with device(backend) as issued, device(backend) as bound, device(backend) as other:
            for phone, token in ((issued, tokens["ann"][0]), (bound, tokens["ann"][1]), (other, tokens["ben"][0])):
                assert (await phone.authenticate(token))["RC"] == 0
            code, said = await readstate(live, "tokens", "end", *whose)
            ended_at = time.monotonic()
            assert code == 0
            assert "within 5 seconds" in said
            ended = tokens["ann"] if "--user" in whose else tokens["ann"] + tokens["ben"]

            async def all_ended() -> bool:
                return {code for token in ended for code in await codes(live, token)} == {401}

            await wait_until(all_ended, "the tokens to end on both workers", timeout_s=WITHIN_S)
            for phone in (issued, bound) if "--user" in whose else (issued, bound, other):
                await phone.wait_until_closed(WITHIN_S)
            assert time.monotonic() - ended_at < WITHIN_S
            if "--user" in whose:
                assert other.client.connected
                assert {code for token in tokens["ben"] for code in await codes(live, token)} == {200}
        await asyncio.sleep(ended_at + WITHIN_S - time.monotonic())
        assert set(await codes(live, await backend.token("ann"))) == {200}


async def codes(live: ServiceProcess, token: str) -> list[int]:
    """What calls with a token are answered over connections of their own, so that no worker is left out."""
    headers = {"IM-CLIENT-KEY": devices.CLIENT_KEY, "IM-Authorization": token, "Connection": "close"}
    async with httpx.AsyncClient(base_url=live.url) as client:
        answers = await asyncio.gather(*(client.get("/me/badge", headers=headers) for _ in range(8)))
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tokens", "end", "--app", "nobody"), "there is no app nobody"),
        (("tokens", "end", "--app", "nobody", "--user", "ann"), "there is no app nobody"),
        (("tokens", "end", "--app", "default", "--user", "stranger"), "there is no user stranger in app default"),
        (("tokens", "end"), "--app"),
        (("apps", "rotate", "default"), "READSTATE_API_KEY"),
        *(
            (("apps", "rotate", "acme", "--keep-old-for", odd), "1m to 90d")
            for odd in ("0m", "24", "1w", "91d", "1.5h", "1h30m", "9999999d", "")
        ),
    ],
)
async def test_what_cannot_be_ended_or_rotated_is_refused(
    live: ServiceProcess, arguments: tuple[str, ...], says: str
) -> None:
    code, said = await readstate(live, *arguments)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


async def test_the_commands_of_apps_take_what_they_say(live: ServiceProcess) -> None:
    """A key that is kept works, and a name that was used is taken only with its data."""
    async with Backend(live.url) as backend:
        keys = [(await readstate(live, "apps", "add", "acme"))[1].split()[-1]]
        code, said = await readstate(live, "apps", "rotate", "acme", "--keep-old-for", "30m")
        assert code == 0
        keys.append(said.split()[-1])

        async def both_work() -> bool:
            return {await status(backend, key) for key in keys for _ in range(8)} == {200}

        await wait_until(both_work, "both keys to be taken by both workers")
        assert (await readstate(live, "apps", "remove", "acme"))[0] == 0
        code, said = await readstate(live, "apps", "add", "acme")
        assert code == 2
        assert "--keep-data" in said
        assert (await readstate(live, "apps", "add", "acme", "--keep-data"))[0] == 0


async def status(backend: Backend, api_key: str) -> int:
    headers = {"IM-API-KEY": api_key, "Connection": "close"}
    answer = await backend._http.post("/admin/clients", json={"_id": "al"}, headers=headers)
    return answer.status_code

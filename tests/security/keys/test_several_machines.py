"""Services on one store that have other keys; and odd tokens."""

import asyncio
import hmac
import logging
import time

import jwt
import msgspec
import pytest

from readstate.settings import Settings
from readstate.store import workers
from readstate.store.keys import Keys
from readstate.store.workers import Key, Workers
from tests.security.keys.calls import SECRET, good
from tests.support.imkit import Imkit, in_process

OTHERS = {"api_key": "api-key-of-another-machine", "client_key": "client-key-of-another-one", "token_secret": "x" * 32}


@pytest.mark.parametrize("name", OTHERS)
async def test_a_service_with_another_key_says_so(
    imkit: Imkit, settings: Settings, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Both do, at the start in the log, and all the time in /readyz, which still says yes."""
    assert (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"
    variable = f"READSTATE_{name.upper()}"
    warning = f"another service uses this store with another {variable}; give them the same one (docs/keys.md)"
    async with in_process(msgspec.structs.replace(settings, **{name: OTHERS[name]})) as stranger:
        ready = await stranger.call("GET", "/readyz")
        assert (ready.status_code, ready.text) == (200, f"ready\nlayout: 2\nwarning: {warning}\n")
        assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [warning]
        await look(imkit)
        assert (await imkit.call("GET", "/readyz")).text == f"ready\nlayout: 2\nwarning: {warning}\n"
    await look(imkit)
    assert (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"


@pytest.mark.parametrize("name", OTHERS)
async def test_an_old_key_on_either_side_explains_a_difference(imkit: Imkit, settings: Settings, name: str) -> None:
    """As while keys are being replaced, one service after the other."""
    for changed in ({name: OTHERS[name], f"old_{name}": getattr(settings, name)}, {f"old_{name}": OTHERS[name]}):
        async with in_process(msgspec.structs.replace(settings, **changed)) as changing:
            await look(imkit)
            for service in (imkit, changing):
                assert (await service.call("GET", "/readyz")).text == "ready\nlayout: 2\n"


async def look(imkit: Imkit) -> None:
    """The worker looks at the others now, as it does every half a minute."""
    await imkit.service.parts.workers.note()


async def test_a_service_that_is_silent_is_forgotten_by_the_store_s_clock(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crashed service does not say goodbye."""
    monkeypatch.setattr(workers, "FORGOTTEN_AFTER_S", 0.3)
    crashed, other = (Workers(imkit.executor, {"READSTATE_API_KEY": Key(key)}) for key in ("x" * 32, "y" * 32))
    await crashed.note()
    await other.note()
    assert len(other.warnings()) == 1
    await asyncio.sleep(0.4)
    await other.note()
    assert other.warnings() == []


async def test_no_key_and_no_digest_that_would_tell_it_is_in_the_store(imkit: Imkit, settings: Settings) -> None:
    """Two bytes of each digest: they exclude all but one in 65,536 guesses."""
    notes = await imkit.executor.command("ZRANGE", Keys.workers, 0, -1, key=Keys.workers)
    digests = [digest for note in notes for pair in msgspec.msgpack.decode(note)[1].values() for digest in pair]
    assert sorted(map(len, digests)) == [0, 0, 0, 2, 2, 2]
    stored = b"".join([*notes, *(await imkit.everything()).values()])
    for key in (settings.api_key, settings.client_key, settings.token_secret):
        assert key.encode() not in stored


async def test_a_note_that_cannot_be_read_is_passed_over(imkit: Imkit) -> None:
    """Notes of another version, or of another program."""
    now_ms = time.time_ns() // 1_000_000
    for note in (
        b"",
        b"\xff",
        msgspec.msgpack.encode({"a": 1}),
        msgspec.msgpack.encode(["x", {"READSTATE_API_KEY": 1}]),
    ):
        await imkit.executor.command("ZADD", Keys.workers, now_ms, note, key=Keys.workers)
    await look(imkit)
    assert (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"


@pytest.mark.parametrize(
    "claims", ['"exp":1e999', '"exp":-1e999', f'"exp":{"9" * 400}', '"exp":NaN', '"exp":253402300800', '"exp":[1]']
)
async def test_an_odd_token_signed_with_the_right_key_is_refused(
    imkit: Imkit, caplog: pytest.LogCaptureFixture, claims: str
) -> None:
    """401 and no line in the log, over HTTP and sockets."""
    key = hmac.digest(SECRET.encode(), b"default:0", "sha256")
    token = jwt.PyJWS().encode(f'{{"id":"al","jti":"1",{claims}}}'.encode(), key, algorithm="HS256")
    assert await good(imkit, [token]) == [False]
    assert (await imkit.call("GET", "/me", None, {"IM-Authorization": token})).status_code == 401
    assert (
        await imkit.call("GET", "/api/v1/subscriptions.get", None, {"X-Auth-Token": token, "X-User-Id": "al"})
    ).status_code == 401
    assert (await imkit.call("POST", "/api/v1/login", {"resume": token})).status_code == 401
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

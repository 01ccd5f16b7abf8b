"""Keys that are being replaced, and keys that must differ."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from readstate.errors import Invalid
from readstate.settings import Settings, SettingsError
from readstate.store.apps import AppRegistry, NewApp
from readstate.store.keys import Keys
from tests.security.keys.calls import backend_status, good, heard, issued_and_bound
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process, result
from tests.support.waiting import wait_until


async def test_an_old_api_key_and_an_old_client_key_are_good_beside_the_new_ones(
    imkit: Imkit, settings: Settings
) -> None:
    """No answer uses them."""
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
    """Otherwise a leaked key could not be ended early."""
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
    """The new owner of the name sees the data of the app before it."""
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
    """The sentence names both. Only callbacks may be signed alike in both directions."""
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
    """Such as a file that was copied over another one."""
    settings = Settings(data_dir=str(tmp_path / "data"))
    settings.resolve()
    (tmp_path / "data" / "client_key").write_bytes((tmp_path / "data" / "api_key").read_bytes())
    with pytest.raises(SettingsError, match="READSTATE_API_KEY and READSTATE_CLIENT_KEY are the same"):
        settings.resolve()

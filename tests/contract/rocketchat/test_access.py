"""Access in the Rocket.Chat dialect: calls without a session, with half of one, with another's."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from readstate.dialects.access.rate_limits import MAX_EXPENSIVE_CALLS
from readstate.dialects.rocketchat.api import HANDLERS
from readstate.settings import Settings
from readstate.store.apps import AppRegistry, NewApp
from tests.support.imkit import result
from tests.support.rocketchat import PATH, Rocketchat, seen

NOT_LOGGED_IN = (
    '401 {"success":false,"error":"You must be logged in to do this.","status":"error",'
    '"message":"You must be logged in to do this."}'
)
# operation -> method, path, what would be right in a world where room r, user al and message m1 are
CALLS: dict[str, tuple[str, str, Any]] = {
    "rocketchat_receipts": ("GET", "chat.getMessageReadReceipts", {"messageId": "m1"}),
    "rocketchat_read": ("POST", "subscriptions.read", {"rid": "r"}),
    "rocketchat_unread": ("POST", "subscriptions.unread", {"roomId": "r"}),
    "rocketchat_subscription": ("GET", "subscriptions.getOne", {"roomId": "r"}),
    "rocketchat_subscriptions": ("GET", "subscriptions.get", {}),
    "rocketchat_channel_counters": ("GET", "channels.counters", {"roomId": "r"}),
    "rocketchat_group_counters": ("GET", "groups.counters", {"roomId": "r"}),
    "rocketchat_im_counters": ("GET", "im.counters", {"roomId": "r"}),
    "rocketchat_dm_counters": ("GET", "dm.counters", {"roomId": "r"}),
    "rocketchat_read_thread": ("POST", "chat.readThread", {"tmid": "m1"}),
    "rocketchat_logout": ("POST", "logout", {}),
    "rocketchat_logout_by_get": ("GET", "logout", {}),
}
OPEN = {"rocketchat_login"}


def test_every_call_is_in_the_matrix() -> None:
    assert {handler.opt["operation"].name for handler in HANDLERS} == {*CALLS, *OPEN}


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    """Al and bo are in room r, where bo has posted m1."""
    for user in ("al", "bo"):
        await rocketchat.backend.sign_in(user)
    await rocketchat.backend.room("r", "al", "bo")
    await rocketchat.backend.post("r", "bo", "m1")
    return rocketchat


async def call(al: Rocketchat, operation: str, headers: Mapping[str, str | bytes], usual: Any = None) -> httpx.Response:
    method, path, right = CALLS[operation]
    given = right if usual is None else usual
    content: dict[str, Any] = {"params": given} if method == "GET" else {"json": given}
    return await al.client.request(
        method,
        f"{PATH}/{path}",
        headers=[
            (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()
        ],
        **content,
    )


@pytest.mark.parametrize("operation", CALLS)
async def test_both_headers_are_needed_and_belong_together(al: Rocketchat, operation: str) -> None:
    """The 401 comes before the request is read, has the fields of every version, and writes
    nothing.
    """
    token, other = al.backend.tokens["al"], al.backend.tokens["bo"]
    before = await al.backend.everything()
    for headers in (
        {},
        {"X-Auth-Token": token},
        {"X-User-Id": "al"},
        {"X-Auth-Token": "", "X-User-Id": "al"},
        {"X-Auth-Token": token, "X-User-Id": ""},
        {"X-Auth-Token": token + "x", "X-User-Id": "al"},
        {"X-Auth-Token": "x" * 5000, "X-User-Id": "al"},
        {"X-Auth-Token": token, "X-User-Id": "bo"},
        {"X-Auth-Token": other, "X-User-Id": "al"},
        {"X-Auth-Token": token, "X-User-Id": "AL"},
        {"X-Auth-Token": f"Bearer {token}", "X-User-Id": "al"},
        {"IM-Authorization": token, "X-User-Id": "al"},
    ):
        for given in (None, {"nonsense": "1"}):
            assert seen(await call(al, operation, headers, given)) == NOT_LOGGED_IN
    assert await al.backend.everything() == before


@pytest.mark.parametrize("operation", CALLS)
async def test_a_session_is_let_in(al: Rocketchat, operation: str) -> None:
    """Names of headers in any case."""
    answer = await call(al, operation, {"x-auth-token": al.backend.tokens["al"], "x-user-id": "al"})
    assert answer.status_code != 401


@pytest.mark.parametrize("operation", CALLS)
async def test_the_content_type_is_the_originals(al: Rocketchat, operation: str) -> None:
    """Exactly, without a charset, because the original's tests compare the whole value.

    This holds for answers, refusals and OPTIONS.
    """
    headers = await al.headers("al")
    _, path, _ = CALLS[operation]
    answers = [
        await call(al, operation, {}),
        await call(al, operation, headers, {"nonsense": "1"}),
        await call(al, operation, headers),
        await al.client.patch(f"{PATH}/{path}"),
        await al.client.options(f"{PATH}/{path}"),
    ]
    assert [answer.headers["content-type"] for answer in answers] == ["application/json"] * len(answers)


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ("ä b", "ä b".encode()),
        ("ä b", b"%C3%A4%20b"),
        ("ä b", "ä b".encode("latin-1")),
        ("日本", "日本".encode()),
        ("a%20b", b"a%20b"),
        ("a%20b", b"a%2520b"),
    ],
)
async def test_any_id_can_be_named_in_a_header(rocketchat: Rocketchat, user: str, header: bytes) -> None:
    token = await rocketchat.backend.sign_in(user)
    answer = await call(rocketchat, "rocketchat_subscriptions", {"X-Auth-Token": token.encode(), "X-User-Id": header})
    assert answer.status_code == 200


async def test_a_custom_token_of_the_backend(al: Rocketchat) -> None:
    """It works as an auth token. Logging out revokes it."""
    bound = {"token": "the-custom-token", "expirationDate": "2099-01-01"}
    result(await al.backend.as_backend("PUT", "/admin/clients/al/token", bound))
    headers = {"X-Auth-Token": "the-custom-token", "X-User-Id": "al"}
    assert (await call(al, "rocketchat_subscriptions", headers)).status_code == 200
    assert (await call(al, "rocketchat_logout", headers)).status_code == 200
    assert seen(await call(al, "rocketchat_subscriptions", headers)) == NOT_LOGGED_IN


async def test_a_token_that_the_backend_revokes(al: Rocketchat) -> None:
    headers = await al.headers("al")
    assert (await call(al, "rocketchat_subscriptions", headers)).status_code == 200
    result(await al.backend.as_backend("DELETE", "/admin/clients/al/token", {"token": al.backend.tokens["al"]}))
    assert seen(await call(al, "rocketchat_subscriptions", headers)) == NOT_LOGGED_IN


@pytest.fixture
async def other(al: Rocketchat, settings: Settings) -> NewApp:
    """A second app that the service has heard of."""
    added = await AppRegistry(al.backend.executor, client_key=settings.client_key, api_key=settings.api_key).add(
        "other"
    )
    await al.backend.services.apps.refresh()
    return added


async def foreign_token(al: Rocketchat, other: NewApp, user: str) -> str:
    answer = await al.backend.call(
        "POST", "/admin/clients", {"_id": user, "issueAccessToken": True}, {"IM-API-KEY": other.api_key}
    )
    return str(result(answer)["token"])


async def test_a_token_leads_to_its_own_app(al: Rocketchat, other: NewApp) -> None:
    """No header names the app. The same id is two users, and each sees their own rooms.

    Asked again, the app is remembered.
    """
    foreign = {"X-Auth-Token": await foreign_token(al, other, "al"), "X-User-Id": "al"}
    for _ in range(2):
        assert (await call(al, "rocketchat_subscriptions", foreign)).json()["update"] == []
        assert [one["rid"] for one in (await al.get("al", "subscriptions.get")).json()["update"]] == ["r"]
    assert (await call(al, "rocketchat_subscription", foreign)).json()["subscription"] is None
    answer = await call(al, "rocketchat_receipts", foreign)
    assert answer.json()["errorType"] == "error-invalid-message"
    assert (await call(al, "rocketchat_read", foreign)).status_code == 400
    assert await al.backend.badge("al") == 1


async def test_logging_in_finds_the_app_of_the_token(al: Rocketchat, other: NewApp) -> None:
    token = await foreign_token(al, other, "zoe")
    for body in ({"resume": token}, {"user": "zoe", "password": token}):
        answer = await al.client.post(f"{PATH}/login", json=body)
        assert answer.json()["data"]["userId"] == "zoe"


async def test_a_custom_token_of_two_apps_goes_with_the_user_it_is_sent_with(al: Rocketchat, other: NewApp) -> None:
    """The same text may be bound in two apps. The header says which user is meant."""
    await foreign_token(al, other, "zoe")
    bound = {"token": "the-custom-token", "expirationDate": "2099-01-01"}
    result(await al.backend.as_backend("PUT", "/admin/clients/al/token", bound))
    result(await al.backend.call("PUT", "/admin/clients/zoe/token", bound, {"IM-API-KEY": other.api_key}))
    for user, rooms in (("al", 1), ("zoe", 0), ("al", 1)):
        answer = await call(al, "rocketchat_subscriptions", {"X-Auth-Token": "the-custom-token", "X-User-Id": user})
        assert len(answer.json()["update"]) == rooms


async def test_tokens_of_an_app_that_is_gone(al: Rocketchat, other: NewApp, settings: Settings) -> None:
    headers = {"X-Auth-Token": await foreign_token(al, other, "al"), "X-User-Id": "al"}
    assert (await call(al, "rocketchat_subscriptions", headers)).status_code == 200
    await AppRegistry(al.backend.executor, client_key=settings.client_key, api_key=settings.api_key).remove("other")
    await al.backend.services.apps.refresh()
    assert seen(await call(al, "rocketchat_subscriptions", headers)) == NOT_LOGGED_IN


async def test_callers_at_once_are_told_apart(al: Rocketchat) -> None:
    """Many calls of two users at once: each gets their own answers."""
    for _ in range(10):
        answers = await asyncio.gather(
            *(al.get(("al", "bo")[i % 2], "subscriptions.get") for i in range(2 * MAX_EXPENSIVE_CALLS))
        )
        assert [answer.json()["update"][0]["_id"] for answer in answers] == ["ral", "rbo"] * MAX_EXPENSIVE_CALLS


async def test_browsers_may_call_from_anywhere(al: Rocketchat) -> None:
    """The preflight for the two headers. Pages may read the rate limit headers."""
    asked = {
        "Origin": "https://chat.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-auth-token",
    }
    answer = await al.client.options(f"{PATH}/subscriptions.read", headers=asked)
    assert {"x-auth-token", "x-user-id"} <= set(answer.headers["access-control-allow-headers"].lower().split(", "))
    answer = await al.client.get(
        f"{PATH}/subscriptions.get", headers={"Origin": "https://chat.example", **await al.headers("al")}
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-RateLimit-Remaining" in answer.headers["access-control-expose-headers"]


async def test_ids_with_anything_in_them(al: Rocketchat) -> None:
    """Ids are opaque: those of other dialects work here."""
    room, message, user = "räum/1 %&?#", "m 1/ü+&", "b ö/&="
    await al.backend.room(room, "al", user)
    await al.backend.post(room, user, message)
    answer = await al.get("al", "chat.getMessageReadReceipts", messageId=message)
    assert [(one["roomId"], one["userId"]) for one in answer.json()["receipts"]] == [(room, user)]
    headers = {"X-Auth-Token": await al.backend.sign_in(user), "X-User-Id": quote(user, safe="")}
    assert (await call(al, "rocketchat_subscription", headers, {"roomId": room})).json()["subscription"]["rid"] == room

"""What browsers get: which pages may read answers, what they may send, and that no answer is cached
or reinterpreted.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import msgspec
import pytest

from readstate.settings import Settings
from tests.support import tencent_callbacks as told
from tests.support.imkit import API_KEY, Imkit
from tests.support.rocketchat import Rocketchat
from tests.support.tencent import Tencent as ServerApi
from tests.support.tencent import with_tencent
from tests.support.tencent_callbacks import TOKEN, Tencent

NAMED, FOREIGN = "https://chat.example", "https://evil.example"
BACKENDS_HEADERS = {"im-api-key", "api_key"}


@pytest.fixture
def origins() -> str:
    return "*"


@pytest.fixture
def settings(settings: Settings, origins: str) -> Settings:
    return msgspec.structs.replace(with_tencent(settings, tencent_token=TOKEN), cors_origins=origins)


async def poll(imkit: Imkit, method: str = "GET", **headers: str) -> httpx.Response:
    """A long-polling request that opens a session, sent for a page."""
    return await imkit.client.request(
        method, "/socket.io/", params={"EIO": "4", "transport": "polling"}, headers=headers
    )


def allowed(answer: httpx.Response, name: str = "origin") -> str | None:
    header: str | None = answer.headers.get(f"access-control-allow-{name}")
    return header


# Pages


@pytest.mark.parametrize("origins", ["*", NAMED])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_no_page_is_invited_to_send_cookies(imkit: Imkit, method: str) -> None:
    """Neither by long-polling nor by other calls, from any page."""
    for origin in (NAMED, FOREIGN, "null"):
        for answer in (
            await poll(imkit, method, Origin=origin),
            await imkit.call(method, "/me/badge", headers={"Origin": origin}),
        ):
            assert allowed(answer, "credentials") is None


@pytest.mark.parametrize("origins", [NAMED])
async def test_pages_that_are_not_named_open_no_polling_session(imkit: Imkit) -> None:
    refused = await poll(imkit, Origin=FOREIGN)
    assert (refused.status_code, allowed(refused)) == (400, None)
    assert imkit.service.sockets["/socket.io"].connections.all() == []
    taken = await poll(imkit, Origin=NAMED)
    assert (taken.status_code, allowed(taken)) == (200, NAMED)


async def test_any_page_polls_where_any_page_may(imkit: Imkit) -> None:
    answer = await poll(imkit, Origin=FOREIGN)
    assert (answer.status_code, allowed(answer)) == (200, FOREIGN)


@pytest.mark.parametrize(
    "path", ["/socket.io/?EIO=4&transport=polling", "/rooms", "/admin/clients", "/api/v1/subscriptions.get"]
)
async def test_no_page_is_told_that_it_may_send_the_backends_key(imkit: Imkit, path: str) -> None:
    """An operator who uses that key in a browser has given it away."""
    asked = "IM-API-KEY, API_KEY, IM-CLIENT-KEY, X-Whatever"
    headers = {"Origin": FOREIGN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": asked}
    answer = await imkit.call("OPTIONS", path, headers=headers)
    names = {name.strip().lower() for name in (allowed(answer, "headers") or "").split(",")}
    assert not names & {*BACKENDS_HEADERS, "x-whatever"}


async def test_pages_may_send_what_clients_send(imkit: Imkit) -> None:
    sent = {
        "im-client-key",
        "im-authorization",
        "im-client-id",
        "im-device-id",
        "client_key",
        "authorization",
        "content-type",
    }
    headers = {
        "Origin": FOREIGN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": ", ".join(sorted(sent)),
    }
    for path in ("/me/badge", "/socket.io/?EIO=4&transport=polling"):
        answer = await imkit.call("OPTIONS", path, headers=headers)
        assert answer.is_success
        assert sent <= {name.strip().lower() for name in (allowed(answer, "headers") or "").split(",")}


# Answers


Call = Callable[[Imkit], Coroutine[Any, Any, httpx.Response]]


async def _room(imkit: Imkit) -> httpx.Response:
    await imkit.room("r", "al")
    return await imkit.as_user("al", "GET", "/rooms/r")


async def _polling_post(imkit: Imkit) -> httpx.Response:
    sid = msgspec.json.decode((await poll(imkit)).text[1:])["sid"]
    return await imkit.call("POST", f"/socket.io/?EIO=4&transport=polling&sid={sid}", b"40")


CALLS: dict[str, Call] = {
    "token": lambda imkit: imkit.as_backend("POST", "/admin/clients", {"_id": "al", "issueAccessToken": True}),
    "badge": lambda imkit: imkit.as_user("al", "GET", "/me/badge"),
    "badge_by_the_framework": lambda imkit: imkit.as_backend("GET", "/me/badge/", user="al"),
    "room": _room,
    "options": lambda imkit: imkit.call("OPTIONS", "/rooms"),
    "unknown_token": lambda imkit: imkit.call("GET", "/me/badge", headers={"IM-Authorization": "x"}),
    "bad_path": lambda imkit: imkit.call("GET", "/rooms/%ff"),
    "no_path": lambda imkit: imkit.call("GET", "/nowhere"),
    "bad_method": lambda imkit: imkit.call("PATCH", "/rooms"),
    "too_large": lambda imkit: imkit.call("POST", "/rooms", b"x" * 100_000, {"IM-API-KEY": API_KEY}),
    "rocketchat": lambda imkit: Rocketchat(imkit).get("al", "subscriptions.get"),
    "rocketchat_stranger": lambda imkit: imkit.call("GET", "/api/v1/subscriptions.get"),
    "tencent": lambda imkit: ServerApi(imkit).call("openim/get_c2c_unread_msg_num", {"To_Account": "al"}),
    "tencent_stranger": lambda imkit: imkit.call("POST", "/v4/openim/get_c2c_unread_msg_num", {"To_Account": "al"}),
    "callback": lambda imkit: Tencent(imkit).send(*told.direct_sent("bo", "al", 1)),
    "callback_of_a_stranger": lambda imkit: imkit.call("POST", "/tencent/callbacks", {}),
    "metrics": lambda imkit: imkit.call("GET", "/metrics"),
    "ready": lambda imkit: imkit.call("GET", "/readyz"),
    "polling": lambda imkit: poll(imkit),
    "polling_refused": lambda imkit: imkit.call("GET", "/socket.io/?EIO=4&transport=polling&j=1"),
    "polling_of_an_old_client": lambda imkit: imkit.call("GET", "/socket.io/?EIO=3&transport=polling"),
    "polling_post": _polling_post,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_no_answer_is_kept_by_a_cache_or_taken_for_a_page(imkit: Imkit, call: Call) -> None:
    """Badges, rooms, tokens, and refusals of all of them, in every dialect. Each header once."""
    answer = await call(imkit)
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]

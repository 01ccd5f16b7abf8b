"""Access: every operation without a key, with a wrong one, with another app's, and the order of the
checks.
"""

from typing import Any

import httpx
import pytest

from readstate.dialects.imkit.api import HANDLERS
from readstate.dialects.imkit.operation import Access
from readstate.settings import Settings
from readstate.store.apps import AppRegistry, NewApp
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, refusal, result

BAD_TOKEN = refusal(401, "Unauthorized", "INVALID_TOKEN", "Invalid or expired token")
NO_TOKEN = refusal(
    401,
    "Unauthorized",
    "INVALID_TOKEN",
    "No token was sent: clients send IM-CLIENT-KEY and IM-Authorization with the user's token, backends IM-API-KEY",
)
BAD_API_KEY = refusal(401, "Unauthorized", "INVALID_API_KEY", "Invalid or missing API key")
NO_API_KEY = refusal(
    401, "Unauthorized", "INVALID_API_KEY", "This call is for backends: send the API key in IM-API-KEY"
)
BAD_CLIENT_KEY = refusal(403, "Forbidden", "INVALID_CLIENT_KEY", "Invalid or missing client key")
NO_CLIENT_KEY = refusal(403, "Forbidden", "INVALID_CLIENT_KEY", "No client key was sent: send it in IM-CLIENT-KEY")
STRANGER = refusal(403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room")
NOT_FOUND = refusal(
    404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
)
NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")
NO_CLIENT = refusal(404, "Not Found", "CLIENT_NOT_FOUND", "Client not found")
NO_TOKEN_OF_THAT_USER = refusal(404, "Not Found", "TOKEN_NOT_FOUND", "Token not found")

# operation -> method, path, a body that would be right in a world where room r, user al and message
# m1 are
CALLS: dict[str, tuple[str, str, Any]] = {
    "mark_read": ("PUT", "/rooms/r/lastRead", {"message": "m1"}),
    "mark_read_many": ("PUT", "/me/lastReads", {"items": [{"room": "r", "message": "m1"}]}),
    "badge": ("GET", "/me/badge", None),
    "changes": ("GET", "/me/readState", None),
    "badges_by_tags": ("POST", "/badges/byRoomTags", {}),
    "badges": ("POST", "/badges", {"clients": ["al"]}),
    "rooms": ("GET", "/rooms", None),
    "room_ids": ("GET", "/rooms/ids", None),
    "room": ("GET", "/rooms/r", None),
    "count_messages": ("GET", "/rooms/r/count?timeInMS=1", None),
    "create_room": ("POST", "/rooms", {}),
    "create_and_join": ("POST", "/rooms/createAndJoin", {}),
    "update_room": ("PUT", "/rooms/r", {"name": "x"}),
    "delete_room": ("DELETE", "/rooms/r", None),
    "join": ("POST", "/rooms/r/join", None),
    "add_members": ("POST", "/rooms/r/members", {"invitees": ["bo"]}),
    "remove_members": ("POST", "/rooms/r/delete/members", {"members": ["al"]}),
    "add_member": ("POST", "/rooms/r/members/bo", None),
    "remove_member": ("DELETE", "/rooms/r/members/al", None),
    "member": ("GET", "/rooms/r/members/al", None),
    "receipts": ("GET", "/rooms/r/messages/m1/receipts", None),
    "receipt_counts": ("GET", "/rooms/r/receipts?messages=m1", None),
    "send": ("POST", "/rooms/r/message", {"message": "x"}),
    "post": ("POST", "/messages", {"room": "r", "sender": "al"}),
    "post_batch": ("POST", "/messages/batch", {"messages": [{"room": "r", "sender": "al"}]}),
    "delete_message": ("DELETE", "/rooms/r/messages/m1", None),
    "delete_messages": ("DELETE", "/rooms/r/messages?before=m1", None),
    "me": ("GET", "/me", None),
    "logout": ("POST", "/me/logout", None),
    "upsert_user": ("POST", "/admin/clients", {"_id": "al"}),
    "upsert_users": ("POST", "/admin/clients/list", {"data": [{"_id": "al"}]}),
    "bind_token": ("PUT", "/admin/clients/al/token", {"token": "the-custom-token", "expirationDate": "2099-01-01"}),
    "revoke_tokens": ("DELETE", "/admin/clients/al/token", None),
    "people": ("GET", "/admin/people", None),
    "person": ("GET", "/admin/people/al", None),
    "export_person": ("GET", "/admin/people/al/export", None),
    "erase_person": ("DELETE", "/admin/people/al", None),
    "traces_of_person": ("GET", "/admin/people/al/traces", None),
}
WHO: dict[str, Access] = {handler.opt["operation"].name: handler.opt["operation"].access for handler in HANDLERS}
BACKEND_ONLY = [name for name, who in WHO.items() if who is Access.BACKEND]
FOR_USERS = [name for name, who in WHO.items() if who in (Access.CLIENT, Access.EITHER)]


def test_every_operation_is_in_the_matrix() -> None:
    assert set(CALLS) == set(WHO)


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    await imkit.room("r", "al", owner="al")
    await imkit.post("r", "bo", "m1")
    await imkit.sign_in("al")
    return imkit


async def call(imkit: Imkit, operation: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    method, path, usual = CALLS[operation]
    return await imkit.call(method, path, body or usual, headers)


async def refused(imkit: Imkit, operation: str, headers: dict[str, str], body: Any = None) -> bytes:
    """The answer to a call that changes nothing."""
    before = await imkit.everything()
    answer = await call(imkit, operation, headers, body)
    assert await imkit.everything() == before
    return answer.content


@pytest.mark.parametrize("operation", FOR_USERS)
async def test_calls_of_users_need_a_token_and_then_a_client_key(al: Imkit, operation: str) -> None:
    """401 for the token comes before 403 for the client key. Both come before the body is read."""
    token, nonsense = al.tokens["al"], b"not json"
    assert await refused(al, operation, {}, nonsense) == NO_TOKEN
    assert await refused(al, operation, {"IM-CLIENT-KEY": CLIENT_KEY}, nonsense) == NO_TOKEN
    assert (
        await refused(al, operation, {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token + "x"}, nonsense)
        == BAD_TOKEN
    )
    assert await refused(al, operation, {"IM-CLIENT-KEY": "wrong", "IM-Authorization": "wrong"}, nonsense) == BAD_TOKEN
    assert await refused(al, operation, {"IM-Authorization": token}, nonsense) == NO_CLIENT_KEY
    assert (
        await refused(al, operation, {"IM-CLIENT-KEY": "wrong", "IM-Authorization": token}, nonsense) == BAD_CLIENT_KEY
    )
    assert await refused(al, operation, {"IM-API-KEY": "wrong", "IM-CLIENT-ID": "al"}, nonsense) == BAD_API_KEY
    assert (
        await refused(al, operation, {"IM-API-KEY": API_KEY, "IM-CLIENT-KEY": "wrong", "IM-CLIENT-ID": "al"}, nonsense)
        == BAD_CLIENT_KEY
    )


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer  ", ""])
@pytest.mark.parametrize("name", ["Authorization", "IM-Authorization"])
async def test_who_sends_no_token_is_told_which_headers_to_send(al: Imkit, name: str, header: str) -> None:
    """Without a token there is none that could have expired."""
    assert await refused(al, "badge", {"IM-CLIENT-KEY": CLIENT_KEY, name: header}) == NO_TOKEN


async def test_badges_of_several_need_the_client_key_and_a_good_token_or_the_backend_s_key(
    al: Imkit, other: NewApp
) -> None:
    mine, foreign = {"tokens": [al.tokens["al"]]}, {"IM-CLIENT-KEY": other.client_key}
    assert await refused(al, "badges", {}, mine) == NO_CLIENT_KEY
    assert await refused(al, "badges", {"IM-CLIENT-KEY": "wrong"}, mine) == BAD_CLIENT_KEY
    assert await refused(al, "badges", foreign, mine) == BAD_TOKEN
    assert await refused(al, "badges", {"IM-API-KEY": other.api_key}, mine) == BAD_TOKEN
    assert await refused(al, "badges", {"IM-CLIENT-KEY": CLIENT_KEY}, {"tokens": [al.tokens["al"] + "x"]}) == BAD_TOKEN
    assert await refused(al, "badges", {"IM-API-KEY": "wrong"}) == BAD_API_KEY
    # Naming other users needs the backend's key, whatever token comes with it.
    said = refusal(401, "Unauthorized", "INVALID_API_KEY", "clients is for backends: send IM-API-KEY, or give tokens")
    for token in ({}, {"IM-Authorization": al.tokens["al"]}):
        assert await refused(al, "badges", {"IM-CLIENT-KEY": CLIENT_KEY, **token}) == said
    revoked = al.tokens["al"]
    await al.as_backend("DELETE", "/admin/clients/al/token", {"token": revoked})
    assert await refused(al, "badges", {"IM-CLIENT-KEY": CLIENT_KEY}, {"tokens": [revoked]}) == BAD_TOKEN


@pytest.mark.parametrize("operation", BACKEND_ONLY)
async def test_calls_of_the_backend_need_its_key(al: Imkit, operation: str) -> None:
    nonsense = b"not json"
    assert await refused(al, operation, {}, nonsense) == NO_API_KEY
    assert await refused(al, operation, {"IM-API-KEY": "wrong"}, nonsense) == BAD_API_KEY
    assert await refused(al, operation, {"IM-API-KEY": ""}, nonsense) == NO_API_KEY
    assert (
        await refused(al, operation, {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}, nonsense)
        == NO_API_KEY
    )
    assert await refused(al, operation, {"IM-API-KEY": API_KEY, "IM-CLIENT-KEY": "wrong"}, nonsense) == BAD_CLIENT_KEY


@pytest.mark.parametrize("operation", [name for name, who in WHO.items() if who is Access.CLIENT])
async def test_the_backend_names_a_user_for_calls_of_users(al: Imkit, operation: str) -> None:
    missing = refusal(400, "Bad Request", "MISSING_PARAMETER", "IM-CLIENT-ID is required with IM-API-KEY")
    assert await refused(al, operation, {"IM-API-KEY": API_KEY}) == missing


async def test_logging_out_is_for_tokens(al: Imkit) -> None:
    said = "A token ends by the call that carries it: send it in IM-Authorization, without IM-API-KEY"
    expected = refusal(401, "Unauthorized", "INVALID_TOKEN", said)
    assert await refused(al, "logout", {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al"}) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": "{}"},
        {"Im-Client-Key": CLIENT_KEY, "im-authorization": "Bearer {}"},
        {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": "bearer {}", "IM-CLIENT-ID": "somebody-else"},
        {"CLIENT_KEY": CLIENT_KEY, "IM-Authorization": "{}"},
        {"CLIENT_KEY": CLIENT_KEY, "Authorization": "{}"},
        {"CLIENT_KEY": "old", "IM-CLIENT-KEY": CLIENT_KEY, "Authorization": "old", "IM-Authorization": "{}"},
        {"API_KEY": API_KEY, "IM-CLIENT-ID": "al"},
        {"IM-API-KEY": API_KEY, "IM-CLIENT-KEY": CLIENT_KEY, "IM-CLIENT-ID": "a%6C"},
    ],
)
async def test_the_names_of_headers(al: Imkit, headers: dict[str, str]) -> None:
    """Keys and tokens of today's clients and of older ones, with and without Bearer.

    With a token, IM-CLIENT-ID means nothing.
    """
    answer = await call(al, "me", {name: value.format(al.tokens["al"]) for name, value in headers.items()})
    assert result(answer)["_id"] == "al"


@pytest.fixture
async def other(al: Imkit, settings: Settings) -> NewApp:
    """A second app without users. The service has heard of it."""
    added = await AppRegistry(al.executor, client_key=settings.client_key, api_key=settings.api_key).add("other")
    await al.services.apps.refresh()
    return added


# What another app's backend, in the name of its own al, is told about our room r, message m1 and
# user al.
FOREIGN: dict[str, bytes] = {
    "mark_read": NOT_FOUND,
    "room": NO_ROOM,
    "receipts": NO_ROOM,
    "receipt_counts": NO_ROOM,
    "count_messages": NO_ROOM,
    "add_member": NO_ROOM,
    "remove_member": NO_ROOM,
    "member": NO_ROOM,
    "update_room": NO_ROOM,
    "delete_room": NO_ROOM,
    "join": NO_ROOM,
    "add_members": NO_ROOM,
    "remove_members": NO_ROOM,
    "send": STRANGER,
    "post": NO_ROOM,
    "delete_message": NO_ROOM,
    "me": NO_CLIENT,
    "bind_token": NO_CLIENT,
    "revoke_tokens": NO_CLIENT,
}


@pytest.mark.parametrize("operation", FOREIGN)
async def test_another_app_finds_nothing(al: Imkit, other: NewApp, operation: str) -> None:
    assert await refused(al, operation, {"IM-API-KEY": other.api_key, "IM-CLIENT-ID": "al"}) == FOREIGN[operation]


@pytest.mark.parametrize("operation", FOR_USERS)
async def test_tokens_and_keys_of_two_apps_do_not_go_together(al: Imkit, other: NewApp, operation: str) -> None:
    """With the other app's client key our token is void. The other app's token is void here."""
    backend = {"IM-API-KEY": other.api_key}
    foreign = result(await al.call("POST", "/admin/clients", {"_id": "al", "issueAccessToken": True}, backend))["token"]
    assert (
        await refused(al, operation, {"IM-CLIENT-KEY": other.client_key, "IM-Authorization": al.tokens["al"]})
        == BAD_TOKEN
    )
    assert await refused(al, operation, {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": foreign}) == BAD_TOKEN
    assert (
        await refused(al, operation, {"IM-API-KEY": API_KEY, "IM-CLIENT-KEY": other.client_key, "IM-CLIENT-ID": "al"})
        == BAD_CLIENT_KEY
    )


async def test_another_app_counts_its_own(al: Imkit, other: NewApp) -> None:
    """The same ids in two apps are two rooms, two users, two badges and two tokens."""
    backend = {"IM-API-KEY": other.api_key, "IM-CLIENT-ID": "al"}
    assert result(await call(al, "rooms", backend)) == {"totalCount": 0, "data": []}
    assert result(await call(al, "create_room", backend, {"_id": "r", "members": ["al"]}))["appID"] == "other"
    assert result(await call(al, "badge", backend)) == {"badge": 0}
    assert result(await call(al, "badges_by_tags", backend)) == {"totalBadge": 0, "data": {}}
    assert result(await call(al, "badges", backend)) == {"data": [{"client": "al", "badge": 0}], "totalBadge": 0}
    assert result(await call(al, "room_ids", backend)) == {"totalCount": 1, "data": ["r"]}
    assert result(await call(al, "delete_room", backend)) == {"n": 1, "ok": 1}
    assert await al.badge("al") == 1


async def test_a_token_is_revoked_only_for_its_own_user_and_app(al: Imkit, other: NewApp) -> None:
    await al.sign_in("bo")
    await al.call("POST", "/admin/clients", {"_id": "al"}, {"IM-API-KEY": other.api_key})
    wrong = {"token": al.tokens["al"]}
    for path, key in (("/admin/clients/al/token", other.api_key), ("/admin/clients/bo/token", API_KEY)):
        answer = await al.call("DELETE", path, wrong, {"IM-API-KEY": key})
        assert answer.content == NO_TOKEN_OF_THAT_USER
    assert await al.badge("al") == 1


async def test_apps_come_and_go_while_the_service_runs(al: Imkit, other: NewApp, settings: Settings) -> None:
    """Rotating voids the app's API key and no token; removing voids its client key."""
    apps, running = (
        AppRegistry(al.executor, client_key=settings.client_key, api_key=settings.api_key),
        al.services.apps,
    )
    backend = {"IM-API-KEY": other.api_key}
    token = result(await al.call("POST", "/admin/clients", {"_id": "al", "issueAccessToken": True}, backend))["token"]
    user = {"IM-CLIENT-KEY": other.client_key, "IM-Authorization": token}
    assert result(await call(al, "me", user))["appID"] == "other"
    rotated = await apps.rotate("other")
    await running.refresh()
    assert result(await call(al, "me", user))["appID"] == "other"
    assert (await call(al, "create_room", backend)).content == BAD_API_KEY
    assert rotated.client_key == other.client_key
    assert result(await call(al, "me", {"IM-API-KEY": rotated.api_key, "IM-CLIENT-ID": "al"}))["appID"] == "other"
    await apps.remove("other")
    await running.refresh()
    assert (await call(al, "create_room", {"IM-API-KEY": rotated.api_key})).content == BAD_API_KEY
    assert (await call(al, "me", user)).content == BAD_TOKEN


async def test_browsers_may_call_from_anywhere(al: Imkit) -> None:
    """The preflight that a browser sends for the SDK's headers."""
    asked = {
        "Origin": "https://chat.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "im-client-key",
    }
    answer = await al.call("OPTIONS", "/rooms/r/lastRead", None, asked)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "im-authorization" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    answer = await al.call("GET", "/me/badge", None, {"Origin": "https://chat.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "*")

"""Every documented answer, byte for byte.

Times, fresh ids and tokens are replaced by names. All else is compared as sent.
"""

import re
import time
from typing import Any

import httpx
import pytest

from tests.support.imkit import CLIENT_KEY, Imkit, result

_VARIES = (
    (re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'), '"ISO"'),
    (re.compile(r"(?<=MS\":)\d{13}\b"), "MS"),
    (re.compile(r'"[0-9a-f]{24}"'), '"HEX24"'),
    (re.compile(r'"eyJ[\w-]+\.[\w-]+\.[\w-]+"'), '"JWT"'),
)


def seen(answer: httpx.Response) -> str:
    """Status and body of an answer, with names for what differs from run to run."""
    text = answer.text
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return f"{answer.status_code} {text}"


def ok(result: str) -> str:
    return f'200 {{"RC":0,"RM":"OK","result":{result}}}'


def ref(user: str, nickname: str = "") -> str:
    return f'{{"_id":"{user}","id":"{user}","nickname":"{nickname}","avatarUrl":"","description":"","isRobot":false}}'


TIMES = '"messageTime":"ISO","messageTimeMS":MS,"createdAtMS":MS'
ROOM = '"_id":"r","id":"r","appID":"default","roomTags":["work"],"status":1,"createdTime":"ISO","createdTimeMS":MS'
LAST = f'"lastMessage":{{"_id":"m1","id":"m1","appID":"default","room":"r","sender":{ref("bo")},{TIMES}}}'
NO_TOKEN = '401 {"RC":401,"RM":"Unauthorized","error":{"code":"INVALID_TOKEN","message":"Invalid or expired token"}}'


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al owns room r, tagged work, and is its only member. Bo has posted m1 without being in it."""
    await imkit.room("r", "al", tags=("work",), name="Room", owner="al")
    await imkit.post("r", "bo", "m1")
    await imkit.sign_in("al")
    return imkit


async def test_last_read(al: Imkit) -> None:
    answer = await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"})
    assert seen(answer) == ok('{"client":"al","lastRead":"m1","badge":0,"unread":0}')
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_an_older_message_answers_the_newer_cursor(al: Imkit) -> None:
    await al.post("r", "bo", "m2")
    await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m2"})
    answer = await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"})
    assert seen(answer) == ok('{"client":"al","lastRead":"m2","badge":0,"unread":0}')


async def test_badge(al: Imkit) -> None:
    assert seen(await al.as_user("al", "GET", "/me/badge")) == ok('{"badge":1}')
    assert seen(await al.as_user("al", "GET", "/me/badge?roomTags=work&roomTags=home")) == ok('{"badge":0}')
    assert seen(await al.as_user("al", "GET", "/me/badge?roomTags[]=work&roomTags=work")) == ok('{"badge":1}')


async def test_badges_by_room_tags(al: Imkit) -> None:
    assert seen(await al.as_user("al", "POST", "/badges/byRoomTags", {"tags": ["work", "x", "x"]})) == ok(
        '{"totalBadge":1,"data":{"work":1,"x":0}}'
    )


@pytest.mark.parametrize("body", [None, {}, {"tags": None}, {"tags": []}])
async def test_badges_of_all_tags(al: Imkit, body: object) -> None:
    assert seen(await al.as_user("al", "POST", "/badges/byRoomTags/", body)) == ok('{"totalBadge":1,"data":{"work":1}}')


async def test_room(al: Imkit) -> None:
    expected = (
        f'{{"roomType":"group","name":"Room","owner":"al",{ROOM},"members":[{ref("al", "Al")}],'
        f'"memberProperties":[{{"client":"al","badge":1}}],{LAST},"unread":1,"isSuperuser":true}}'
    )
    assert seen(await al.as_user("al", "GET", "/rooms/r")) == ok(expected)
    assert seen(await al.as_backend("GET", "/rooms/r")) == ok(expected.replace(',"unread":1,"isSuperuser":true', ""))


async def test_rooms(al: Imkit) -> None:
    room = (
        f'{{"roomType":"group","name":"Room","owner":"al",{ROOM},"members":[{ref("al", "Al")}],{LAST},'
        '"unread":1,"isSuperuser":true}'
    )
    assert seen(await al.as_user("al", "GET", "/rooms")) == ok(f'{{"totalCount":1,"data":[{room}]}}')


async def test_rooms_with_what_badges_need(al: Imkit) -> None:
    room = '{"_id":"r","unread":1,"roomTags":["work"],"joinedAtMS":MS,"lastMessage":{"_id":"m1","messageTimeMS":MS}}'
    assert seen(await al.as_user("al", "GET", "/rooms?fields=unread")) == ok(f'{{"totalCount":1,"data":[{room}]}}')
    await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"})
    room = '{"_id":"r","unread":0,"roomTags":["work"],"lastRead":"m1","lastMessage":{"_id":"m1","messageTimeMS":MS}}'
    assert seen(await al.as_user("al", "GET", "/rooms?fields=unread")) == ok(f'{{"totalCount":1,"data":[{room}]}}')


async def test_room_ids(al: Imkit) -> None:
    await al.room("newer", "al")
    await al.room("frozen", "al")
    await al.as_backend("PUT", "/rooms/frozen", {"status": 0})
    await al.post("newer", "bo", "n1")
    assert seen(await al.as_user("al", "GET", "/rooms/ids")) == ok('{"totalCount":2,"data":["newer","r"]}')
    assert seen(await al.as_user("al", "GET", "/rooms/ids?limit=1")) == ok('{"totalCount":2,"data":["newer"]}')


async def test_changes(al: Imkit) -> None:
    room = '{"_id":"r","unread":1,"roomTags":["work"],"joinedAtMS":MS,"lastMessage":{"_id":"m1","messageTimeMS":MS}}'
    version = result(first := await al.as_user("al", "GET", "/me/readState"))["version"]
    head = f'{{"version":"{version}","badge":1,"snapshot":'
    assert seen(first) == ok(f'{head}true,"more":false,"rooms":[{room}],"removed":[]}}')
    again = await al.as_user("al", "GET", f"/me/readState?since={version}")
    assert seen(again) == ok(f'{head}false,"more":false,"rooms":[],"removed":[]}}')


async def test_count_of_messages(al: Imkit) -> None:
    at_ms = (await al.as_user("al", "GET", "/rooms/r")).json()["result"]["lastMessage"]["messageTimeMS"]
    for query, count in (("", 1), ("?timeInMS=0", 1), (f"?timeInMS={at_ms - 1}", 1), (f"?timeInMS={at_ms}", 0)):
        assert seen(await al.as_user("al", "GET", f"/rooms/r/count{query}")) == ok(f'{{"count":{count}}}')
        assert seen(await al.as_backend("GET", f"/rooms/r/count{query}")) == ok(f'{{"count":{count}}}')


async def test_one_member(al: Imkit) -> None:
    """Before the first read of a member, the answer says when they joined."""
    assert seen(await al.as_user("al", "GET", "/rooms/r/members/al")) == ok(
        '{"client":"al","badge":1,"joinedAt":"ISO"}'
    )
    await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"})
    await al.post("r", "bo", "m2")
    assert seen(await al.as_backend("GET", "/rooms/r/members/al")) == ok('{"client":"al","badge":1,"lastRead":"m1"}')


async def test_one_member_comes_and_goes(al: Imkit) -> None:
    await al.sign_in("bo")
    room = (await al.as_user("al", "POST", "/rooms/r/members/bo", {})).json()["result"]
    assert {member["_id"] for member in room["members"]} == {"al", "bo"}
    again = await al.as_user("al", "POST", "/rooms/r/members/bo")
    assert len(again.json()["result"]["members"]) == 2
    left = (await al.as_user("al", "DELETE", "/rooms/r/members/bo", {})).json()["result"]
    assert [member["_id"] for member in left["members"]] == ["al"]


async def test_badges_of_several(al: Imkit) -> None:
    """A backend names users by id, a client by token. Unknown users have 0."""
    await al.sign_in("bo")
    answer = await al.as_backend("POST", "/badges/", {"clients": ["al", "nobody", "al", "bo"]})
    expected = (
        '{"data":[{"client":"al","badge":1},{"client":"nobody","badge":0},{"client":"bo","badge":0}],"totalBadge":1}'
    )
    assert seen(answer) == ok(expected)
    body = {"tokens": [al.tokens["bo"], al.tokens["al"], "no-token-of-anybody", al.tokens["al"]]}
    expected = ok('{"data":[{"client":"bo","badge":0},{"client":"al","badge":1}],"totalBadge":1}')
    assert seen(await al.call("POST", "/badges/", body, {"IM-CLIENT-KEY": CLIENT_KEY})) == expected
    assert seen(await al.as_backend("POST", "/badges", body)) == expected
    assert (
        seen(await al.call("POST", "/badges/", {"tokens": ["no-token-of-anybody"]}, {"IM-CLIENT-KEY": CLIENT_KEY}))
        == NO_TOKEN
    )


async def test_a_room_created_by_the_backend_lists_members_by_id(imkit: Imkit) -> None:
    answer = await imkit.as_backend(
        "POST", "/rooms/", {"_id": "r", "members": ["al", "al"], "roomTags": ["work"], "name": "Room"}
    )
    expected = (
        f'{{"roomType":"group","name":"Room",{ROOM},"members":["al"],'
        '"memberProperties":[{"client":"al","badge":0}],"created":true}'
    )
    assert seen(answer) == ok(expected)
    answer = await imkit.as_backend("POST", "/rooms/", {"_id": "r", "members": ["al"]})
    assert seen(answer) == ok(expected.replace('"created":true', '"created":false'))


async def test_create_and_join(imkit: Imkit) -> None:
    answer = await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"_id": "r", "roomTags": ["work"]})
    expected = (
        f'{{"roomType":"group","owner":"al",{ROOM},"members":[{ref("al", "Al")}],'
        '"memberProperties":[{"client":"al","badge":0}],"unread":0,"isSuperuser":true}'
    )
    assert seen(answer) == ok(expected)


async def test_me(al: Imkit) -> None:
    expected = (
        '{"nickname":"Al","avatarUrl":"","description":"","isRobot":false,'
        '"_id":"al","id":"al","appID":"default","mute":[],"updatedAt":"ISO"}'
    )
    assert seen(await al.as_user("al", "GET", "/me")) == ok(expected)


async def test_create_a_user_with_a_token(imkit: Imkit) -> None:
    answer = await imkit.as_backend("POST", "/admin/clients", {"_id": "al", "issueAccessToken": True, "level": 7})
    expected = (
        '{"nickname":"","avatarUrl":"","description":"","isRobot":false,"level":7,'
        '"_id":"al","id":"al","appID":"default","mute":[],"updatedAt":"ISO","token":"JWT","expirationDate":"ISO"}'
    )
    assert seen(answer) == ok(expected)


async def test_create_several_users(imkit: Imkit) -> None:
    answer = await imkit.as_backend(
        "POST", "/admin/clients/list", {"data": [{"_id": "al", "nickname": "Al", "avatarUrl": "u"}]}
    )
    expected = (
        '{"nickname":"Al","avatarUrl":"u","description":"","isRobot":false,'
        '"_id":"al","id":"al","appID":"default","mute":[],"updatedAt":"ISO"}'
    )
    assert seen(answer) == ok(f'{{"totalCount":1,"data":[{expected}]}}')


async def test_bind_and_revoke_a_custom_token(al: Imkit) -> None:
    bound = await al.as_backend(
        "PUT", "/admin/clients/al/token", {"token": "the-custom-token", "expirationDate": "2099-01-01T00:00:00Z"}
    )
    assert bound.json()["result"] == {
        "token": "the-custom-token",
        "client": "al",
        "expirationDate": "2099-01-01T00:00:00.000Z",
        "expirationDateMS": 4070908800000,
    }
    revoked = await al.as_backend("DELETE", "/admin/clients/al/token", {"token": "the-custom-token"})
    assert seen(revoked) == ok(
        '{"data":[{"token":"the-custom-token","createdAt":"ISO","updatedAt":"ISO","expirationDate":"ISO","expirationDateMS":MS}]}'
    )


@pytest.mark.parametrize(("method", "path"), [("POST", "/admin/clients"), ("PUT", "/admin/clients/al/token")])
async def test_a_custom_token_without_a_date_lives_as_long_as_an_issued_one(al: Imkit, method: str, path: str) -> None:
    """The JavaScript library sends no date."""
    await al.as_backend(method, path, {"_id": "al", "token": "the-custom-token"})
    (bound,) = [one for one in await ended(al) if one["token"] == "the-custom-token"]
    assert 0 <= bound["expirationDateMS"] - (int(time.time()) + 7 * 86_400) * 1000 + 60_000 <= 60_000


async def ended(imkit: Imkit) -> list[dict[str, Any]]:
    """The custom token of al, revoked."""
    answer = await imkit.as_backend("DELETE", "/admin/clients/al/token", {"token": "the-custom-token"})
    tokens: list[dict[str, Any]] = result(answer)["data"]
    return tokens


async def test_revoking_all_tokens_names_the_issued_ones(al: Imkit) -> None:
    answer = await al.as_backend("DELETE", "/admin/clients/al/token")
    assert [one["token"] for one in answer.json()["result"]["data"]] == [al.tokens["al"]]


async def test_a_message_of_the_backend(al: Imkit) -> None:
    given = {"room": "r", "sender": "bo", "message": "hi", "messageType": "text", "push": True, "mentions": ["al"]}
    answer = await al.as_backend("POST", "/messages", given)
    expected = (
        '{"messageType":"text","message":"hi","mentions":["al"],"_id":"HEX24","id":"HEX24","appID":"default","room":"r",'
        f'"sender":"bo",{TIMES},"updatedAtMS":MS,"created":true}}'
    )
    assert seen(answer) == ok(expected)


async def test_a_message_of_the_backend_that_was_there(al: Imkit) -> None:
    answer = await al.as_backend(
        "POST", "/messages", {"_id": "m1", "room": "r", "sender": "zoe", "message": "another text"}
    )
    assert seen(answer) == ok(
        f'{{"_id":"m1","id":"m1","appID":"default","room":"r","sender":"bo",{TIMES},"created":false}}'
    )


async def test_a_message_that_the_backend_recalls(al: Imkit) -> None:
    answer = await al.as_backend(
        "POST", "/messages", {"_id": "m1", "room": "r", "sender": "zoe", "messageType": "recall"}
    )
    expected = (
        f'"messageType":"recall","message":"","_id":"m1","id":"m1","appID":"default","room":"r","sender":"bo",{TIMES},'
    )
    assert seen(answer) == ok(f'{{{expected}"updatedAtMS":MS,"created":false}}')


async def test_a_message_of_a_member(al: Imkit) -> None:
    answer = await al.as_user("al", "POST", "/rooms/r/message", {"message": {"text": "hi"}, "messageType": "flex"})
    expected = (
        '{"messageType":"flex","message":{"text":"hi"},"_id":"HEX24","id":"HEX24","appID":"default","room":"r",'
        f'"sender":{ref("al", "Al")},{TIMES},"updatedAtMS":MS}}'
    )
    assert seen(answer) == ok(expected)


async def test_a_recalled_message_has_no_text(al: Imkit) -> None:
    await al.post("r", "al", "mine")
    answer = await al.as_user(
        "al", "POST", "/rooms/r/message", {"_id": "mine", "messageType": "recall", "message": "gone"}
    )
    expected = (
        '{"messageType":"recall","message":"","_id":"mine","id":"mine","appID":"default","room":"r",'
        f'"sender":{ref("al", "Al")},{TIMES},'
    )
    assert seen(answer) == ok(expected + '"updatedAtMS":MS}')


POSTED = '{"RC":0,"RM":"OK","result":{"_id":"b1","id":"b1","room":"r","sender":"bo","messageTimeMS":MS,"created":true}}'
STORED = POSTED.replace("true", "false")
UNKNOWN = '{"RC":404,"RM":"Room not found","error":{"code":"ROOM_NOT_FOUND","message":"Room not found"}}'
MISSING = '{"RC":400,"RM":"Bad Request","error":{"code":"MISSING_PARAMETER","message":"sender is required"}}'


async def test_a_batch_answers_each_message_on_its_own(al: Imkit) -> None:
    items = [
        {"_id": "b1", "room": "r", "sender": "bo"},
        {"_id": "b1", "room": "r", "sender": "zoe"},
        {"room": "no", "sender": None},
        {"room": "r"},
    ]
    answer = await al.as_backend("POST", "/messages/batch", {"messages": items})
    assert seen(answer) == ok(f'{{"batchID":"HEX24","count":2,"results":[{POSTED},{STORED},{UNKNOWN},{MISSING}]}}')
    answer = await al.as_backend("POST", "/messages/batch", {"messages": items[2:]})
    error = (
        '"code":"INVALID_BODY","message":"None of the messages was taken; the first that was refused: Room not found"'
    )
    result = f'{{"batchID":"HEX24","count":0,"results":[{UNKNOWN},{MISSING}]}}'
    assert seen(answer) == f'400 {{"RC":400,"RM":"Bad Request","error":{{{error}}},"result":{result}}}'


async def test_delete_messages(al: Imkit) -> None:
    answer = await al.as_user("al", "DELETE", "/rooms/r/messages/m1")
    assert seen(answer) == ok('{"deletedCount":1,"roomID":"r","messageID":"m1","deletedBy":"al","deletedAt":"ISO"}')
    answer = await al.as_backend("DELETE", "/rooms/r/messages/_all")
    assert seen(answer) == ok('{"deletedCount":0,"roomID":"r","messageID":"_all","deletedBy":"","deletedAt":"ISO"}')


async def test_delete_messages_before_one(al: Imkit) -> None:
    await al.post("r", "bo", "m2")
    answer = await al.as_backend("DELETE", "/rooms/r/messages?before=m2")
    assert seen(answer) == ok(
        '{"deletedCount":1,"roomID":"r","messageID":"_before","deletedBy":"","deletedAt":"ISO","before":"m2"}'
    )
    answer = await al.as_backend("DELETE", f"/rooms/r/messages?before={time.time_ns() // 1_000_000 + 3_600_000}")
    assert seen(answer) == ok('{"deletedCount":1,"roomID":"r","messageID":"_all","deletedBy":"","deletedAt":"ISO"}')


async def test_delete_a_room(al: Imkit) -> None:
    assert seen(await al.as_user("al", "DELETE", "/rooms/r")) == ok('{"n":1,"ok":1}')


async def test_logout(al: Imkit) -> None:
    assert seen(await al.as_user("al", "POST", "/me/logout")) == ok("{}")
    assert seen(await al.as_user("al", "GET", "/me/badge")) == NO_TOKEN


_NOT_FOUND = (
    '404 {"RC":404,"RM":"Not Found","error":{"code":"ROOM_NOT_FOUND","message":"Room or message not found: %s"}}'
)
NO_ROOM_TO_READ = _NOT_FOUND % "there is no such room, or you are not in it"
NO_MESSAGE_TO_READ = _NOT_FOUND % "the room has no such message, or no longer remembers it"
NO_ROOM = '404 {"RC":404,"RM":"Room not found","error":{"code":"ROOM_NOT_FOUND","message":"Room not found"}}'
NO_MESSAGE = '404 {"RC":404,"RM":"Not Found","error":{"code":"MESSAGE_NOT_FOUND","message":"Message not found"}}'
NO_MEMBER = (
    '404 {"RC":404,"RM":"Not Found","error":{"code":"CLIENT_NOT_FOUND","message":"The room has no such member"}}'
)
STRANGER = (
    '403 {"RC":403,"RM":"Forbidden","error":{"code":"NOT_ROOM_MEMBER","message":"You are not a member of this room"}}'
)
NO_MANAGER = (
    '403 {"RC":403,"RM":"Forbidden","error":{"code":"INSUFFICIENT_PERMISSIONS",'
    '"message":"Only the owner or a manager may do this"}}'
)
NO_DELETER = (
    '403 {"RC":403,"RM":"Permission denied","error":{"code":"INSUFFICIENT_PERMISSION",'
    '"message":"Only the owner or a manager may do this"}}'
)


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", "/rooms/none/lastRead", {"message": "m1"}, NO_ROOM_TO_READ),
        ("GET", "/rooms/none", None, NO_ROOM),
        ("POST", "/rooms/none/join", None, NO_ROOM),
        ("POST", "/rooms/none/members", {"invitees": ["bo"]}, NO_ROOM),
        ("POST", "/rooms/none/delete/members", {"members": ["bo"]}, NO_ROOM),
        ("PUT", "/rooms/none", {"name": "x"}, NO_ROOM),
        ("DELETE", "/rooms/none", None, NO_ROOM),
        ("DELETE", "/rooms/none/messages/m1", None, NO_ROOM),
        ("POST", "/rooms/none/message", {"message": "x"}, STRANGER),
        ("PUT", "/rooms/theirs/lastRead", {"message": "t1"}, NO_ROOM_TO_READ),
        ("GET", "/rooms/theirs", None, STRANGER),
        ("POST", "/rooms/theirs/join", None, NO_ROOM),
        ("POST", "/rooms/theirs/members", {"invitees": ["bo"]}, NO_ROOM),
        ("POST", "/rooms/theirs/delete/members", {"members": ["cy"]}, NO_ROOM),
        ("POST", "/rooms/theirs/delete/members", {"members": ["al"]}, NO_ROOM),
        ("POST", "/rooms/theirs/message", {"message": "x"}, STRANGER),
        ("POST", "/rooms/theirs/message", {"_id": "t1", "message": "x"}, STRANGER),
        ("PUT", "/rooms/theirs", {"name": "x"}, NO_ROOM),
        ("DELETE", "/rooms/theirs", None, NO_ROOM),
        ("GET", "/rooms/none/count", None, NO_ROOM),
        ("GET", "/rooms/theirs/count?timeInMS=1", None, NO_ROOM),
        ("GET", "/rooms/none/members/cy", None, NO_ROOM),
        ("GET", "/rooms/theirs/members/cy", None, NO_ROOM),
        ("GET", "/rooms/r/members/cy", None, NO_MEMBER),
        ("POST", "/rooms/theirs/members/bo", None, NO_ROOM),
        ("POST", "/rooms/ours/members/bo", None, NO_MANAGER),
        ("DELETE", "/rooms/theirs/members/cy", None, NO_ROOM),
        ("DELETE", "/rooms/theirs/members/al", None, NO_ROOM),
        ("DELETE", "/rooms/ours/members/cy", None, NO_MANAGER),
        ("DELETE", "/rooms/theirs/messages/t1", None, NO_ROOM),
        ("DELETE", "/rooms/theirs/messages/_all", None, NO_ROOM),
        ("POST", "/rooms/ours/members", {"invitees": ["bo"]}, NO_MANAGER),
        ("POST", "/rooms/ours/delete/members", {"members": ["cy"]}, NO_MANAGER),
        ("PUT", "/rooms/ours", {"name": "x"}, NO_MANAGER),
        ("DELETE", "/rooms/ours", None, NO_MANAGER),
        ("DELETE", "/rooms/ours/messages/o1", None, NO_DELETER),
        ("DELETE", "/rooms/ours/messages/_all", None, NO_DELETER),
        ("PUT", "/rooms/r/lastRead", {"message": "t1"}, NO_MESSAGE_TO_READ),
        ("PUT", "/rooms/r/lastRead", {"message": "none"}, NO_MESSAGE_TO_READ),
        ("DELETE", "/rooms/r/messages/none", None, NO_MESSAGE),
        ("POST", "/rooms/r/message", {"_id": "none", "message": "x"}, NO_MESSAGE),
        ("POST", "/rooms/r/message", {"_id": "none", "messageType": "recall"}, NO_MESSAGE),
    ],
)
async def test_refusals_of_rooms_and_messages(al: Imkit, method: str, path: str, body: object, expected: str) -> None:
    """Unknown rooms, strangers and foreign messages, as each call refuses them.

    Nothing is written.
    """
    await al.room("theirs", "cy")
    await al.post("theirs", "cy", "t1")
    await al.room("ours", "al", "cy")
    await al.post("ours", "cy", "o1")
    before = await al.everything()
    assert seen(await al.as_user("al", method, path, body)) == expected
    assert await al.everything() == before


NO_CLIENT = '404 {"RC":404,"RM":"Not Found","error":{"code":"CLIENT_NOT_FOUND","message":"Client not found"}}'
NO_SUCH_TOKEN = '404 {"RC":404,"RM":"Not Found","error":{"code":"TOKEN_NOT_FOUND","message":"Token not found"}}'
CONFLICT = (
    '409 {"RC":409,"RM":"Conflict","error":{"code":"TOKEN_CONFLICT","message":"The token belongs to another client"}}'
)
BINDING = {"token": "the-custom-token", "expirationDate": "2099-01-01T00:00:00Z"}


def bad_request(message: str, code: str = "INVALID_REQUEST") -> str:
    return f'400 {{"RC":400,"RM":"Bad Request","error":{{"code":"{code}","message":"{message}"}}}}'


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", "/admin/clients/none/token", BINDING | {"token": "custom-token-two"}, NO_CLIENT),
        ("PUT", "/admin/clients/al/token", BINDING, CONFLICT),
        ("POST", "/admin/clients", {"_id": "al", "nickname": "New", **BINDING}, CONFLICT),
        (
            "PUT",
            "/admin/clients/al/token",
            BINDING | {"expirationDate": "soon"},
            bad_request("expirationDate must be an ISO-8601 time"),
        ),
        (
            "PUT",
            "/admin/clients/al/token",
            BINDING | {"expirationDate": "2001-01-01"},
            bad_request("expirationDate must be in the future"),
        ),
        (
            "POST",
            "/admin/clients",
            BINDING | {"_id": "al", "expirationDate": ""},
            bad_request("expirationDate must be an ISO-8601 time"),
        ),
        ("POST", "/admin/clients", {"nickname": "x"}, bad_request("_id is required")),
        ("DELETE", "/admin/clients/none/token", None, NO_CLIENT),
        ("DELETE", "/admin/clients/al/token", {"token": "unknown-token"}, NO_SUCH_TOKEN),
        ("DELETE", "/admin/clients/al/token", {"token": "the-custom-token"}, NO_SUCH_TOKEN),
    ],
)
async def test_refusals_of_users_and_tokens(al: Imkit, method: str, path: str, body: object, expected: str) -> None:
    await al.as_backend("POST", "/admin/clients", {"_id": "bo", **BINDING})
    before = await al.everything()
    assert seen(await al.as_backend(method, path, body)) == expected
    assert await al.everything() == before


async def test_framework_errors_come_in_the_envelope(imkit: Imkit) -> None:
    assert (
        seen(await imkit.call("GET", "/none"))
        == '404 {"RC":404,"RM":"Not Found","error":{"code":"NOT_FOUND","message":"No such path"}}'
    )
    answer = await imkit.call("PATCH", "/me")
    assert seen(answer) == (
        '405 {"RC":405,"RM":"Method Not Allowed","error":{"code":"METHOD_NOT_ALLOWED",'
        '"message":"This path takes GET, OPTIONS"}}'
    )
    assert set(answer.headers["allow"].split(", ")) == {"GET", "OPTIONS"}

"""Whatever is sent, the answer is a clear one in IMKit's form, never a 5xx, and a refusal leaves everything as it was."""

from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from readstate.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, MAX_NESTING
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, refusal, result

READ = ("PUT", "/rooms/r/lastRead")
POST = {"room": "r", "sender": "bo", "message": "hi"}
NOT_THEN = "must be a time in Unix milliseconds, after 1973 and no more than a day ahead"
NO_MESSAGE = refusal(
    404,
    "Not Found",
    "ROOM_NOT_FOUND",
    "Room or message not found: the room has no such message, or no longer remembers it",
)
NO_ROOM_TO_READ = refusal(
    404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
)
NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")
BAD_TAGS = refusal(400, "Invalid parameters", "INVALID_TAGS", "Tags must be an array of strings")
BAD_ROOM_TAGS = refusal(400, "Invalid parameters", "INVALID_ROOM_TAGS", "Room tags must be valid strings")
BAD_PATH = refusal(
    400, "Bad Request", "INVALID_PATH", "The path must be percent-encoded UTF-8 without control characters"
)
NO_PATH = refusal(404, "Not Found", "NOT_FOUND", "No such path")


def bad_body(message: str) -> bytes:
    return refusal(400, "Bad Request", "INVALID_BODY", message)


def missing(message: str) -> bytes:
    return refusal(400, "Bad Request", "MISSING_PARAMETER", message)


def too_large(limit: int) -> bytes:
    return refusal(413, "Request Entity Too Large", "PAYLOAD_TOO_LARGE", f"The body must have at most {limit} bytes")


def escaped(message: str) -> str:
    """A message as it stands in JSON."""
    return message.replace('"', '\\"')


def bad_query(message: str) -> bytes:
    return refusal(400, "Bad Request", "INVALID_QUERY", message)


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al is in room r, where bo has posted m1."""
    await imkit.room("r", "al", "bo", tags=("work",), owner="al")
    await imkit.post("r", "bo", "m1")
    await imkit.sign_in("al")
    return imkit


async def refused(imkit: Imkit, answer: httpx.Response, before: dict[str, bytes]) -> bytes:
    """What an answer says; it is JSON, and nothing has changed."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert await imkit.everything() == before
    return answer.content


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "A JSON body is required"),
        (b"{}", "message is required"),
        (b'{"Id":"m1"}', "message is required"),
        (b'{"messageId":"m1"}', "message is required; did you write messageId for it?"),
        (b'{"msg":"m1","room":"r"}', "message is required; did you write msg for it?"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"m1"', "Expected `object`, got `str`"),
        (b"{", "JSON is malformed: it ends too early"),
        (b"not json", "JSON is malformed: invalid character (byte 4)"),
        (b'{"message": m1}', "JSON is malformed: invalid character (byte 12)"),
        (b'{"message":null}', "Expected `str`, got `null` - at `$.message`"),
        (b'{"message":""}', "Expected `str` of length >= 1 - at `$.message`"),
        (b'{"message":1}', "Expected `str`, got `int` - at `$.message`"),
        (b'{"message":true}', "Expected `str`, got `bool` - at `$.message`"),
        (b'{"message":["m1"]}', "Expected `str`, got `array` - at `$.message`"),
        (b'{"message":{"_id":"m1"}}', "Expected `str`, got `object` - at `$.message`"),
        (b'{"message":"\xff\xfe"}', "The body must be UTF-8"),
        (b'{"message":"\\ud800"}', "JSON is malformed: it ends too early"),
        (b'{"message":"m1"} {}', "JSON is malformed: trailing characters (byte 18)"),
        (b'\xef\xbb\xbf{"message":"m1"}', "JSON is malformed: invalid character (byte 0)"),
        (b'{"message":' + b"[" * 60_000, "Expected `str`, got `array` - at `$.message`"),
        (b"[" * 60_000 + b"]" * 5_000, "Expected `object`, got `array`"),
    ],
)
async def test_last_read_says_what_it_needs(al: Imkit, body: bytes, expected: str) -> None:
    """Each mistake in words of its own, over both roads."""
    for headers in ({}, {"Origin": "https://chat.example"}):
        before = await al.everything()
        headers |= {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}
        assert await refused(al, await al.call(*READ, body, headers), before) == missing(expected)


NO_ID = refusal(400, "Bad Request", "INVALID_REQUEST", "_id is required")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"data":null}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"data":[]}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}] ]', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"more":"\xff"}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"more":' + b"[" * 20_000, NO_ID),
        (
            "/rooms/r/members",
            b'{"invitees":"bo","invitees":7}',
            bad_body(escaped("Expected `array`, got `str` - at `$.invitees`; for one send [7]")),
        ),
        (
            "/rooms/r/members",
            b'{"invitees":"bo" ]',
            bad_body(escaped("Expected `array`, got `str` - at `$.invitees`; send an array, also for one")),
        ),
    ],
)
async def test_a_body_with_several_mistakes_is_refused_for_the_first(
    al: Imkit, path: str, body: bytes, expected: bytes
) -> None:
    """What stands behind it may be anything, the same name once more among it."""
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", path, body), before) == expected


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        (
            "POST",
            "/rooms/r/members",
            {"invitee": ["bo"]},
            missing("invitees is required; did you write invitee for it?"),
        ),
        (
            "POST",
            "/rooms/r/members",
            {"invitees": "bo"},
            bad_body(escaped('Expected `array`, got `str` - at `$.invitees`; for one send ["bo"]')),
        ),
        (
            "POST",
            "/rooms/r/delete/members",
            {"member": ["bo"]},
            missing("members is required; did you write member for it?"),
        ),
        (
            "POST",
            "/messages",
            {"roomID": "r", "sender": "bo"},
            missing("room is required; did you write roomID for it?"),
        ),
        ("POST", "/messages", {"sender": "bo", "message": "x"}, missing("room is required")),
        (
            "PUT",
            "/me/lastReads",
            {"items": [{"room": "r", "message": "m1"}, {"room": "r", "messageId": "m1"}]},
            bad_body("messageId is no field of this call; did you mean message? - at `$.items[1]`"),
        ),
        (
            "PUT",
            "/me/lastReads",
            {"items": [{"room": "r", "message": "m1", "mesage": "m2"}]},
            bad_body("mesage is no field of this call; did you mean message? - at `$.items[0]`"),
        ),
        ("PUT", "/me/lastReads", {"item": []}, bad_body("item is no field of this call; did you mean items?")),
        ("POST", "/badges", {"token": ["x"]}, bad_body("token is no field of this call; did you mean tokens?")),
        ("POST", "/badges", {}, missing("Give tokens, or as a backend clients, and not both")),
        (
            "POST",
            "/badges",
            {"clients": ["al"], "tokens": ["x"]},
            bad_body("Give tokens, or as a backend clients, and not both"),
        ),
        ("POST", "/badges", {"clients": []}, bad_body("Expected `array` of length >= 1 - at `$.clients`")),
        ("POST", "/badges", {"clients": ["al"] * 201}, bad_body("Expected `array` of length <= 200 - at `$.clients`")),
        ("POST", "/badges", {"tokens": ["x"] * 21}, bad_body("Expected `array` of length <= 20 - at `$.tokens`")),
        ("POST", "/badges", {"clients": ["x" * 129]}, bad_body("clients must have 1 to 128 bytes")),
        (
            "DELETE",
            "/admin/clients/al/token",
            {"tokens": "x"},
            refusal(400, "Bad Request", "INVALID_REQUEST", "tokens is no field of this call; did you mean token?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "roomtags": ["a"]},
            bad_body("roomtags is no field of this call; did you mean roomTags?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "room_tags": ["a"]},
            bad_body("room_tags is no field of this call; did you mean roomTags?"),
        ),
        (
            "POST",
            "/rooms/createAndJoin",
            {"roomTag": ["a"]},
            bad_body("roomTag is no field of this call; did you mean roomTags?"),
        ),
        ("PUT", "/rooms/r", {"Status": 0}, bad_body("Status is no field of this call; did you mean status?")),
        ("POST", "/rooms", {"id": "n"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/rooms",
            {"_id": "n", "invitees": ["bo"]},
            bad_body("invitees is no field of this call; did you mean members?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "invitee": "bo"},
            bad_body("invitee is no field of this call; did you mean members?"),
        ),
        ("POST", "/rooms/createAndJoin", {"id": "n"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/rooms/createAndJoin",
            {"invitees": ["bo"]},
            bad_body("invitees is no field of this call; did you mean invitee?"),
        ),
        (
            "POST",
            "/rooms/r/members",
            {"invitees": ["cy"], "invitationrequired": True},
            bad_body("invitationrequired is no field of this call; did you mean invitationRequired?"),
        ),
        (
            "POST",
            "/rooms/r/members/cy",
            {"invitation_required": True},
            bad_body("invitation_required is no field of this call; did you mean invitationRequired?"),
        ),
        (
            "POST",
            "/rooms/r/join",
            {"SystemMessage": True},
            bad_body("SystemMessage is no field of this call; did you mean systemMessage?"),
        ),
        (
            "POST",
            "/rooms/r/delete/members",
            {"members": ["bo"], "system_message": True},
            bad_body("system_message is no field of this call; did you mean systemMessage?"),
        ),
        (
            "PUT",
            "/admin/clients/al/token",
            {"token": "0123456789abcdef", "expirationdate": "2030-01-01"},
            refusal(
                400,
                "Bad Request",
                "INVALID_REQUEST",
                "expirationdate is no field of this call; did you mean expirationDate?",
            ),
        ),
        ("POST", "/messages", {**POST, "id": "m9"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/messages",
            {**POST, "messageTimeMs": 1},
            bad_body("messageTimeMs is no field of this call; did you mean messageTimeMS?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "messagetime": "x"},
            bad_body("messagetime is no field of this call; did you mean messageTime?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "Notify": False},
            bad_body("Notify is no field of this call; did you mean notify?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "move_cursor": False},
            bad_body("move_cursor is no field of this call; did you mean moveCursor?"),
        ),
        (
            "POST",
            "/rooms/r/message",
            {"Countable": False},
            bad_body("Countable is no field of this call; did you mean countable?"),
        ),
        (
            "POST",
            "/messages/batch",
            {"messages": [POST], "paras": [POST]},
            bad_body("Give messages or paras, and not both"),
        ),
        (
            "POST",
            "/admin/clients",
            {"_id": "n", "issueaccesstoken": True},
            refusal(
                400,
                "Bad Request",
                "INVALID_REQUEST",
                "issueaccesstoken is no field of this call; did you mean issueAccessToken?",
            ),
        ),
    ],
)
async def test_a_field_of_another_name_is_not_passed_over_where_it_would_change_what_is_done(
    al: Imkit, method: str, path: str, body: object, expected: bytes
) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend(method, path, body, user="al"), before) == expected


async def test_fields_of_ones_own_are_kept_whatever_they_are_like(imkit: Imkit) -> None:
    """Those that are no other spelling of what says what to do."""
    own = {"tags": ["a"], "Unread": 1, "memberCount": 3, "token2": "x", "lastReads": 1, "roomTagged": True}
    assert result(await imkit.as_backend("POST", "/rooms", {"_id": "r", **own})).items() >= own.items()
    assert result(await imkit.as_backend("POST", "/admin/clients", {"_id": "al", **own})).items() >= own.items()


async def test_very_many_fields_of_other_names_are_not_all_compared(al: Imkit) -> None:
    names = [f"x{number}" for number in range(3_000)]
    answer = await al.as_user("al", *READ, dict.fromkeys([*names, "messageId"], 1))
    assert answer.content == missing("message is required")


@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/rooms", {"_id": "<>"}, "_id"),
        ("POST", "/rooms", {"members": ["<>"]}, "members"),
        ("POST", "/rooms", {"owner": "<>"}, "owner"),
        ("POST", "/rooms/createAndJoin", {"_id": "<>"}, "_id"),
        ("POST", "/rooms/createAndJoin", {"invitee": "<>"}, "invitee"),
        ("POST", "/rooms/r/members", {"invitees": ["<>"]}, "invitees"),
        ("POST", "/messages", {"_id": "<>", "room": "r", "sender": "bo"}, "_id"),
        ("POST", "/messages", {"room": "<>", "sender": "bo"}, "room"),
        ("POST", "/messages", {"room": "r", "sender": "<>"}, "sender"),
        ("POST", "/admin/clients", {"_id": "<>"}, "_id"),
        ("POST", "/admin/clients/list", {"data": [{"_id": "<>"}]}, "_id"),
        ("POST", "/badges", {"clients": ["<>"]}, "clients"),
    ],
)
async def test_what_no_path_can_name_is_no_id(
    al: Imkit, method: str, path: str, body: dict[str, Any], field: str, name: str
) -> None:
    """Clients fold /messages/.. before they send it: a call about a message would be one about its room."""
    before = await al.everything()
    text = msgspec.json.encode(body).replace(b"<>", name.encode())
    answer = await al.as_backend(method, path, text, user="" if field == "owner" else "al")
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        f"{field} must not be {name}: no path can name it",
    )
    assert await al.everything() == before


@pytest.mark.parametrize("name", [".", ".."])
async def test_nor_is_it_a_user_of_the_backend_s(al: Imkit, name: str) -> None:
    answer = await al.as_backend("GET", "/me/badge", user=name)
    assert answer.content == refusal(
        400, "Bad Request", "INVALID_USER_ID", f"IM-CLIENT-ID must not be {name}: no path can name it"
    )


@pytest.mark.parametrize("name", ["ids", "quitted", "createAndJoin"])
async def test_no_room_is_called_as_another_call_is(al: Imkit, name: str) -> None:
    for method, executor in (("/rooms", "backend"), ("/rooms/createAndJoin", "user")):
        before = await al.everything()
        body = {"_id": name}
        answer = await (
            al.as_backend("POST", method, body) if executor == "backend" else al.as_user("al", "POST", method, body)
        )
        assert await refused(al, answer, before) == bad_body(f"_id must not be {name}: /rooms/{name} is another call")


@pytest.mark.parametrize(
    "message",
    ["1e15", "0x10", "9223372036854775807", "1", "-1", "m1 ", "M1", "m" * 129, "\0", "m1\0", "é" * 70, "_all", "inf"],
)
async def test_an_impossible_message_is_an_unknown_one(al: Imkit, message: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", *READ, {"message": message}), before) == NO_MESSAGE


@pytest.mark.parametrize(
    "name",
    ["1e15", "0x10", "9223372036854775807", "00", "-0", "1.0", "nan", " ", "ü/é", "a%b", "a+b", "{r}", "*", "x" * 128],
)
async def test_ids_are_text_whatever_they_look_like(imkit: Imkit, name: str) -> None:
    """Rooms, users, messages and tags named like numbers or patterns are those very names."""
    await imkit.room(name, name, tags=(name,))
    await imkit.room("1000000000000000", name)
    await imkit.post(name, "bo", name)
    assert await imkit.badge(name, name) == 1
    answer = await imkit.as_backend("PUT", f"/rooms/{quote(name, safe='')}/lastRead", {"message": name}, user=name)
    assert result(answer) == {"client": name, "lastRead": name, "badge": 0, "unread": 0}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_id": ""}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "x" * 129}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "é" * 65}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "a\0b"}, bad_body("_id must not contain control characters")),
        ({"_id": "a\nb"}, bad_body("_id must not contain control characters")),
        ({"_id": 5}, bad_body("Expected `str | null`, got `int` - at `$._id`")),
        (
            {"_id": "n", "members": "al"},
            bad_body(escaped('Expected `array | null`, got `str` - at `$.members`; for one send ["al"]')),
        ),
        ({"_id": "n", "members": [1]}, bad_body("Expected `str`, got `int` - at `$.members[0]`")),
        ({"_id": "n", "members": [""]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["x" * 129]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["a\x7f"]}, bad_body("members must not contain control characters")),
        (
            {"_id": "n", "members": [str(i) for i in range(1001)]},
            bad_body("members must name at most 1000 members; send the rest in further calls"),
        ),
        (
            {"_id": "n", "roomTags": "work"},
            bad_body(escaped('Expected `array | null`, got `str` - at `$.roomTags`; for one send ["work"]')),
        ),
        (
            {"_id": "n", "roomTags": "x" * 100},
            bad_body("Expected `array | null`, got `str` - at `$.roomTags`; send an array, also for one"),
        ),
        ({"_id": "n", "roomTags": [str(i) for i in range(101)]}, bad_body("roomTags must hold at most 100 tags")),
        ({"_id": "n", "roomTags": ["a\0"]}, bad_body("a tag must not contain control characters")),
        ({"_id": "n", "roomTags": [""]}, bad_body("Expected `str` of length >= 1 - at `$.roomTags[0]`")),
        ({"_id": "n", "roomTags": ["x" * 257]}, bad_body("Expected `str` of length <= 256 - at `$.roomTags[0]`")),
        ({"_id": "n", "name": "x" * 4095}, bad_body("name must have at most 4096 bytes as JSON")),
        ({"_id": "n", **{f"f{i}": i for i in range(33)}}, bad_body("at most 32 profile fields may be given")),
        (
            {"_id": "n", "#x": 1},
            bad_body("the name of a profile field must have 1 to 64 printable bytes and no # in front"),
        ),
    ],
)
async def test_bad_rooms(al: Imkit, body: dict[str, Any], expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/rooms/", body), before) == expected
    # createAndJoin speaks of people as invitees.
    in_its_words = expected.replace(b"members must", b"invitee must")
    assert await refused(al, await al.as_user("al", "POST", "/rooms/createAndJoin", body), before) == in_its_words


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", bad_body("A JSON body is required")),
        (b"[]", bad_body("Expected `object`, got `array`")),
        (b"{}", refusal(400, "Bad Request", "MISSING_PARAMETER", "room is required")),
        (b'{"room":"r"}', refusal(400, "Bad Request", "MISSING_PARAMETER", "sender is required")),
        (b'{"room":"r","sender":""}', bad_body("Expected `str` of length >= 1 - at `$.sender`")),
        (b'{"room":"r","sender":5}', bad_body("Expected `str | null`, got `int` - at `$.sender`")),
        (
            b'{"room":"r","sender":"al","countable":"false"}',
            bad_body("Expected `bool | null`, got `str` - at `$.countable`"),
        ),
        (b'{"room":"r","sender":"al","countable":1}', bad_body("Expected `bool | null`, got `int` - at `$.countable`")),
        (b'{"room":"r","sender":"' + b"x" * 129 + b'"}', bad_body("sender must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"a\\u0000"}', bad_body("sender must not contain control characters")),
        (b'{"room":"r","sender":"al","_id":""}', bad_body("_id must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"al","_id":"_all"}', bad_body("_id must not be _all")),
        (b'{"room":"r","sender":"al","_id":"_before"}', bad_body("_id must not be _before")),
        (b'{"room":"r","sender":"al","messageTime":"yesterday"}', bad_body("messageTime must be an ISO-8601 time")),
        (
            b'{"room":"r","sender":"al","messageTime":1}',
            bad_body("Expected `str | null`, got `int` - at `$.messageTime`"),
        ),
        (
            b'{"room":"r","sender":"al","messageTimeMS":"1"}',
            bad_body("Expected `int | null`, got `str` - at `$.messageTimeMS`"),
        ),
        (b'{"room":"r","sender":"al","messageTimeMS":0}', bad_body(f"messageTimeMS {NOT_THEN}")),
        (b'{"room":"r","sender":"al","createdAtMS":-1}', bad_body(f"createdAtMS {NOT_THEN}")),
        (b'{"room":"r","sender":"al","messageTimeMS":1772355600}', bad_body(f"messageTimeMS {NOT_THEN}")),  # seconds
        (
            b'{"room":"r","sender":"al","messageTime":"1970-01-02"}',
            bad_body("messageTime must be a time, after 1973 and no more than a day ahead"),
        ),
        (
            b'{"room":"r","sender":"al","messageTime":"2020-01-01","messageTimeMS":5}',
            bad_body("messageTime and messageTimeMS must be the same time; one of them is enough"),
        ),
        (b'{"room":"r","sender":"al","notify":0}', bad_body("Expected `bool | null`, got `int` - at `$.notify`")),
        (b'{"room":"r","sender":"al","_id":"a\\u0000b"}', bad_body("_id must not contain control characters")),
        (b'{"room":"r\\u0000","sender":"al"}', bad_body("room must not contain control characters")),
        (b'{"room":"r","sender":"al","message":"\xc3\x28"}', bad_body("The body must be UTF-8")),
        (
            b'{"room":"r","sender":"al","messageType":"recall"}',
            refusal(400, "Bad Request", "MISSING_PARAMETER", "_id is required"),
        ),
        (b'{"room":"r","sender":"al","message":' + b"[" * 60_000, bad_body("The body is nested too deeply")),
        (b'{"room":"none","sender":"al"}', NO_ROOM),
        (b'{"room":"r","sender":"al","message":"' + b"x" * MAX_BODY_BYTES + b'"}', too_large(MAX_BODY_BYTES)),
        (b"[" * 100_000, too_large(MAX_BODY_BYTES)),
        (b"x" * 10_000_000, too_large(MAX_BODY_BYTES)),
    ],
)
async def test_bad_messages(al: Imkit, body: bytes, expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/messages", body), before) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", refusal(400, "Bad Request", "MISSING_PARAMETER", "messages is required")),
        (b'{"messages":null}', refusal(400, "Bad Request", "MISSING_PARAMETER", "messages is required")),
        (b'{"messages":[],"paras":[]}', bad_body("Give messages or paras, and not both")),
        (b'{"messages":{}}', bad_body("Expected `array | null`, got `object` - at `$.messages`")),
        (
            b'{"messages":[' + b",".join([b"{}"] * 501) + b"]}",
            bad_body("Expected `array` of length <= 500 - at `$.messages`"),
        ),
        (b'{"messages":' + b"[" * 100_000, bad_body("The body is nested too deeply")),
        (b'{"messages":["' + b"x" * MAX_BATCH_BODY_BYTES + b'"]}', too_large(MAX_BATCH_BODY_BYTES)),
    ],
)
async def test_bad_batches(al: Imkit, body: bytes, expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/messages/batch", body), before) == expected


async def test_a_bad_item_of_a_batch_harms_no_other(al: Imkit) -> None:
    deep = b'{"room":"r","sender":"bo","message":' + b"[" * 900 + b"]" * 900 + b"}"
    items = [
        b'{"room":"r","sender":"bo"}',
        b'{"room":"r","sender":"bo","x":"\xff"}',
        b"7",
        deep,
        b'{"room":"r","sender":"bo","_id":""}',
    ]
    large = b'{"room":"r","sender":"bo","message":"' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = await al.as_backend(
        "POST", "/messages/batch", b'{"messages":[' + b",".join([*items, large, items[0]]) + b"]}"
    )
    assert [(one["RC"], one.get("error", {}).get("message")) for one in result(answer)["results"]] == [
        (0, None),
        (400, "The body must be UTF-8"),
        (400, "Expected `object`, got `int`"),
        (400, f"The body must not be nested more than {MAX_NESTING} levels deep"),
        (400, "_id must have 1 to 128 bytes"),
        (400, "a message must have at most 65536 bytes"),
        (0, None),
    ]
    assert await al.badge("al") == 3


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"work"',
        b'{"tags":"work"}',
        b'{"tags":[1]}',
        b'{"tags":[null]}',
        b'{"tags":{"a":1}}',
        b'{"tags":[""]}',
        b'{"tags":["\\u0000"]}',
        b'{"tags":["' + b"x" * 257 + b'"]}',
        b'{"tags":[' + b",".join(b'"%d"' % i for i in range(101)) + b"]}",
        b'{"tags":' + b"[" * 60_000,
    ],
)
async def test_bad_tags_in_a_body(al: Imkit, body: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "POST", "/badges/byRoomTags", body), before) == BAD_TAGS


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "JSON is malformed: it ends too early"),
        (b'{"tags":[work]}', "JSON is malformed: invalid character (byte 9)"),
        (b'{"tags":["\xff"]}', "The body must be UTF-8"),
        (b'{"roomTags":["work"]}', "roomTags is no field of this call; did you mean tags?"),
        (b'{"tag":"work"}', "tag is no field of this call; did you mean tags?"),
        (b'{"Tags":["work"],"x":1}', "Tags is no field of this call; did you mean tags?"),
        (b'{"limit":1}', "limit is no field of this call; it takes tags"),
    ],
)
async def test_tags_under_another_name_in_a_body(al: Imkit, body: bytes, expected: str) -> None:
    """Passed over, they would be answered with every tag there is."""
    before = await al.everything()
    answer = await al.as_user("al", "POST", "/badges/byRoomTags", body)
    assert await refused(al, answer, before) == refusal(400, "Invalid parameters", "INVALID_TAGS", expected)


@pytest.mark.parametrize(
    "query",
    [
        "roomTags=",
        "roomTags[]=",
        "roomTags=a&roomTags=",
        "roomTags=" + "x" * 257,
        "roomTags=a%00",
        "roomTags=a%0Ab",
        "&".join(f"roomTags={i}" for i in range(101)),
        "&".join(f"roomTags[]={i}" for i in range(51)) + "&" + "&".join(f"roomTags=b{i}" for i in range(50)),
    ],
)
async def test_bad_tags_in_a_query(al: Imkit, query: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "GET", f"/me/badge?{query}"), before) == BAD_ROOM_TAGS


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/me/badge?tags=work", "tags is no parameter of this call; did you mean roomTags?"),
        ("GET", "/me/badge?tag=work", "tag is no parameter of this call; did you mean roomTags?"),
        ("GET", "/me/badge?roomtags=work", "roomtags is no parameter of this call; did you mean roomTags?"),
        ("GET", "/me/badge?roomTags=work&roomTag=eu", "roomTag is no parameter of this call; did you mean roomTags?"),
        ("GET", "/me/badge?x=1", "x is no parameter of this call; it takes roomTags"),
        ("GET", "/me/badge?" + "x" * 500, "x" * 64 + " is no parameter of this call; it takes roomTags"),
        ("POST", "/badges/byRoomTags?tags=work", "tags is no parameter of this call; it takes none"),
        ("POST", "/badges?clients=al", "clients is no parameter of this call; it takes none"),
        ("GET", "/rooms?limits=1", "limits is no parameter of this call; did you mean limit?"),
        ("GET", "/rooms?updatedafter=1", "updatedafter is no parameter of this call; did you mean updatedAfter?"),
        ("GET", "/rooms/ids?offset=1", "offset is no parameter of this call; it takes limit, skip"),
        ("GET", "/rooms/r/count?timeMS=1", "timeMS is no parameter of this call; did you mean timeInMS?"),
        ("GET", "/rooms/r/receipts?message=m1", "message is no parameter of this call; did you mean messages?"),
        (
            "GET",
            "/rooms/r/messages/m1/receipts?filtr=unread",
            "filtr is no parameter of this call; did you mean filter?",
        ),
    ],
)
async def test_a_parameter_of_another_name_is_not_passed_over(al: Imkit, method: str, path: str, expected: str) -> None:
    """It would be answered with more than was asked for, which looks right. Over both roads."""
    before = await al.everything()
    for headers in ({}, {"Origin": "https://chat.example"}):
        headers |= {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}
        assert await refused(al, await al.call(method, path, None, headers), before) == bad_query(expected)


async def test_nothing_is_deleted_before_a_point_under_another_name(al: Imkit) -> None:
    before = await al.everything()
    answer = await al.as_backend("DELETE", "/rooms/r/messages?before=m1&befor=m1")
    expected = bad_query("befor is no parameter of this call; did you mean before?")
    assert await refused(al, answer, before) == expected


async def test_what_the_published_clients_ask_for_is_answered(al: Imkit) -> None:
    """The parameters of the JavaScript library, of Flutter's, of Vue's, and of the documentation."""
    for query in (
        'limit=20&skip=0&q={"members":"al"}&sort=-lastMessage',
        "skip=0&limit=20&updatedAfter=1700000000000&sort=lastMessage",
        'skip=0&limit=30&q={ "members": "al", "roomTags": "work" }&sort=-lastMessage -createdTime&sortUnreadFirst=0',
        'pref={"tags":"x"}&updatedAfter=2020-10-15T03:28:54Z',
    ):
        assert [room["_id"] for room in result(await al.as_user("al", "GET", f"/rooms?{query}"))["data"]] == ["r"]
    assert result(await al.as_user("al", "GET", "/rooms/ids?limit=20&skip=0"))["data"] == ["r"]
    assert result(await al.as_user("al", "GET", "/rooms/r/count?timeInMS=0"))["count"] == 1


@pytest.mark.parametrize("value", ["work,eu", "work%2Ceu", "[work]", '["work"]', '["work","eu"]', '"work"', ","])
async def test_several_tags_in_one_parameter_are_no_tag(al: Imkit, value: str) -> None:
    said = "roomTags holds one tag: for several repeat it (roomTags=a&roomTags=b). A tag with a comma or in brackets is sent as roomTags[]"
    before = await al.everything()
    for query in (f"roomTags={value}", f"roomTags=work&roomTags={value}"):
        answer = await al.as_user("al", "GET", f"/me/badge?{query}")
        assert await refused(al, answer, before) == refusal(400, "Invalid parameters", "INVALID_ROOM_TAGS", said)
    assert result(await al.as_user("al", "GET", f"/me/badge?roomTags[]={value}")) == {"badge": 0}


@pytest.mark.parametrize(
    "tag", ["日本", "\u00e9", "e\u0301", "\U0001f469\u200d\U0001f467", "a b", " a", "A", "null", "[]", "a,b", "x" * 256]
)
async def test_tags_are_exact(al: Imkit, tag: str) -> None:
    """No trimming, no folding, no normalising; asking twice for one tag is asking once."""
    await al.room("tagged", "al", tags=(tag, tag))
    await al.post("tagged", "bo", "t1")

    async def badge(*tags: str) -> int:
        params = [("roomTags[]", tag) for tag in tags]
        return int(result(await al.as_user("al", "GET", "/me/badge", params=params))["badge"])

    assert await badge(tag, tag) == 1
    assert await badge(tag + "x" if len(tag) < 256 else tag[1:]) == 0
    body = {"tags": [tag, tag]}
    assert result(await al.as_user("al", "POST", "/badges/byRoomTags", body)) == {"totalBadge": 1, "data": {tag: 1}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("skip=-1", bad_query("Invalid query parameter: skip: Expected `int` >= 0")),
        ("limit=x", bad_query("Invalid query parameter: limit: Expected `int`, got `str`")),
        ("limit=99999999999999999999", bad_query("Invalid query parameter: limit: Expected `int` <= 2147483647")),
        ("sortUnreadFirst=yes", bad_query("Invalid query parameter: sortUnreadFirst: Expected `int`, got `str`")),
        ("fields=x", bad_query("fields must be unread")),
        ("fields=", bad_query("fields must be unread")),
        ("sort=size", bad_query("sort knows only lastMessage, createdTime, createdTimeMS, name, unread")),
        ("updatedAfter=yesterday", bad_query("updatedAfter must be an ISO-8601 time or Unix milliseconds")),
        ("q=x", bad_query("q is not understood: JSON is malformed: invalid character (byte 0)")),
        ("q=%5B%5D", bad_query("q is not understood: Expected `object`, got `array`")),
        ('q={"$where":"1"}', bad_query("q is not understood: Object contains unknown field `$where`")),
        ('q={"members":"bo"}', bad_query("q.members must be the caller")),
        (
            'q={"roomTags":{"$nin":["a"]}}',
            bad_query("q is not understood: Object contains unknown field `$nin` - at `$.roomTags`"),
        ),
        ('q={"name":{"$regex":"a","$options":"x"}}', bad_query("q.name.$options must be i")),
        ("q=" + "[" * 16_000, bad_query("q is not understood: Expected `object`, got `array`")),
        (
            'q={"roomTags":' + "[" * 16_000,
            bad_query("q is not understood: Expected `str | object | null`, got `array` - at `$.roomTags`"),
        ),
        ("pref=1", bad_query("pref is not understood: Expected `object`, got `int`")),
        ('pref={"a":' + "[" * 4_000, bad_query("pref is not understood: The body is nested too deeply")),
    ],
)
async def test_bad_queries(al: Imkit, query: str, expected: bytes) -> None:
    answer = await al.as_user("al", "GET", f"/rooms?{query}")
    assert answer.content == expected


@pytest.mark.parametrize(
    "method",
    ["POST /rooms", "POST /rooms/createAndJoin", "PUT /rooms/r", "POST /rooms/r/message", "POST /admin/clients"],
)
async def test_what_is_kept_or_passed_on_is_nested_no_deeper_than_so(al: Imkit, method: str) -> None:
    """Python reads some hundreds of levels, fewer the deeper it stands in its own calls: what is taken in must be readable everywhere."""
    for levels, status in ((MAX_NESTING, 200), (MAX_NESTING + 1, 400), (900, 400)):
        body = b'{"_id":"deep","name":%b%b}' % (b"[" * (levels - 1), b"]" * (levels - 1))
        if method.endswith("message"):
            body = body.replace(b'"_id":"deep",', b"")
        verb, path = method.split()
        answer = await al.as_backend(verb, path, body, user="al")
        assert (levels, answer.status_code) == (levels, status)
        if status == 400:
            assert (
                answer.json()["error"]["message"] == f"The body must not be nested more than {MAX_NESTING} levels deep"
            )


@pytest.mark.parametrize(
    ("raw_path", "expected"),
    [
        (b"/rooms/a%00b/lastRead", BAD_PATH),
        (b"/rooms/a%0Ab/lastRead", BAD_PATH),
        (b"/rooms/a%1Fb/lastRead", BAD_PATH),
        (b"/rooms/a%1F%2Fb/lastRead", BAD_PATH),
        (b"/rooms/%FF/lastRead", BAD_PATH),
        (b"/rooms/%C3%28/lastRead", BAD_PATH),
        (b"/rooms/%ED%A0%80/lastRead", BAD_PATH),
        (b"/rooms/" + b"x" * 129 + b"/lastRead", NO_ROOM_TO_READ),
        (b"/rooms/r%2F/lastRead", NO_ROOM_TO_READ),
        (b"/rooms/%2Fr/lastRead", NO_ROOM_TO_READ),
        (b"/rooms/%2F/lastRead", NO_ROOM_TO_READ),
        (b"/rooms/%252F/lastRead", NO_ROOM_TO_READ),
        (b"/rooms/%EF%BF%BD/lastRead", NO_ROOM_TO_READ),
        (b"/rooms//lastRead", NO_PATH),
        (b"/rooms/r//lastRead", NO_PATH),
        (b"//rooms/r/lastRead", NO_PATH),
    ],
)
async def test_bad_paths(al: Imkit, raw_path: bytes, expected: bytes) -> None:
    before = await al.everything()
    headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}
    url = httpx.URL("http://test").copy_with(raw_path=raw_path)
    answer = await al.client.put(url, headers=headers, json={"message": "m1"})
    assert await refused(al, answer, before) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", refusal(400, "Bad Request", "MISSING_PARAMETER", "IM-CLIENT-ID is required with IM-API-KEY")),
        (b"x" * 129, refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must have 1 to 128 bytes")),
        (b"%00", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must not contain control characters")),
        (b"%FF", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must be percent-encoded UTF-8")),
        (b"\xff", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must be percent-encoded UTF-8")),
    ],
)
async def test_bad_users_of_the_backend(al: Imkit, given: bytes, expected: bytes) -> None:
    answer = await al.client.get("/me/badge", headers=[(b"IM-API-KEY", API_KEY.encode()), (b"IM-CLIENT-ID", given)])
    assert answer.content == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_id": ""}, "Expected `str` of length >= 1 - at `$._id`"),
        ({"_id": "x" * 129}, "_id must have 1 to 128 bytes"),
        ({"_id": "a\0"}, "_id must not contain control characters"),
        ({"_id": 7}, "Expected `str`, got `int` - at `$._id`"),
        ({"_id": "n", "nickname": 7}, "Expected `str | null`, got `int` - at `$.nickname`"),
        ({"_id": "n", "issueAccessToken": "yes"}, "Expected `bool | null`, got `str` - at `$.issueAccessToken`"),
        ({"_id": "n", "bio": "x" * 4095}, "bio must have at most 4096 bytes as JSON"),
        ({"_id": "n", **{f"f{i}": i for i in range(33)}}, "at most 32 profile fields may be given"),
        (
            {"_id": "n", "token": "with space", "expirationDate": "2099-01-01"},
            "token must have 16 to 4096 printable ASCII characters without spaces",
        ),
        (
            {"_id": "n", "token": "x" * 15, "expirationDate": "2099-01-01"},
            "token must have 16 to 4096 printable ASCII characters without spaces",
        ),
    ],
)
async def test_bad_users(al: Imkit, body: dict[str, Any], expected: str) -> None:
    before = await al.everything()
    answer = await al.as_backend("POST", "/admin/clients", body)
    assert await refused(al, answer, before) == refusal(400, "Bad Request", "INVALID_REQUEST", expected)


async def test_one_bad_user_of_a_list_refuses_the_list(al: Imkit) -> None:
    before = await al.everything()
    answer = await al.as_backend("POST", "/admin/clients/list", {"data": [{"_id": "good"}, {"_id": "b\0d"}]})
    assert await refused(al, answer, before) == refusal(
        400, "Bad Request", "INVALID_REQUEST", "_id must not contain control characters"
    )


async def test_profiles_do_not_grow_past_their_limit(al: Imkit) -> None:
    """Neither in one call nor in several."""
    await al.as_backend("POST", "/admin/clients", {"_id": "n", **{f"f{i}": i for i in range(20)}})
    await al.as_backend("PUT", "/rooms/r", {f"f{i}": i for i in range(20)})
    before = await al.everything()
    more = {f"g{i}": i for i in range(20)}
    answer = await al.as_backend("POST", "/admin/clients", {"_id": "n", **more})
    assert await refused(al, answer, before) == refusal(
        400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields"
    )
    assert await refused(al, await al.as_backend("PUT", "/rooms/r", more), before) == bad_body(
        "a room must have at most 32 profile fields"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": 2}, "Invalid enum value 2 - at `$.status`; it is one of 0, 1"),
        ({"status": "0"}, "Expected `int | null`, got `str` - at `$.status`"),
        ({"status": True}, "Expected `int | null`, got `bool` - at `$.status`"),
        ({"status": 0, "roomTags": [""]}, "Expected `str` of length >= 1 - at `$.roomTags[0]`"),
        ({"status": 0, "roomTags": [str(i) for i in range(101)]}, "roomTags must hold at most 100 tags"),
        ({"status": 0, "name": "x" * 4095}, "name must have at most 4096 bytes as JSON"),
    ],
)
async def test_bad_changes_of_a_room(al: Imkit, body: dict[str, Any], expected: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "PUT", "/rooms/r", body), before) == bad_body(expected)


async def test_a_list_with_a_user_of_too_many_fields_changes_nobody(al: Imkit) -> None:
    """Fields that are there already count as well; those before and behind that user in the list are not written either."""
    result(await al.as_backend("POST", "/admin/clients", {"_id": "bo", **{f"a{number}": 1 for number in range(20)}}))
    before = await al.everything()
    listed = [
        {"_id": "cy"},
        {"_id": "bo", **{f"b{number}": 1 for number in range(20)}},
        {"_id": "al", "nickname": "Someone"},
    ]
    expected = refusal(400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields")
    assert await refused(al, await al.as_backend("POST", "/admin/clients/list", {"data": listed}), before) == expected

"""Whatever is sent, the answer is a clear one in IMKit's form, never a 5xx, and a refusal leaves everything as it was."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, MAX_NESTING
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, refusal, result

READ = ("PUT", "/rooms/r/lastRead")
MESSAGE_REQUIRED = refusal(400, "Bad Request", "MISSING_PARAMETER", "message is required")
NOT_FOUND = refusal(404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found")
NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")
BAD_TAGS = refusal(400, "Invalid parameters", "INVALID_TAGS", "Tags must be an array of strings")
BAD_ROOM_TAGS = refusal(400, "Invalid parameters", "INVALID_ROOM_TAGS", "Room tags must be valid strings")
TOO_LARGE = refusal(413, "Request Entity Too Large", "PAYLOAD_TOO_LARGE", "Request Entity Too Large")
BAD_PATH = refusal(400, "Bad Request", "INVALID_PATH", "The path must be percent-encoded UTF-8 without control characters")
NO_PATH = refusal(404, "Not Found", "NOT_FOUND", "No such path")


def bad_body(message: str) -> bytes:
    return refusal(400, "Bad Request", "INVALID_BODY", message)


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
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"m1"',
        b"{",
        b"not json",
        b'{"message":null}',
        b'{"message":""}',
        b'{"message":1}',
        b'{"message":true}',
        b'{"message":["m1"]}',
        b'{"message":{"_id":"m1"}}',
        b'{"message":"\xff\xfe"}',
        b'{"message":"\\ud800"}',
        b'{"message":"m1"} {}',
        b'\xef\xbb\xbf{"message":"m1"}',
        b'{"message":' + b"[" * 60_000,
        b"[" * 60_000 + b"]" * 5_000,
    ],
)
async def test_last_read_says_what_it_needs(al: Imkit, body: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", *READ, body), before) == MESSAGE_REQUIRED


@pytest.mark.parametrize(
    "message", ["1e15", "0x10", "9223372036854775807", "1", "-1", "m1 ", "M1", "m" * 129, "\0", "m1\0", "é" * 70, "_all", "inf"]
)
async def test_an_impossible_message_is_an_unknown_one(al: Imkit, message: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", *READ, {"message": message}), before) == NOT_FOUND


@pytest.mark.parametrize(
    "name", ["1e15", "0x10", "9223372036854775807", "00", "-0", "1.0", "nan", " ", "ü/é", "a%b", "a+b", "{r}", "*", "x" * 128]
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
        ({"_id": "n", "members": "al"}, bad_body("Expected `array | null`, got `str` - at `$.members`")),
        ({"_id": "n", "members": [1]}, bad_body("Expected `str`, got `int` - at `$.members[0]`")),
        ({"_id": "n", "members": [""]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["x" * 129]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["a\x7f"]}, bad_body("members must not contain control characters")),
        (
            {"_id": "n", "members": [str(i) for i in range(1001)]},
            bad_body("members must name at most 1000 members; send the rest in further calls"),
        ),
        ({"_id": "n", "roomTags": "work"}, bad_body("Expected `array | null`, got `str` - at `$.roomTags`")),
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
        (b'{"room":"r","sender":"al","countable":"false"}', bad_body("Expected `bool | null`, got `str` - at `$.countable`")),
        (b'{"room":"r","sender":"al","countable":1}', bad_body("Expected `bool | null`, got `int` - at `$.countable`")),
        (b'{"room":"r","sender":"' + b"x" * 129 + b'"}', bad_body("sender must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"a\\u0000"}', bad_body("sender must not contain control characters")),
        (b'{"room":"r","sender":"al","_id":""}', bad_body("_id must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"al","_id":"_all"}', bad_body("_id must not be _all")),
        (b'{"room":"r","sender":"al","_id":"_before"}', bad_body("_id must not be _before")),
        (b'{"room":"r","sender":"al","messageTime":"yesterday"}', bad_body("messageTime must be an ISO-8601 time")),
        (b'{"room":"r","sender":"al","messageTime":1}', bad_body("Expected `str | null`, got `int` - at `$.messageTime`")),
        (b'{"room":"r","sender":"al","messageTimeMS":"1"}', bad_body("Expected `int | null`, got `str` - at `$.messageTimeMS`")),
        (b'{"room":"r","sender":"al","messageTimeMS":0}', bad_body("messageTimeMS must lie after 1970, and no more than a day ahead")),
        (b'{"room":"r","sender":"al","createdAtMS":-1}', bad_body("createdAtMS must lie after 1970, and no more than a day ahead")),
        (
            b'{"room":"r","sender":"al","messageTime":"2020-01-01","messageTimeMS":5}',
            bad_body("messageTime and messageTimeMS must be the same time; one of them is enough"),
        ),
        (b'{"room":"r","sender":"al","notify":0}', bad_body("Expected `bool | null`, got `int` - at `$.notify`")),
        (b'{"room":"r","sender":"al","_id":"a\\u0000b"}', bad_body("_id must not contain control characters")),
        (b'{"room":"r\\u0000","sender":"al"}', bad_body("room must not contain control characters")),
        (b'{"room":"r","sender":"al","message":"\xc3\x28"}', bad_body("The body must be UTF-8")),
        (b'{"room":"r","sender":"al","messageType":"recall"}', refusal(400, "Bad Request", "MISSING_PARAMETER", "_id is required")),
        (b'{"room":"r","sender":"al","message":' + b"[" * 60_000, bad_body("The body is nested too deeply")),
        (b'{"room":"none","sender":"al"}', NO_ROOM),
        (b'{"room":"r","sender":"al","message":"' + b"x" * MAX_BODY_BYTES + b'"}', TOO_LARGE),
        (b"[" * 100_000, TOO_LARGE),
        (b"x" * 10_000_000, TOO_LARGE),
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
        (b'{"messages":{}}', bad_body("Expected `array | null`, got `object` - at `$.messages`")),
        (b'{"messages":[' + b",".join([b"{}"] * 501) + b"]}", bad_body("Expected `array` of length <= 500 - at `$.messages`")),
        (b'{"messages":' + b"[" * 100_000, bad_body("The body is nested too deeply")),
        (b'{"messages":["' + b"x" * MAX_BATCH_BODY_BYTES + b'"]}', TOO_LARGE),
    ],
)
async def test_bad_batches(al: Imkit, body: bytes, expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/messages/batch", body), before) == expected


async def test_a_bad_item_of_a_batch_harms_no_other(al: Imkit) -> None:
    deep = b'{"room":"r","sender":"bo","message":' + b"[" * 900 + b"]" * 900 + b"}"
    items = [b'{"room":"r","sender":"bo"}', b'{"room":"r","sender":"bo","x":"\xff"}', b"7", deep, b'{"room":"r","sender":"bo","_id":""}']
    large = b'{"room":"r","sender":"bo","message":"' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = await al.as_backend("POST", "/messages/batch", b'{"messages":[' + b",".join([*items, large, items[0]]) + b"]}")
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
        b"{",
        b'"work"',
        b'{"tags":"work"}',
        b'{"tags":[1]}',
        b'{"tags":[null]}',
        b'{"tags":{"a":1}}',
        b'{"tags":[""]}',
        b'{"tags":["\\u0000"]}',
        b'{"tags":["\xff"]}',
        b'{"tags":["' + b"x" * 257 + b'"]}',
        b'{"tags":[' + b",".join(b'"%d"' % i for i in range(101)) + b"]}",
        b'{"tags":' + b"[" * 60_000,
    ],
)
async def test_bad_tags_in_a_body(al: Imkit, body: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "POST", "/badges/byRoomTags", body), before) == BAD_TAGS


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
    "tag", ["日本", "\u00e9", "e\u0301", "\U0001f469\u200d\U0001f467", "a b", " a", "A", "null", "[]", "a,b", "x" * 256]
)
async def test_tags_are_exact(al: Imkit, tag: str) -> None:
    """No trimming, no folding, no normalising; asking twice for one tag is asking once."""
    await al.room("tagged", "al", tags=(tag, tag))
    await al.post("tagged", "bo", "t1")
    assert await al.badge("al", tag, tag) == 1
    assert await al.badge("al", tag + "x" if len(tag) < 256 else tag[1:]) == 0
    body = {"tags": [tag, tag]}
    assert result(await al.as_user("al", "POST", "/badges/byRoomTags", body)) == {"totalBadge": 1, "data": {tag: 1}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("skip=-1", bad_query("Invalid query parameter: skip")),
        ("limit=x", bad_query("Invalid query parameter: limit")),
        ("limit=99999999999999999999", bad_query("Invalid query parameter: limit")),
        ("sortUnreadFirst=yes", bad_query("Invalid query parameter: sortUnreadFirst")),
        ("sort=size", bad_query("sort knows only lastMessage, createdTime, createdTimeMS, name, unread")),
        ("updatedAfter=yesterday", bad_query("updatedAfter must be an ISO-8601 time or Unix milliseconds")),
        ("q=x", bad_query("q is not understood: JSON is malformed: invalid character (byte 0)")),
        ("q=%5B%5D", bad_query("q is not understood: Expected `object`, got `array`")),
        ('q={"$where":"1"}', bad_query("q is not understood: Object contains unknown field `$where`")),
        ('q={"members":"bo"}', bad_query("q.members must be the caller")),
        ('q={"roomTags":{"$nin":["a"]}}', bad_query("q is not understood: Object contains unknown field `$nin` - at `$.roomTags`")),
        ('q={"name":{"$regex":"a","$options":"x"}}', bad_query("q.name.$options must be i")),
        ("q=" + "[" * 16_000, bad_query("q is not understood: Expected `object`, got `array`")),
        ('q={"roomTags":' + "[" * 16_000, bad_query("q is not understood: Expected `str | object | null`, got `array` - at `$.roomTags`")),
        ("pref=1", bad_query("pref is not understood: Expected `object`, got `int`")),
        ('pref={"a":' + "[" * 4_000, bad_query("pref is not understood: The body is nested too deeply")),
    ],
)
async def test_bad_queries(al: Imkit, query: str, expected: bytes) -> None:
    answer = await al.as_user("al", "GET", f"/rooms?{query}")
    assert answer.content == expected


@pytest.mark.parametrize(
    "method", ["POST /rooms", "POST /rooms/createAndJoin", "PUT /rooms/r", "POST /rooms/r/message", "POST /admin/clients"]
)
async def test_what_is_kept_or_passed_on_is_nested_no_deeper_than_so(al: Imkit, method: str) -> None:
    """Python reads some hundreds of levels, fewer the deeper it stands in its own calls: what is taken in must be readable everywhere."""
    for levels, status in ((MAX_NESTING, 200), (MAX_NESTING + 1, 400), (900, 400)):
        body = b'{"_id":"deep","name":%b%b}' % (b"[" * (levels - 1), b"]" * (levels - 1))
        if method.endswith("message"):
            body = body.replace(b'"_id":"deep",', b"")
        answer = await al.as_backend(*method.split(), body, user="al")  # type: ignore[arg-type]
        assert (levels, answer.status_code) == (levels, status)
        if status == 400:
            assert answer.json()["error"]["message"] == f"The body must not be nested more than {MAX_NESTING} levels deep"


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
        (b"/rooms/" + b"x" * 129 + b"/lastRead", NOT_FOUND),
        (b"/rooms/r%2F/lastRead", NOT_FOUND),
        (b"/rooms/%2Fr/lastRead", NOT_FOUND),
        (b"/rooms/%2F/lastRead", NOT_FOUND),
        (b"/rooms/%252F/lastRead", NOT_FOUND),
        (b"/rooms/%EF%BF%BD/lastRead", NOT_FOUND),
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
    assert await refused(al, answer, before) == refusal(400, "Bad Request", "INVALID_REQUEST", "_id must not contain control characters")


async def test_profiles_do_not_grow_past_their_limit(al: Imkit) -> None:
    """Neither in one call nor in several."""
    await al.as_backend("POST", "/admin/clients", {"_id": "n", **{f"f{i}": i for i in range(20)}})
    await al.as_backend("PUT", "/rooms/r", {f"f{i}": i for i in range(20)})
    before = await al.everything()
    more = {f"g{i}": i for i in range(20)}
    answer = await al.as_backend("POST", "/admin/clients", {"_id": "n", **more})
    assert await refused(al, answer, before) == refusal(400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields")
    assert await refused(al, await al.as_backend("PUT", "/rooms/r", more), before) == bad_body("a room must have at most 32 profile fields")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": 2}, "Invalid enum value 2 - at `$.status`"),
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
    listed = [{"_id": "cy"}, {"_id": "bo", **{f"b{number}": 1 for number in range(20)}}, {"_id": "al", "nickname": "Someone"}]
    expected = refusal(400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields")
    assert await refused(al, await al.as_backend("POST", "/admin/clients/list", {"data": listed}), before) == expected

"""Queries and paths that are refused."""

import httpx
import pytest

from readstate.domain.limits import MAX_NESTING
from tests.contract.imkit.bad_input.refusals import BAD_PATH, NO_PATH, NO_ROOM_TO_READ, bad_query, refused
from tests.support.imkit import CLIENT_KEY, Imkit, result


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
    """Otherwise the answer would hold more than was asked for, and look right.

    Both ways are tried.
    """
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
    """The parameters of the JavaScript library, of Flutter's, of Vue's, and of the
    documentation.
    """
    for query in (
        'limit=20&skip=0&q={"members":"al"}&sort=-lastMessage',
        "skip=0&limit=20&updatedAfter=1700000000000&sort=lastMessage",
        'skip=0&limit=30&q={ "members": "al", "roomTags": "work" }&sort=-lastMessage -createdTime&sortUnreadFirst=0',
        'pref={"tags":"x"}&updatedAfter=2020-10-15T03:28:54Z',
    ):
        assert [room["_id"] for room in result(await al.as_user("al", "GET", f"/rooms?{query}"))["data"]] == ["r"]
    assert result(await al.as_user("al", "GET", "/rooms/ids?limit=20&skip=0"))["data"] == ["r"]
    assert result(await al.as_user("al", "GET", "/rooms/r/count?timeInMS=0"))["count"] == 1


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
    """Python reads some hundreds of levels, and fewer when its own stack is deep.

    Every worker must be able to read what is stored.
    """
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


@pytest.mark.parametrize("query", ["since=x", "since=1-", "limit=0", "limit=201", "limit=x", "after=1"])
async def test_changes_since_what_is_no_version(al: Imkit, query: str) -> None:
    answer = await al.as_user("al", "GET", f"/me/readState?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_QUERY"), answer.text

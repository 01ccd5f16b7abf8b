"""Bad input in the Rocket.Chat dialect gets a clear answer and changes nothing."""

from typing import Any

import pytest

from readstate.domain.limits import MAX_BODY_BYTES
from tests.support.rocketchat import PATH, Rocketchat, failed, seen

FORM = "application/x-www-form-urlencoded"
REQUIRED = "must have required property '{}'".format
ADDITIONAL = "must NOT have additional properties"
ANY_OF = "must match a schema in anyOf"
ONE_OF = "must match exactly one schema in oneOf"


def messages(*texts: str, code: str = "invalid-params") -> str:
    """Schema errors, joined as the original joins them."""
    return failed(r"\n ".join(texts), code)


NO_RID = messages(REQUIRED("rid"), REQUIRED("roomId"), ANY_OF)
NO_UNREAD = messages(REQUIRED("roomId"), REQUIRED("firstUnreadMessage"), ANY_OF)


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    """Al and bo are in room r, where bo has posted m1."""
    await rocketchat.backend.room("r", "al", "bo")
    await rocketchat.backend.post("r", "bo", "m1")
    await rocketchat.backend.sign_in("al")
    await rocketchat.read("al", "r")  # so that the counter of the call exists already
    return rocketchat


BODIES: list[tuple[str, Any, str]] = [
    ("subscriptions.read", {}, NO_RID),
    ("subscriptions.read", b"", NO_RID),
    ("subscriptions.read", b"null", NO_RID),
    ("subscriptions.read", b"{", NO_RID),
    ("subscriptions.read", b'{"rid":"r"', NO_RID),
    ("subscriptions.read", b'{"rid":"\xff"}', NO_RID),
    ("subscriptions.read", b'{"rid":"\\ud800"}', NO_RID),
    ("subscriptions.read", b'{"rid":NaN}', NO_RID),
    ("subscriptions.read", b"[" * 30_000, NO_RID),
    ("subscriptions.read", b'{"a":' * 10_000, NO_RID),
    ("subscriptions.read", {"rid": None}, NO_RID),
    ("subscriptions.read", [], messages("must be object", "must be object", ANY_OF)),
    ("subscriptions.read", "r", messages("must be object", "must be object", ANY_OF)),
    ("subscriptions.read", 7, messages("must be object", "must be object", ANY_OF)),
    ("subscriptions.read", {"rid": "r", "roomId": "r"}, messages(ADDITIONAL, ADDITIONAL, ANY_OF)),
    ("subscriptions.read", {"rid": "r", "tmid": "m"}, messages(ADDITIONAL, REQUIRED("roomId"), ANY_OF)),
    ("subscriptions.read", {"rid": 7}, messages("must be string", REQUIRED("roomId"), ANY_OF)),
    ("subscriptions.read", {"roomId": ["r"]}, messages(REQUIRED("rid"), "must be string", ANY_OF)),
    ("subscriptions.read", {"roomId": True}, messages(REQUIRED("rid"), "must be string", ANY_OF)),
    (
        "subscriptions.read",
        {"rid": "r", "readThreads": "true"},
        messages("must be boolean", REQUIRED("roomId"), ANY_OF),
    ),
    ("subscriptions.read", {"rid": "r", "readThreads": 1}, messages("must be boolean", REQUIRED("roomId"), ANY_OF)),
    ("subscriptions.read", {"rid": ""}, failed("error-invalid-subscription")),
    ("subscriptions.read", {"rid": "x" * 129}, failed("error-invalid-subscription")),
    ("subscriptions.read", {"rid": "a\0b"}, failed("error-invalid-subscription")),
    ("subscriptions.read", {"rid": "}{"}, failed("error-invalid-subscription")),
    ("subscriptions.unread", {}, NO_UNREAD),
    ("subscriptions.unread", {"rid": "r"}, NO_UNREAD),
    ("subscriptions.unread", {"roomId": None, "firstUnreadMessage": None}, NO_UNREAD),
    (
        "subscriptions.unread",
        {"roomId": "r", "firstUnreadMessage": {"_id": "m1"}},
        messages(ADDITIONAL, ADDITIONAL, ANY_OF),
    ),
    ("subscriptions.unread", {"roomId": 7}, messages("must be string", REQUIRED("firstUnreadMessage"), ANY_OF)),
    ("subscriptions.unread", {"firstUnreadMessage": "m1"}, messages(REQUIRED("roomId"), "must be object", ANY_OF)),
    ("subscriptions.unread", {"firstUnreadMessage": {}}, messages(REQUIRED("roomId"), REQUIRED("_id"), ANY_OF)),
    (
        "subscriptions.unread",
        {"firstUnreadMessage": {"_id": 7}},
        messages(REQUIRED("roomId"), "must be string", ANY_OF),
    ),
    (
        "subscriptions.unread",
        {"firstUnreadMessage": {"_id": "m1", "rid": "r"}},
        messages(REQUIRED("roomId"), ADDITIONAL, ANY_OF),
    ),
    ("chat.readThread", {}, messages(REQUIRED("tmid"))),
    ("chat.readThread", {"tmid": 7}, messages("must be string")),
    ("chat.readThread", {"tmid": "m1", "x": 1}, messages(ADDITIONAL)),
]


@pytest.mark.parametrize(("call", "body", "expected"), BODIES)
async def test_bad_bodies(al: Rocketchat, call: str, body: object, expected: str) -> None:
    """A body that cannot be read counts as an empty object, so the answer names what is missing."""
    await al.post("al", call, {})  # so that what a call counts under is there already
    before = await stored(al)
    assert seen(await al.post("al", call, body)) == expected
    assert await stored(al) == before


QUERIES = [
    (
        "chat.getMessageReadReceipts",
        "messageId=m1&messageId=m2",
        messages("must be string", code="error-invalid-params"),
    ),
    ("chat.getMessageReadReceipts", "messageId[]=m1", messages("must be string", code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&offset=-1", messages("must be >= 0", code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&count=-1", messages("must be >= 0", code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&offset=x", messages("must be integer", code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&offset=", messages("must be integer", code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&count=1.5", messages("must be integer", code="error-invalid-params")),
    (
        "chat.getMessageReadReceipts",
        "messageId=m1&count=1e400",
        messages("must be integer", code="error-invalid-params"),
    ),
    (
        "chat.getMessageReadReceipts",
        "messageId=m1&offset=" + "9" * 5000,
        messages("must be integer", code="error-invalid-params"),
    ),
    (
        "chat.getMessageReadReceipts",
        "messageId=m1&count=%D9%A3",
        messages("must be integer", code="error-invalid-params"),
    ),
    (
        "chat.getMessageReadReceipts",
        "messageId=m1&count=1&count=2",
        messages("must be integer", code="error-invalid-params"),
    ),
    ("chat.getMessageReadReceipts", "messageId=m1&ofset=50", messages(ADDITIONAL, code="error-invalid-params")),
    ("chat.getMessageReadReceipts", "messageId=m1&y[]=1", messages(ADDITIONAL, code="error-invalid-params")),
    (
        "chat.getMessageReadReceipts",
        "&".join(f"a{i}=1" for i in range(200)),
        failed("The required 'messageId' param is missing."),
    ),
    ("subscriptions.getOne", "roomId=r&x=1", messages(ADDITIONAL, code="error-invalid-params")),
    ("subscriptions.getOne", "rid=r", messages(REQUIRED("roomId"), code="error-invalid-params")),
    ("subscriptions.getOne", "roomId=r&roomId=r", messages("must be string", code="error-invalid-params")),
    ("subscriptions.get", "x=1", messages(ADDITIONAL, code="error-invalid-params")),
    ("subscriptions.get", "updatedSince=1&updatedSince=2", messages("must be string", code="error-invalid-params")),
    ("dm.counters", "roomId=r&x=1", messages(ADDITIONAL, code="error-invalid-params")),
    ("im.counters", "roomId=r&x=1", messages(ADDITIONAL, code="error-invalid-params")),
    ("groups.counters", "", messages(REQUIRED("roomId"), REQUIRED("roomName"), ONE_OF, code="error-invalid-params")),
    (
        "groups.counters",
        "roomId=r&x=1",
        messages(ADDITIONAL, REQUIRED("roomName"), ONE_OF, code="error-invalid-params"),
    ),
    ("groups.counters", "roomId=r&roomName=r", messages(ADDITIONAL, ADDITIONAL, ONE_OF, code="error-invalid-params")),
    (
        "groups.counters",
        "roomName=a&roomName=b",
        messages(REQUIRED("roomId"), "must be string", ONE_OF, code="error-invalid-params"),
    ),
    ("channels.counters", "roomName=a&roomName=b", messages("must be string", code="error-invalid-params")),
]


@pytest.mark.parametrize(("call", "query", "expected"), QUERIES)
async def test_bad_queries(al: Rocketchat, call: str, query: str, expected: str) -> None:
    answer = await al.client.get(f"{PATH}/{call}?{query}", headers=await al.headers("al"))
    assert seen(answer) == expected


@pytest.mark.parametrize(
    ("call", "query"),
    [
        ("chat.getMessageReadReceipts", "messageId=m1&offset=99999999999999999999&count=99999999999999999999"),
        ("channels.counters", "roomId=r&x=1"),
        ("logout", "x=1"),
    ],
)
async def test_queries_that_are_taken(al: Rocketchat, call: str, query: str) -> None:
    """Large numbers are numbers.

    Names that the original does not check are not checked here.
    """
    answer = await al.client.get(f"{PATH}/{call}?{query}", headers=await al.headers("al"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "since",
    ["yesterday", "2026-13-01", "1500000000000", "2026-01-01T00:00:00 00:00", "x" * 5000, "\0", "²"],
)
async def test_bad_dates(al: Rocketchat, since: str) -> None:
    answer = await al.get("al", "subscriptions.get", updatedSince=since)
    assert answer.json()["errorType"] == "error-roomId-param-invalid"


@pytest.mark.parametrize(
    ("since", "rooms"),
    [
        ("2026-01-01", 1),
        ("2026-01-01T00:00:00Z", 1),
        ("1960-01-01T00:00:00.000Z", 1),
        ("0001-01-01T00:00:00+23:59", 1),
        ("2999-01-01", 0),
    ],
)
async def test_dates_that_are_taken(al: Rocketchat, since: str, rooms: int) -> None:
    answer = await al.get("al", "subscriptions.get", updatedSince=since)
    assert len(answer.json()["update"]) == rooms


@pytest.mark.parametrize(
    ("call", "form", "expected"),
    [
        ("subscriptions.read", b"rid=r", '200 {"success":true}'),
        ("subscriptions.read", b"roomId=r&readThreads=true", '200 {"success":true}'),
        ("subscriptions.unread", b"firstUnreadMessage[_id]=m1", '200 {"success":true}'),
        ("chat.readThread", b"tmid=m1", '200 {"success":true}'),
        ("subscriptions.read", b"", NO_RID),
        ("subscriptions.read", b"rid=r&readThreads=perhaps", messages("must be boolean", REQUIRED("roomId"), ANY_OF)),
        ("subscriptions.read", b"rid=r&readThreads=1e400", messages("must be boolean", REQUIRED("roomId"), ANY_OF)),
        ("subscriptions.read", b"rid=r&rid=r", messages("must be string", REQUIRED("roomId"), ANY_OF)),
        ("subscriptions.read", b"rid=%FF", failed("error-invalid-subscription")),
        (
            "subscriptions.unread",
            b"firstUnreadMessage=m1&firstUnreadMessage[_id]=m1",
            messages(REQUIRED("roomId"), "must be object", ANY_OF),
        ),
    ],
)
async def test_forms(al: Rocketchat, call: str, form: bytes, expected: str) -> None:
    """Bodies of HTML forms, with brackets for nested fields."""
    headers = {**await al.headers("al"), "Content-Type": f"{FORM}; charset=utf-8"}
    assert seen(await al.client.post(f"{PATH}/{call}", headers=headers, content=form)) == expected


@pytest.mark.parametrize("name", ["user", "user[username]"])
async def test_logging_in_with_a_form(al: Rocketchat, name: str) -> None:
    answer = await al.client.post(f"{PATH}/login", data={name: "al", "password": al.backend.tokens["al"]})
    assert answer.json()["data"]["userId"] == "al"


@pytest.mark.parametrize("call", ["subscriptions.read", "subscriptions.unread", "chat.readThread", "login", "logout"])
async def test_bodies_over_the_limit(al: Rocketchat, call: str) -> None:
    before = await stored(al)
    answer = await al.post("al", call, b'{"rid":"r","x":"' + b"x" * MAX_BODY_BYTES + b'"}')
    assert seen(answer) == failed("The body must have at most 65536 bytes", status=413)
    assert await stored(al) == before


async def stored(al: Rocketchat) -> dict[str, bytes]:
    """All stored data but the counters of calls."""
    return {key: value for key, value in (await al.backend.everything()).items() if "rocketchat_" not in key}

"""The fast path and the framework give the same bytes.

PUT /me/lastReads answers each item by itself.
"""

from typing import Any

import httpx
import pytest

from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, refusal, result

# This header only changes the way that the call takes.
BROWSER = {"Origin": "https://chat.example"}

QUESTIONS: list[tuple[str, str, Any]] = [
    ("PUT", "/rooms/r/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/r/lastRead", {"message": "m2"}),
    ("PUT", "/rooms/r/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/r/lastRead", {"message": "unknown"}),
    ("PUT", "/rooms/r/lastRead", {"message": ""}),
    ("PUT", "/rooms/r/lastRead", {"message": 1}),
    ("PUT", "/rooms/r/lastRead", {}),
    ("PUT", "/rooms/r/lastRead", b""),
    ("PUT", "/rooms/r/lastRead", b"\xff"),
    ("PUT", "/rooms/r/lastRead", b"[" * 20_000),
    ("PUT", "/rooms/r/lastRead", b'"' + b"x" * 70_000 + b'"'),
    ("PUT", "/rooms/nowhere/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/strangers/lastRead", {"message": "m1"}),
    ("PUT", "/rooms//lastRead", {"message": "m1"}),
    ("PUT", "/rooms/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/a/b/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/caf%C3%A9/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/a%2Fb/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/r/lastRead/", {"message": "m1"}),
    ("PATCH", "/rooms/r/lastRead", {"message": "m1"}),
    ("GET", "/me/badge", None),
    ("GET", "/me/badge?roomTags=x", None),
    ("GET", "/me/badge?roomTags=x&roomTags=y", None),
    ("GET", "/me/badge?roomTags[]=x&roomTags=z", None),
    ("GET", "/me/badge?roomTags=", None),
    ("GET", "/me/badge?other=1", None),
    ("GET", "/me/badge?roomtags=x", None),
    ("GET", "/me/badge?roomTags=x,y", None),
    ("GET", "/me/badge?roomTags[]=x,y", None),
    ("POST", "/badges/byRoomTags?tags=x", {}),
    ("POST", "/badges/byRoomTags", {"roomTags": ["x"]}),
    ("PUT", "/rooms/r/lastRead", {"messageId": "m1"}),
    ("PUT", "/rooms/r/lastRead", b'{"message": m1}'),
    ("PUT", "/rooms/r/lastRead?x=1", {"message": "m1"}),
    ("HEAD", "/me/badge", None),
    ("GET", "/me/badge?roomTags=caf%C3%A9+x", None),
    ("POST", "/badges/byRoomTags", None),
    ("POST", "/badges/byRoomTags", {}),
    ("POST", "/badges/byRoomTags", {"tags": ["x", "x", "none"]}),
    ("POST", "/badges/byRoomTags", {"tags": "x"}),
    ("POST", "/badges/byRoomTags", {"tags": [1]}),
    ("POST", "/badges/byRoomTags", b"null"),
    ("PUT", "/me/lastReads", {"items": [{"room": "r", "message": "m2"}]}),
    ("PUT", "/me/lastReads", {"items": []}),
    ("PUT", "/me/lastReads", {"items": [{"room": "r"}]}),
    ("PUT", "/me/lastReads", {"items": [{"room": "r", "message": "m1"}] * 201}),
]


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    await imkit.room("r", "al", "bo", tags=("x", "y"))
    await imkit.room("strangers", "bo")
    for message in ("m1", "m2", "m3"):
        await imkit.post("r", "bo", message)
    await imkit.sign_in("al")
    return imkit


async def ask(imkit: Imkit, question: tuple[str, str, Any], headers: dict[str, str]) -> httpx.Response:
    method, path, body = question
    return await imkit.call(method, path, body, headers)


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda question: f"{question[0]} {question[1]} {str(question[2])[:30]}"
)
async def test_both_ways_answer_alike(al: Imkit, question: tuple[str, str, Any]) -> None:
    """Each way is asked twice, because the first answer may change the second."""
    user = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}
    for headers in (user, {"IM-CLIENT-KEY": CLIENT_KEY}, {**user, "IM-CLIENT-KEY": "wrong"}, {"IM-API-KEY": API_KEY}):
        await ask(al, question, headers)
        fast = await ask(al, question, headers)
        framework = await ask(al, question, headers | BROWSER)
        assert (fast.status_code, fast.content) == (framework.status_code, framework.content)
        assert fast.headers["content-type"] == framework.headers["content-type"]


async def test_items_are_answered_one_by_one(al: Imkit) -> None:
    """An item that is refused does not affect the others.

    The badge is the one after all of them.
    """
    await al.room("s", "al", "bo")
    await al.post("s", "bo", "n1")
    items = [("r", "m2"), ("nowhere", "m1"), ("strangers", "m1"), ("r", "unknown"), ("s", "n1"), ("r", "m1")]
    body = {"items": [{"room": room, "message": message} for room, message in items]}
    answer = result(await al.as_user("al", "PUT", "/me/lastReads", body))
    assert answer["client"] == "al"
    assert answer["badge"] == 1
    assert [item.get("result") or item["error"]["code"] for item in answer["results"]] == [
        {"room": "r", "lastRead": "m2", "unread": 1},
        "ROOM_NOT_FOUND",
        "ROOM_NOT_FOUND",
        "ROOM_NOT_FOUND",
        {"room": "s", "lastRead": "n1", "unread": 0},
        {"room": "r", "lastRead": "m2", "unread": 1},
    ]


async def test_an_item_that_is_malformed_refuses_the_whole_call(al: Imkit) -> None:
    """No item is done."""
    before = await al.everything()
    body = {"items": [{"room": "r", "message": "m2"}, {"room": "r", "message": 5}]}
    answer = await al.as_user("al", "PUT", "/me/lastReads", body)
    assert answer.content == refusal(
        400, "Bad Request", "INVALID_BODY", "Expected `str`, got `int` - at `$.items[1].message`"
    )
    assert await al.everything() == before

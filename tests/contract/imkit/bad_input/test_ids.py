"""Impossible ids of rooms, messages and users."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.contract.imkit.bad_input.refusals import NO_MESSAGE, READ, bad_body, refused
from tests.support.imkit import Imkit, refusal, result


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
    """Clients shorten /messages/.. before they send it, so a call about a message would become one
    about its room.
    """
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
    """Names that look like numbers or patterns are taken literally."""
    await imkit.room(name, name, tags=(name,))
    await imkit.room("1000000000000000", name)
    await imkit.post(name, "bo", name)
    assert await imkit.badge(name, name) == 1
    answer = await imkit.as_backend("PUT", f"/rooms/{quote(name, safe='')}/lastRead", {"message": name}, user=name)
    assert result(answer) == {"client": name, "lastRead": name, "badge": 0, "unread": 0}

"""Calls and answers for the tests of rooms."""

from typing import Any
from urllib.parse import quote

import httpx

from readstate.domain.direct import direct_room
from tests.support.imkit import Imkit, refusal, result

NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")


NOT_FOUND = refusal(
    404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
)


NO_MESSAGE = refusal(404, "Not Found", "MESSAGE_NOT_FOUND", "Message not found")


STRANGER = refusal(403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room")


NO_MANAGER = refusal(403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "Only the owner or a manager may do this")


NO_DELETER = refusal(403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only the owner or a manager may do this")


OF_TWO = direct_room("ann", "ben")


HASHED = direct_room("a" * 100, "b" * 100)


DIRECT_ONLY = "a direct room is for two: name exactly one other person"


async def members_of(imkit: Imkit, room: str = "r") -> set[str]:
    return {member["_id"] for member in result(await imkit.as_backend("GET", at(room)))["members"]}


def at(room: str, call: str = "") -> str:
    """The path of a room, or of a call about it."""
    return f"/rooms/{quote(room, safe='')}{call}"


async def refused(imkit: Imkit, user: str, method: str, path: str, body: Any = None) -> httpx.Response:
    """The answer to a call that changes nothing."""
    before = await imkit.everything()
    answer = await imkit.as_user(user, method, path, body)
    assert answer.status_code in (400, 403, 404), answer.text
    assert await imkit.everything() == before
    return answer


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]

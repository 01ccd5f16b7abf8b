"""The exact answers to bad calls."""

import httpx

from tests.support.imkit import Imkit, refusal

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


async def refused(imkit: Imkit, answer: httpx.Response, before: dict[str, bytes]) -> bytes:
    """The body of an answer. It is JSON, and nothing has changed."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert await imkit.everything() == before
    return answer.content

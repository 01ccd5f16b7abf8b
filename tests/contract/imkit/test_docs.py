"""docs/imkit.md lists exactly the calls of the routing table, and no call that is not offered."""

import re
from pathlib import Path

import pytest

from readstate.dialects.imkit.api import HANDLERS
from readstate.dialects.imkit.operation import Access
from tests.support.imkit import Imkit, refusal

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "imkit.md").read_text(encoding="utf-8")
_CALL = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`]+)`")
WHO = {
    "user": Access.CLIENT,
    "user, by token": Access.CLIENT,
    "either": Access.EITHER,
    "backend": Access.BACKEND,
    "client key and `tokens`, or backend": Access.TOKENS,
}


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| `")
    ]


def in_words(path: str) -> str:
    """A path of the routing table as the page writes it."""
    return re.sub(r"\{(\w+):str\}", lambda name: {"room": ":id", "message": ":messageID"}.get(name[1], ":uid"), path)


def test_the_page_has_every_call_and_says_who_may_make_it() -> None:
    offered = {}
    for call, who, *_ in rows("What is offered"):
        method, path = _CALL.findall(call)[0]
        offered[method, re.sub("/(clients|people)/:id", r"/\1/:uid", path)] = WHO[who]
    there = {}
    for handler in HANDLERS:
        ((method, path),) = ((method, path) for method in handler.http_methods for path in handler.paths)
        there[str(method), in_words(path)] = handler.opt["operation"].access
    assert offered == there


NOT_OFFERED = [call for row in rows("What is not offered") for call in _CALL.findall(row[0])]


@pytest.mark.parametrize(("method", "path"), NOT_OFFERED)
async def test_what_is_not_offered_is_not_found(imkit: Imkit, method: str, path: str) -> None:
    """Such a path is no room id and no unknown method."""
    await imkit.room("r", "al")
    path = re.sub(r":\w+", "x", path.replace("/rooms/:id", "/rooms/r"))
    for end in ("", "/"):
        answer = await imkit.as_user("al", method, path + end, None if method == "GET" else {})
        assert answer.content == refusal(404, "Not Found", "NOT_FOUND", "No such path")

"""The pages of docs/reference/ say what the code says."""

import sys

import pytest

from tests.docs.reference import FOLDER, pages

MADE = pages()
WRITE = "run `python -m tests.docs.reference`"


@pytest.mark.parametrize("name", MADE)
def test_a_page_is_made_from_the_code(name: str) -> None:
    if name.startswith("commands/") and sys.version_info[:2] != (3, 11):
        pytest.skip("each version of Python lays out the help of a command in its own way")
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name], WRITE


def test_there_is_no_other_page() -> None:
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md")} == set(MADE), WRITE


def test_every_call_has_its_request_its_answer_and_its_errors() -> None:
    calls = MADE["http.md"].split("\n## ")[1:]
    assert len(calls) > 25
    assert [call.splitlines()[0] for call in calls if "Answer:" not in call or "Errors: " not in call] == []

"""The glossary and the code have the same words, each with one meaning."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TERM = re.compile(r"^\| \*\*(.+?)\*\* \|", re.MULTILINE)
TERMS = [
    word
    for term in TERM.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    for word in term.split(", ")
]
CODE = [
    *(ROOT / "service").rglob("*.py"),
    *(ROOT / "lua").rglob("*.lua"),
    *(ROOT / "loadtest").rglob("*.py"),
]


@pytest.fixture(scope="module")
def words() -> str:
    """The words of the code in a row: those of names too, whatever case a name is in."""
    text = " ".join(path.read_text(encoding="utf-8") for path in CODE)
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()
    return re.sub(r"[\W_]+", " ", apart)


def test_no_word_has_two_meanings() -> None:
    assert len(TERMS) > 100
    assert [word for word, times in Counter(map(str.lower, TERMS)).items() if times > 1] == []


@pytest.mark.parametrize("term", TERMS)
def test_the_code_uses_each_word(term: str, words: str) -> None:
    """Or the word is of an idea that is gone, or has another name."""
    spelt = r"\W+".join(map(re.escape, re.split(r"[\s-]+", term.lower())))
    assert re.search(rf"\b{spelt}(?:s|d|ed)?\b", words), f"{term} is in the glossary and not in the code"

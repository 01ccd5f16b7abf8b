"""The pages name files that exist, and are no wider than the comments in the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "loadtest" / "README.md",
    ]
)
COLUMNS = 100
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:service|lua|tests|loadtest|docs)/[\w./*-]+)`")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    return CODE.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_exists(page: Path) -> None:
    """Links to other pages, and paths from the root of the checkout."""
    links = [link for link in LINK.findall(prose(page)) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists() and "NNNN" not in link] == []
    assert [path for path in PATH.findall(prose(page)) if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "benchmarks.md"],  # which `make bench` writes
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_a_page_can_be_read_in_a_terminal(page: Path) -> None:
    """A table's row is one line, and so is a link."""
    wide = [line for line in prose(page).splitlines() if len(line) > COLUMNS and not line.startswith("|")]
    assert [line for line in wide if not re.fullmatch(r"\W*\[.*\]\(.*\)\W*", line)] == []


def test_where_to_change_what_leads_to_files_that_are_there() -> None:
    table = prose(ROOT / "CONTRIBUTING.md").split("## Where do I change")[1]
    named = re.findall(r"`([\w./]+\.(?:py|lua|md)|[\w/]+/)`", table)
    assert len(named) > 20
    for path in named:
        assert any((base / path).exists() for base in (ROOT, ROOT / "service" / "readstate")), path

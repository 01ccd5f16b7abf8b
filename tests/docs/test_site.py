"""The site is whole: every page is in its navigation, and every link leads somewhere.

`make docs` checks the same with mkdocs. Here nothing has to be installed.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUTSIDE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "loadtest/README.md"]
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in OUTSIDE)])
LINK = re.compile(r"\]\(([^)#\s:]*)(#[^)\s]+)?\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def prose(page: Path) -> str:
    return CODE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge and as the site make them.

    One that the two make differently is none: a link to it would fail in one place.
    """
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    bare = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {one.replace(" ", "-") for one in bare if one.replace(" ", "-") == re.sub(r"[-\s]+", "-", one)}


def leaves(nav: Any) -> Iterator[str]:
    """The paths of the pages in a part of the navigation."""
    for one in nav:
        for value in one.values() if isinstance(one, dict) else [one]:
            yield from leaves(value) if isinstance(value, list) else [value]


def navigation() -> list[str]:
    return list(leaves(yaml.safe_load((DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def in_the_site() -> dict[str, str]:
    """Where the pages from outside docs/ are in the site, as the hook has it."""
    hook = ast.parse((DOCS / "site" / "hooks.py").read_text(encoding="utf-8"))
    (found,) = (
        one.value for one in hook.body if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "OUTSIDE"
    )
    outside: dict[str, str] = ast.literal_eval(found)
    return outside


def test_every_page_is_in_the_navigation_once() -> None:
    """Commands and decisions are added by a hook, all of them."""
    named = navigation()
    by_hook = {DOCS / "decisions", DOCS / "reference" / "commands"}
    inside = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.parent not in by_hook]
    assert sorted(named) == sorted([*inside, *in_the_site().values()])


def test_the_hook_knows_the_pages_from_outside() -> None:
    assert list(in_the_site()) == OUTSIDE


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_page_and_its_heading(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(prose(page)):
        found = (page.parent / target).resolve() if target else page
        if "NNNN" not in target and not found.exists():
            broken.append(target)
        elif anchor and found.suffix == ".md" and anchor[1:] not in anchors(found):
            broken.append(f"{target}{anchor}")
    assert broken == []


def test_the_index_leads_to_every_page() -> None:
    """By itself, or by the section that the page is in."""
    index = DOCS / "index.md"
    led_to = {(DOCS / target).resolve() for target, _ in LINK.findall(prose(index)) if target}
    alone = [page for folder in (".", "how-to", "decisions") for page in (DOCS / folder).glob("*.md") if page != index]
    assert [name(page) for page in alone if page not in led_to] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_table_is_in_one_piece(page: Path) -> None:
    """Rows behind an empty line are text with bars in it."""
    blocks = re.findall(r"(?:^\|.*\n)+", prose(page) + "\n", re.MULTILINE)
    assert [block for block in blocks if not re.match(r".*\n\|[ |:-]+\|\n", block)] == []

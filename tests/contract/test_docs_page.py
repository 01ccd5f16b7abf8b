"""The page /docs: it works without any other host, and is there only where it is to be."""

import gzip
import re
from urllib.parse import urljoin

import msgspec
import pytest

from readstate.dialects.access import costs
from readstate.settings import Settings
from tests.support.imkit import Imkit, in_process

HOSTS = re.compile(r"(?:https?:)?//[a-z]", re.IGNORECASE)


def policy(header: str) -> dict[str, list[str]]:
    """The sources that a Content-Security-Policy allows, by what is loaded."""
    rules = (rule.split() for rule in header.split(";"))
    return {name: sources for name, *sources in rules}


async def test_a_browser_finds_on_the_page_all_that_it_needs(imkit: Imkit) -> None:
    page = await imkit.call("GET", "/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/rapidoc-min.js", "docs/page.js", "docs/page.css"} < set(named)
    for reference in named:
        if not reference.startswith("data:"):
            assert (await imkit.call("GET", urljoin("/docs", reference))).status_code == 200, reference


async def test_it_names_no_other_host_and_lets_the_browser_ask_none(imkit: Imkit) -> None:
    """The program has addresses of fonts in it. The policy holds even if it should ask for them."""
    page = await imkit.call("GET", "/docs")
    for path in ("/docs", "/docs/page.js", "/docs/page.css"):
        assert not HOSTS.search((await imkit.call("GET", path)).text), path
    sources = policy(page.headers["content-security-policy"])
    assert sources["default-src"] == ["'none'"]
    assert {one for allowed in sources.values() for one in allowed} == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert sources["script-src"] == sources["connect-src"] == ["'self'"]
    assert "<script>" not in page.text


async def test_its_program_is_the_published_one(imkit: Imkit) -> None:
    """With its licences beside it."""
    program = await imkit.call("GET", "/docs/rapidoc-min.js", None, {"Accept-Encoding": "gzip"})
    assert program.headers["content-encoding"] == "gzip"
    assert program.text.startswith("/*! RapiDoc 9.3.8 ")
    assert len(gzip.compress(program.content)) < 250_000
    assert "MIT License" in (await imkit.call("GET", "/docs/LICENSE")).text


async def test_it_costs_a_stranger_as_much_as_the_document(imkit: Imkit) -> None:
    assert costs.STRANGERS["docs"] == costs.STRANGERS["schema"]


async def test_the_root_names_it(imkit: Imkit) -> None:
    assert (await imkit.call("GET", "/")).json()["docs"] == "/docs"


async def test_where_it_is_off_nothing_of_it_is_there(settings: Settings) -> None:
    async with in_process(msgspec.structs.replace(settings, docs="off")) as imkit:
        for path in ("/docs", "/docs/page.js", "/docs/rapidoc-min.js"):
            assert (await imkit.call("GET", path)).status_code == 404
        assert "docs" not in (await imkit.call("GET", "/")).json()


@pytest.mark.parametrize(
    ("host", "docs", "shown"),
    [
        ("127.0.0.1", "auto", True),
        ("localhost", "auto", True),
        ("::1", "auto", True),
        ("0.0.0.0", "auto", False),
        ("10.0.0.7", "auto", False),
        ("0.0.0.0", "on", True),
        ("127.0.0.1", "off", False),
    ],
)
def test_by_itself_it_is_shown_to_this_machine_only(host: str, docs: str, shown: bool) -> None:
    settings = Settings.from_environ({"READSTATE_HOST": host, "READSTATE_DOCS": docs})
    assert settings.shows_docs() is shown

"""The locks: one set of versions, whatever part is installed, from any index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    "requirements.txt",
    "requirements-build.txt",
    "requirements-otel.txt",
    "requirements-dev.txt",
    "requirements-docs.txt",
    "requirements-peers.txt",
    "requirements-release.txt",
]


def pins(lock: str) -> set[str]:
    """Every `name==version`."""
    return {line.split()[0] for line in (ROOT / lock).read_text().splitlines() if re.match(r"[a-zA-Z0-9]", line)}


@pytest.mark.parametrize("lock", LOCKS[:3])
def test_what_is_installed_first_is_no_other_version_later(lock: str) -> None:
    """`make run` installs one lock, `make test` all of them on top, in either order."""
    assert pins(lock) - pins("requirements-dev.txt") == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_none_to_an_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert all("==" in pin for pin in pins(lock))
    assert len(re.findall(r"^[a-zA-Z0-9][^#]*?\\\n +--hash=sha256:", text, re.MULTILINE)) == len(pins(lock))
    assert not re.search("index-url|find-links|://", text)

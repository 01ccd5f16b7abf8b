"""What `make release-check` rests on, and that can be told without a package index."""

import re

import pytest

from tests.release import LICENCES, constraints, released_versions, rises, version
from tests.unit.test_requirements import pins


def test_the_newest_version_in_the_changelog_is_that_of_the_project() -> None:
    assert released_versions()[0] == version()
    assert rises(released_versions())


@pytest.mark.parametrize(
    ("versions", "do"), [(["0.10.0", "0.9.1"], True), (["0.2.0", "0.2.0"], False), (["0.1.0", "0.2.0"], False)]
)
def test_versions_rise_by_number(versions: list[str], do: bool) -> None:
    assert rises(versions) is do


def test_the_constraints_are_the_pins_without_hashes() -> None:
    """With the conditions under which each is needed, and those of the extra `otel`."""
    lines = constraints().splitlines()
    assert {line.split()[0] for line in lines} == pins("requirements-otel.txt")
    assert all(re.fullmatch(r"[a-z0-9.-]+==\S+( ; .+)?", line, re.IGNORECASE) for line in lines)


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "UNKNOWN", "AGPL"])
def test_a_licence_that_asks_for_more_is_looked_at(licence: str) -> None:
    assert not LICENCES.search(licence)

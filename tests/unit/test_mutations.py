"""The list of mutants stays true to the scripts; trying them all is `make mutants`."""

from tests.mutants.__main__ import misfits
from tests.mutants.mutations import MUTATIONS


def test_every_mutation_fits_the_scripts_as_they_are() -> None:
    """Its old text occurs exactly once. A stale one would count as killed, or never apply."""
    assert misfits(MUTATIONS) == []


def test_no_mutation_is_listed_twice_or_changes_nothing() -> None:
    """Otherwise their number would mean nothing."""
    assert len(set(MUTATIONS)) == len(MUTATIONS) >= 30
    assert all(mutation.old != mutation.new for mutation in MUTATIONS)

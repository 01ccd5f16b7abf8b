"""The list of mutants stays true to the scripts; trying them all is `make mutants`."""

import re
from pathlib import Path

import pytest

from tests.mutants import __main__ as mutants
from tests.mutants.__main__ import Killers, misfits
from tests.mutants.mutations import MUTATIONS, Mutation


def test_every_mutation_fits_the_scripts_as_they_are() -> None:
    """Its old text occurs exactly once. A stale one would count as killed, or never apply."""
    assert misfits(MUTATIONS) == []


def test_no_mutation_is_listed_twice_or_changes_nothing() -> None:
    """Otherwise their number would mean nothing."""
    assert len(set(MUTATIONS)) == len(MUTATIONS) >= 30
    assert all(mutation.old != mutation.new for mutation in MUTATIONS)


MUTATION = Mutation("lib/some.lua", "a", "b")


def test_the_test_that_noticed_a_slip_is_run_first_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "killers.json"
    Killers(path).note(MUTATION, "tests/lua/test_post.py::test_it[1]")
    assert Killers(path).likely(MUTATION) == ["tests/lua/test_post.py::test_it[1]"]
    assert Killers(path).likely(MUTATION._replace(new="c")) == ["tests/lua/test_post.py::test_it"]
    assert Killers(path).likely(Mutation("post.lua", "a", "b")) == ["tests/lua/test_post.py"]
    Killers(path).note(MUTATION, "")
    assert Killers(path).likely(MUTATION) == []


def test_for_a_slip_in_a_library_the_tests_of_its_scripts_are_run_first() -> None:
    """The nearest ones first: `mark_read` includes `reading`, which includes `members`."""
    assert mutants.namesake_tests("lib/reading.lua")[0] == "tests/lua/test_mark_read.py"
    found = mutants.namesake_tests("lib/members.lua")
    assert "tests/lua/test_mark_read.py" in found
    assert len(found) == len(set(found)) > 20


def test_a_slip_that_its_test_no_longer_notices_is_tried_on_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killer that is gone is as one that passes."""
    killers, tried = Killers(tmp_path / "killers.json"), []
    slip = Mutation("post.lua", MUTATIONS[0].old, "b")
    killers.note(slip, "tests/lua/test_gone.py::test_it")

    def first_failure(lua: Path, tests: list[str]) -> str:
        tried.append(tests)
        return "" if len(tried) == 1 else "tests/lua/test_post.py::test_other"

    monkeypatch.setattr(mutants, "first_failure", first_failure)
    assert mutants.killer_of(slip, killers) == "tests/lua/test_post.py::test_other"
    assert tried == [["tests/lua/test_gone.py::test_it"], mutants.TESTS]
    assert killers.likely(slip) == ["tests/lua/test_post.py::test_other"]


def test_known_killers_are_tests_that_there_are() -> None:
    """Else a run takes as long as the first one."""
    for killer in set(Killers()._known.values()):
        file, name = re.split(r"::|\[", killer)[:2]
        assert re.search(rf"(def|class) {name}\b", (mutants.ROOT / file).read_text()), killer

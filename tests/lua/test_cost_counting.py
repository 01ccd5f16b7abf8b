"""How costs are counted (tests/support/costs.py): turns of loops, and the formulas of headers."""

from pathlib import Path

import pytest

from readstate.store import scripts
from readstate.store.connect import connect
from tests.support.calls import plain_call
from tests.support.costs import Cost, Counting, allowed, with_turns_counted
from tests.support.servers import Server

LOOPS = """\
#!lua flags=no-writes
-- Key        any
-- Args       none
-- Reply      text
--@include lib/one
-- for x in y do: a comment
local text = "while true do repeat for do"
for _ in string.gmatch("a b c", "%a") do
    for number = 1, 2 do one() end
end
local left = 4
while left > 0 do left = left - 1 end
repeat left = left + 1 until left > 4
return text
"""
ONE = "local function one()\n    do\n        for _ = 1, 10 do\n        end\n    end\nend\n"


async def test_the_turns_of_all_loops_are_counted_and_nothing_else(server: Server, tmp_path: Path) -> None:
    """Three of the first, two in each of them and ten in the library for each of those, four, and
    five that end below.
    """
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "one.lua").write_text(ONE)
    (tmp_path / "loops.lua").write_text(LOOPS)
    executor = await connect(server.url)
    executor.scripts = with_turns_counted(scripts.load_scripts("atomic", tmp_path), "loops")
    counting = Counting(executor)
    await counting.of("loops", executor.call(plain_call("loops"), "k"))
    await executor.close()
    assert counting.counted == [Cost(commands=0, turns=3 + 3 * 2 + 3 * 2 * 10 + 4 + 5)]


@pytest.mark.parametrize(
    ("header", "cost"),
    [
        ("-- Cost       commands <= 2 + members, turns <= 3 * log(tags)", Cost(7, 9)),
        ("-- Cost       commands <= max(members, tags),\n--            turns <= tags / 2", Cost(7, 3)),
        (
            "-- Cost       commands <= 2 + members\n--            + 2 * tags,\n--            turns <= tags\n"
            "--            + members\n--            tags: of the room",
            Cost(21, 12),
        ),
    ],
)
def test_a_formula_is_read(header: str, cost: Cost) -> None:
    assert allowed(header, {"members": 5, "tags": 7}) == cost


@pytest.mark.parametrize("header", ["-- Cost       O(members)", "-- Cost       commands <= 2, turns <= rooms"])
def test_a_header_without_a_formula_or_with_unknown_names_fails(header: str) -> None:
    with pytest.raises(AssertionError, match=r"header has no line|names rooms"):
        allowed(header, {"members": 5})

"""Each script costs what its header says, in a small world and at the limits of the README:
commands and turns, no clock.

Two sizes, so that a product that the formula does not name is seen. On both plans, whose scripts
differ; each on one server, where all that a script does can be counted.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from readstate.store import scripts
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.scripts import Plan
from tests.lua.cost_cases import audits, messages, people, reading, rooms, transfers, users, workers
from tests.lua.cost_cases.world import CASES, NAMES, ON_THE_SPLIT_PLAN, SLACK, World
from tests.support.costs import allowed, with_turns_counted
from tests.support.servers import Server

CASE_FILES = (audits, rooms, messages, people, reading, transfers, users, workers)  # each of them adds to CASES


@pytest.fixture(params=["atomic", "split"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return request.param  # type: ignore[no-any-return]


@pytest_asyncio.fixture
async def executor(server: Server, plan: Plan, lua_dir: Path | None, name: str) -> AsyncIterator[Executor]:
    """One server, whatever the plan, with scripts that count."""
    executor = await connect(server.url, lua=lua_dir)
    executor.plan = plan
    executor.scripts = with_turns_counted(scripts.load_scripts(plan, lua_dir), name)
    yield executor
    await executor.close()


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_script_costs_what_its_header_says(
    name: str, executor: Executor, app: str, *, large: bool, lua_dir: Path | None
) -> None:
    """And not far less: a formula that allows any number is none."""
    if name in ON_THE_SPLIT_PLAN and executor.plan == "atomic":
        pytest.skip("is called on the split plan only")
    assert name in CASES, f"nothing tries {name}.lua: add a case that runs it at its limits"
    world = World(executor, app, name, large=large)
    sizes = await CASES[name](world)
    await world.idle()
    limit = allowed(((lua_dir or scripts.lua_dir()) / f"{name}.lua").read_text(), sizes)
    assert world.counted, f"{name}.lua did not run"
    commands, turns = max(one.commands for one in world.counted), max(one.turns for one in world.counted)
    guarded = 1 if executor.plan == "split" else 0  # store/guards.py
    assert commands <= limit.commands + guarded, (
        f"{commands} commands, and the header allows {limit.commands} with {sizes}"
    )
    assert turns <= limit.turns, f"{turns} turns, and the header allows {limit.turns} with {sizes}"
    if large and executor.plan == "atomic":
        assert limit.commands <= 3 * commands + SLACK, (
            f"{commands} commands, but the header allows {limit.commands} with {sizes}"
        )
        assert limit.turns <= 3 * turns + SLACK, f"{turns} turns, but the header allows {limit.turns} with {sizes}"

"""Random histories: in any order of operations and repeats, the scripts equal the model."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from readstate.store.connect import connect
from readstate.store.executor import Executor
from tests.support.machine import Bench, ReadStateMachine
from tests.support.moving import disturbances
from tests.support.servers import Cluster, Server


@pytest.fixture
def counts(request: pytest.FixtureRequest, full: bool) -> settings:
    """The number of programs, and of their steps."""
    programs = request.config.getoption("--programs") or (2000 if full else 14)
    # Some programs are shorter than they may be; the surplus makes up for them.
    return settings(max_examples=programs * 11 // 10, stateful_step_count=56 if full else 36)


@pytest.mark.timeout(3600)
def test_one_server_equals_the_model(server: Server, lua_dir: Path | None, counts: settings) -> None:
    """The atomic plan, restarts of the server included."""
    run_programs(server, lua_dir, counts, server.restart, restart_odds=20)


@pytest.mark.timeout(3600)
def test_a_cluster_equals_the_model(cluster: Cluster, lua_dir: Path | None, counts: settings) -> None:
    """The split plan, restarts of a node and moves of slots included."""
    run_programs(cluster, lua_dir, counts, disturbances(cluster), restart_odds=80)


def run_programs(
    where: Server | Cluster,
    lua_dir: Path | None,
    counts: settings,
    restart: Callable[[], None],
    *,
    restart_odds: int,
) -> None:
    with asyncio.Runner() as runner:
        executor: Executor = runner.run(connect(where.url, lua=lua_dir))
        bench = Bench(runner.run, executor, restart, restart_odds, where.term_of)
        try:
            run_state_machine_as_test(lambda: ReadStateMachine(bench), settings=counts)  # type: ignore[arg-type]
        finally:
            print(f"{bench.programs} programs, {bench.steps} steps on the {executor.plan} plan")
            runner.run(executor.close())

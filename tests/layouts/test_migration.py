"""Random histories in which rooms are again and again as layout 1 had them.

They are migrated when they are next asked for, or by steps that end anywhere. The scripts equal
the model all the same.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from readstate.store import lua
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.script_calls import Call
from readstate.store.scripts import lua_dir as lua_of_the_checkout
from tests.support.copies import USERS
from tests.support.machine import Bench, ReadStateMachine, rooms
from tests.support.servers import Cluster, Server

WRITE_FIRST_LAYOUT: Call[int] = Call("write_first_layout", (), int)


@pytest.fixture
def lua_with_writer(lua_dir: Path | None) -> Iterator[Path]:
    """The scripts, and the one that writes layout 1."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(lua_dir or lua_of_the_checkout(), directory, dirs_exist_ok=True)
        shutil.copy(Path(__file__).parent / "lua" / "write_first_layout.lua", directory)
        yield Path(directory)


class EarlierLayoutMachine(ReadStateMachine):
    """Also writes rooms in layout 1, and begins to migrate them: now and then, and before every
    third operation the room that it is about.
    """

    written = 0  # rooms, in all programs

    @rule(room=rooms, steps=st.integers(0, 6), most=st.integers(1, 5))
    def write_in_the_first_layout(self, room: str, steps: int, most: int) -> None:
        self.run(self._write(room, steps, most))

    async def _do(self, method: str, arguments: dict[str, Any]) -> None:
        if self.step % 3 == 0:
            await self._write(arguments["room"], self.step % 4, 1 + self.step % 5)
        await super()._do(method, arguments)

    async def _write(self, room: str, steps: int, most: int) -> None:
        # In layout 1 no copy lags.
        for user in USERS:
            await self._ask(user, 0)
        key = Keys.room(self.app, room)
        if not await self.bench.executor.call(WRITE_FIRST_LAYOUT, key):
            return
        EarlierLayoutMachine.written += 1
        for there in (self.model.worlds.get(self.app, {}).get(room), self.model.buried.get((self.app, room))):
            if there:
                there.term = None  # which layout 1 does not know
        if known := self.copies.rooms.get(room):
            attentive_until = 0 if known.derived else self.model.worlds[self.app][room].ordinal + 1
            known.attentive_until = dict.fromkeys(known.attentive_until, attentive_until)
            known.indexed, known.large = set(), known.derived
        for _ in range(steps):
            await self.bench.executor.call(lua.migrate_room(most=most), key)


@pytest.mark.timeout(3600)
def test_one_server_equals_the_model(
    server: Server, lua_with_writer: Path, full: bool, request: pytest.FixtureRequest
) -> None:
    run_programs(server, lua_with_writer, _counts(request, full), server.restart, 20)


@pytest.mark.timeout(3600)
def test_a_cluster_equals_the_model(
    cluster: Cluster, lua_with_writer: Path, full: bool, request: pytest.FixtureRequest
) -> None:
    run_programs(cluster, lua_with_writer, _counts(request, full), cluster.restart_one, 80)


def _counts(request: pytest.FixtureRequest, full: bool) -> settings:
    programs = request.config.getoption("--programs") or (500 if full else 6)
    return settings(max_examples=programs, stateful_step_count=50 if full else 30)


def run_programs(
    where: Server | Cluster, scripts: Path, counts: settings, restart: Callable[[], None], restart_odds: int
) -> None:
    with asyncio.Runner() as runner:
        executor: Executor = runner.run(connect(where.url, lua=scripts))
        bench = Bench(runner.run, executor, restart, restart_odds, where.term_of)
        before = EarlierLayoutMachine.written
        try:
            machine: Any = lambda: EarlierLayoutMachine(bench)  # noqa: E731 - hypothesis wants a class or its like
            run_state_machine_as_test(machine, settings=counts)
        finally:
            print(f"{bench.programs} programs, {EarlierLayoutMachine.written - before} rooms written in layout 1")
            runner.run(executor.close())
        assert EarlierLayoutMachine.written > before

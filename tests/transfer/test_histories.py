"""Random histories: what was imported is what was exported, on the same plan and on the other one,
also after an import was broken off anywhere.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from readstate.domain.receipts import Filter
from readstate.domain.transfer import Line
from readstate.errors import Fault
from readstate.store.connect import connect
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.users import RedisUsers
from tests.support.copies import USERS
from tests.support.machine import JOURNAL_MOVES, Bench, ReadStateMachine, in_order, outcome_of, rooms, users
from tests.support.receipts import whole_list
from tests.support.servers import Cluster, Server
from tests.support.transfers import Breaking, bring_in, exported, rooms_of

IMPORTED = "imported"


class TransferMachine(ReadStateMachine):
    """The same programs; from time to time everything is exported and imported elsewhere."""

    def __init__(self, bench: Bench, other: Bench) -> None:
        super().__init__(bench)
        self.other = other
        self.imports = 0

    @rule(user=users, value=st.sampled_from((b'"a"', b'{"b":1}')))
    def profile(self, user: str, value: bytes) -> None:
        self.run(RedisUsers(self.bench.executor).upsert_user(app=self.app, user=user, profile={"name": value}))

    @rule(room=rooms, one=users, other=users, turns=st.integers(2, 40))
    def talk(self, room: str, one: str, other: str, turns: int) -> None:
        """Journals grow, sometimes beyond what is kept."""
        for turn in range(turns):
            self.post_without_an_id(room, (one, other)[turn % 2], True)

    @rule(elsewhere=st.booleans(), dies_after=st.integers(1, 60))
    def move(self, elsewhere: bool, dies_after: int) -> None:
        self.run(self._move(self.other if elsewhere else self.bench, dies_after))

    def teardown(self) -> None:
        super().teardown()
        if self.whole:
            self.run(self._move(self.other, 10_000))

    async def _move(self, bench: Bench, dies_after: int) -> None:
        self.imports += 1
        app, source = f"{IMPORTED}{self.bench.programs}", str(self.imports)
        await bench.executor.each_node("FLUSHALL") if bench is self.other else await self._forget(app)
        lines = await exported(self.bench.executor, self.app)
        store = self._store_on(bench.executor)
        dying = Breaking(bench.executor, dies_after)
        try:
            await bring_in(self._store_on(dying), lines, app, source=source)
        except Fault:
            assert dying.has_died
            assert await store.audit.audit_all(app=app) == []
        await bring_in(store, lines, app, source=source)
        assert await store.audit.audit_all(app=app) == []
        assert await exported(bench.executor, app) == lines
        await self._check_nothing_is_staged(bench, app)
        await self._check_answers(store, app, lines)
        assert (await bring_in(store, lines, app, source="another")).counted.keys() <= {"users", "rooms there already"}
        assert await exported(bench.executor, app) == lines

    def _store_on(self, executor: Any) -> RedisStore:
        return redis_store(
            executor, fanout_limit=self.bounds.limit, attention_posts=self.bounds.attention, journal_moves=JOURNAL_MOVES
        )

    async def _forget(self, app: str) -> None:
        for found in await self.bench.executor.each_node("KEYS", f"{{[ru]:{app}:*"):
            for key in found:
                await self.bench.executor.command("DEL", key, key=key.decode())

    async def _check_nothing_is_staged(self, bench: Bench, app: str) -> None:
        found = [key for keys in await bench.executor.each_node("KEYS", f"{{r:{app}:*") for key in keys]
        assert not [key for key in found if re.search(rb"\}:t", key)]

    async def _check_answers(self, store: RedisStore, app: str, lines: list[Line]) -> None:
        """What callers are answered."""
        for room in rooms_of(lines):
            await self._check_same(store, app, "members", room=room, limit=1000)
            for user in USERS:
                await self._check_same(store, app, "room", room=room, user=user)
            there = self.model.worlds[self.app][room]
            for message in there.messages[-12:]:
                for which in Filter:
                    real = await outcome_of(whole_list(store, app, room, message.id, which))
                    true = await outcome_of(whole_list(self.store, self.app, room, message.id, which))
                    assert real == true, f"receipts of {message.id} in {room}"
        for user in USERS:
            await self._check_same(store, app, "rooms_of", user=user)
            self.copies.ask(user, self.model.worlds.get(self.app, {}), self.bounds)
            await self._check_same(store, app, "badges_by_tags", user=user, tags=())
        assert await store.audit.audit_all(app=app) == []

    async def _check_same(self, store: RedisStore, app: str, method: str, **arguments: Any) -> None:
        """An operation answers the same here and there."""
        noun = next(one for one in ("rooms", "badges") if hasattr(getattr(store, one), method))
        real = await outcome_of(getattr(getattr(store, noun), method)(app=app, **arguments))
        true = await outcome_of(getattr(getattr(self.store, noun), method)(app=self.app, **arguments))
        assert in_order(real) == in_order(true), f"{method} {arguments}: {real} instead of {true}"

    async def _compare(self) -> None:
        """Other tests do."""


@pytest.mark.parametrize("plan", ["atomic", "split"])
@pytest.mark.timeout(3600)
def test_an_import_is_what_was_exported(
    plan: str, server: Server, cluster: Cluster, lua_dir: Path | None, full: bool, request: pytest.FixtureRequest
) -> None:
    """From each plan to itself, and to the other one."""
    with asyncio.Runner() as runner:
        executors = [runner.run(connect(where.url, lua=lua_dir)) for where in (server, cluster)]
        one, other = executors if plan == "atomic" else executors[::-1]
        where: Server | Cluster = server if plan == "atomic" else cluster
        restart = server.restart if isinstance(where, Server) else where.restart_one
        bench = Bench(runner.run, one, restart, 80, where.term_of)
        elsewhere = Bench(runner.run, other, lambda: None, 1)
        try:
            programs = request.config.getoption("--programs") or (500 if full else 12)
            run_state_machine_as_test(
                lambda: TransferMachine(bench, elsewhere),  # type: ignore[arg-type]
                settings=settings(max_examples=programs, stateful_step_count=40 if full else 25),
            )
        finally:
            for executor in executors:
                runner.run(executor.close())

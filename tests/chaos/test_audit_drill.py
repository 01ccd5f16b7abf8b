"""Audits on a cluster while writes go on: they find what is damaged and mend it, and find nothing
that is right, also while workers are replaced by those of another release and nodes change places.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from readstate.domain.audit import Drift
from readstate.errors import Unavailable
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.tasks import cancel_and_wait
from tests.lua.test_audit_kinds import KINDS
from tests.lua.test_random_damage import NO_COUNTS, counts, left_alone, lost_room, plant
from tests.support.contents import contents
from tests.support.damage import Planter, busy_room
from tests.support.drills import Drill, Found
from tests.support.failover import LosingPair, losing_pair
from tests.support.servers import Cluster
from tests.support.traffic import Traffic
from tests.support.workers import other_release, worker

TRAFFIC = ("t1", "t2", "t3", "t4")  # rooms
AUDITS, FAILOVERS, WORKERS = 22, 6, 3
RANDOM = 1000  # values with random bytes


@pytest_asyncio.fixture
async def executor(cluster: Cluster) -> AsyncIterator[Executor]:
    executor = await connect(cluster.url)
    yield executor
    await executor.close()


class Damage:
    """Damages one room and the sides of its members, and audits all while others write."""

    def __init__(self, executor: Executor, app: str, found: Found) -> None:
        self._executor, self._app, self._found = executor, app, found
        self._store = redis_store(executor, attention_posts=2)
        self._dumps: Mapping[bytes, bytes] = {}
        self._counts: Mapping[str, object] = {}

    async def prepare(self) -> None:
        await busy_room(self._store, self._app)
        self._counts = await counts(self._store, self._app)
        self._dumps = await contents(self._store, self._app)

    async def plant_kinds(self, number: int) -> None:
        """The kinds of damage one after the other, `number` of them."""
        for kind in random.Random(number).sample(KINDS, number):
            await kind.plant(Planter(self._executor, self._app))
            if not await self._audit(repair=False) and not kind.paid:
                self._found.wrong.append(f"{kind.name}: it was not found")
            await self._mend(kind.name)
            self._found.count("planted kinds")

    async def plant_bytes(self, number: int) -> None:
        """Random bytes in so many random values, one after the other."""
        chance = random.Random(number)
        keys = sorted(key.decode() for key in self._dumps if not key.endswith(tuple(map(str.encode, NO_COUNTS))))
        for _ in range(number):
            planted = await plant(self._executor, keys, chance)
            drifts = await self._audit(repair=False)
            if left_alone(drifts):
                await self._put_back()
            elif drifts:
                await self._mend(planted, may_be_lost=lost_room(drifts))
            elif await counts(self._store, self._app) != self._counts:
                self._found.wrong.append(f"{planted}: it was not found")
                await self._put_back()
            self._found.count("random bytes")

    async def _mend(self, planted: str, *, may_be_lost: bool = True) -> None:
        """Audit with repair. Then nothing is found any more, and members are answered."""
        for drift in await self._audit(repair=True):
            if not drift.mended:
                self._found.wrong.append(f"{planted}: {drift} was not mended")
        self._found.wrong += [f"{planted}: {drift} is still there" for drift in await self._audit(repair=False)]
        if not may_be_lost:
            await counts(self._store, self._app)
        await self._put_back()

    async def _audit(self, *, repair: bool) -> list[Drift]:
        """The differences of what was damaged; any other one is a false finding."""
        drifts = await self._store.audit.audit_all(app=self._app, repair=repair)
        self._found.count("audits")
        false = [drift for drift in drifts if any(room in (drift.room, drift.user[-2:]) for room in TRAFFIC)]
        self._found.errors += [f"false: {drift}" for drift in false]
        return [drift for drift in drifts if drift not in false]

    async def _put_back(self) -> None:
        """All as it was, but for the rooms of the traffic and their users."""
        await self._store.outbox.idle()
        found = await self._executor.each_node("KEYS", Keys.everything_of(self._app))
        for key in {key for keys in found for key in keys} - self._dumps.keys():
            if not any(key[: key.index(b"}")].endswith(room.encode()) for room in TRAFFIC):
                await self._executor.command("DEL", key, key=key.decode())
        for key, dump in self._dumps.items():
            await self._executor.command("RESTORE", key, 0, dump, "REPLACE", key=key.decode())


@pytest.mark.timeout(900)
async def test_damage_is_found_and_mended_while_others_write(drill: Drill, executor: Executor, app: str) -> None:
    traffic = Traffic([redis_store(executor, attention_posts=2)], app, TRAFFIC, pause_s=0.5)
    damage = Damage(executor, app, traffic.found)
    await damage.prepare()
    await traffic.prepare()

    async def plant_all() -> None:
        await damage.plant_kinds(len(KINDS) if drill.long else 8)
        await damage.plant_bytes(RANDOM if drill.long else 8)

    await traffic.run(plant_all())
    await traffic.check()
    drill.report("damage while others write", traffic.found)


class Upgrade:
    """Workers of a cluster that are replaced one after the other, under load."""

    def __init__(self, pair: LosingPair, stack: AsyncExitStack) -> None:
        self._url = pair.url
        self._stack = stack
        self._running: list[tuple[RedisStore, AsyncExitStack]] = []

    async def begin(self, number: int) -> list[RedisStore]:
        for _ in range(number):
            self._running.append(await self._start(None))
        return [store for store, _ in self._running]

    async def to(self, lua: Path | None, traffic: Traffic) -> None:
        """Replace all workers by those of another release."""
        for old, stop in list(self._running):
            new = await self._start(lua)
            await traffic.replace(old, new[0])
            await stop.aclose()
            self._running.remove((old, stop))
            self._running.append(new)
            traffic.found.count("workers replaced")

    async def _start(self, lua: Path | None) -> tuple[RedisStore, AsyncExitStack]:
        own = await self._stack.enter_async_context(AsyncExitStack())
        while True:
            try:
                _, store = await own.enter_async_context(worker(self._url, lua))
            except Unavailable:  # a node gives way at this moment; a service waits for it as well
                await asyncio.sleep(0.1)
            else:
                return store, own


@pytest.mark.timeout(900)
async def test_nothing_is_found_during_upgrades_and_planned_failovers(drill: Drill, app: str, tmp_path: Path) -> None:
    """And no call fails."""
    other = other_release(tmp_path)
    async with losing_pair() as pair, AsyncExitStack() as stack:
        upgrade = Upgrade(pair, stack)
        traffic = Traffic(await upgrade.begin(WORKERS), app, TRAFFIC, pause_s=0.02)
        found = traffic.found

        async def audit(turn: int) -> None:
            found.errors += [f"false: {d}" for d in await pair.store.audit.audit_all(app=app, repair=turn % 2 == 1)]
            found.count("audits")

        async def give_way(_: int) -> None:
            await pair.give_way()
            found.count("planned failovers")
            await asyncio.sleep(1)

        async def replace(turn: int) -> None:
            await upgrade.to((other, None)[turn % 2], traffic)

        async def everything() -> None:
            await asyncio.gather(
                in_turn(audit, AUDITS if drill.long else 2),
                in_turn(give_way, FAILOVERS if drill.long else 1),
                in_turn(replace, 6 if drill.long else 1),
            )

        await traffic.prepare()
        background = asyncio.create_task(pair.failovers.keep_reconciling())
        try:
            await traffic.run(everything())
        finally:
            await cancel_and_wait(background)
        await traffic.check()
    found.errors += [what for what in ("refused calls", "calls of unknown outcome") if found.done.get(what)]
    drill.report("audits, upgrades and planned failovers", found)


async def in_turn(step: Callable[[int], Awaitable[None]], times: int) -> None:
    for turn in range(times):
        await step(turn)

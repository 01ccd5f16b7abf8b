"""Workers of two releases on one store: a rolling upgrade, and the way back."""

import asyncio
import re
from pathlib import Path

import pytest

from readstate.parts import why_not_ready
from readstate.store.executor import Executor
from readstate.store.health import WriteHealth
from readstate.store.keys import Keys
from readstate.store.layout import StoreLayout
from readstate.store.redis_store import RedisStore
from readstate.store.scripts import PREFIX, Plan, load_scripts
from tests.support.rooms import a_room, posted, unread_of
from tests.support.workers import other_release, worker


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The scripts of another release."""
    return other_release(tmp_path)


async def loaded(executor: Executor) -> set[str]:
    """The libraries on any node."""
    nodes = await executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", PREFIX + "*")
    return {entry[1].decode() for node in nodes for entry in node}


async def changes(executor: Executor) -> int:
    """How often functions were loaded or deleted on any node."""
    texts = await executor.each_node("INFO", "commandstats")
    found = re.findall(rb"cmdstat_function\|(?:load|delete):calls=(\d+)", b"".join(texts))
    return sum(map(int, found))


def library(plan: Plan, lua: Path | None) -> str:
    return load_scripts(plan, lua)["apply"].lib.name


async def test_an_upgrade_worker_by_worker_fails_no_call_and_neither_does_the_way_back(
    plan_url: str, app: str, other: Path
) -> None:
    """Each worker is replaced by one of the other release, under load, and then back again."""
    posts = 0

    async def talk(store: RedisStore, stop: asyncio.Event) -> None:
        nonlocal posts
        while not stop.is_set():
            posts += 1
            message = f"m{posts}"
            await posted(store, app, message=message)
            await store.reading.mark_read(app=app, user="ann", room="r", message=message)
            assert await unread_of(store, app, "ann") >= 0

    async def serve(lua: Path | None, begun: asyncio.Event, stop: asyncio.Event) -> None:
        async with worker(plan_url, lua) as (_, store):
            begun.set()
            await talk(store, stop)

    async with worker(plan_url, None) as (executor, store), asyncio.TaskGroup() as serving:
        await a_room(store, app)
        stops: list[asyncio.Event] = []
        for lua in (None, None, other, other, None, None):
            begun, stop = asyncio.Event(), asyncio.Event()
            serving.create_task(serve(lua, begun, stop))
            await begun.wait()
            await asyncio.sleep(0.2)
            stops.append(stop)
            if len(stops) > 2:
                stops.pop(0).set()
        for stop in stops:
            stop.set()
    async with worker(plan_url, None) as (executor, store):
        await store.outbox.idle()
        assert posts > 50
        assert await unread_of(store, app, "bob") == posts
        assert not await store.audit.audit_all(app=app)
        assert library(executor.plan, other) not in await loaded(executor)


async def test_the_functions_of_another_release_stay_while_one_of_its_workers_lives(plan_url: str, other: Path) -> None:
    async with worker(plan_url, None) as (executor, _):
        ours, theirs = (library(executor.plan, lua) for lua in (None, other))
        async with worker(plan_url, other), worker(plan_url, None):
            assert await loaded(executor) >= {ours, theirs}
        assert await loaded(executor) >= {ours, theirs}
        async with worker(plan_url, None):
            assert theirs not in await loaded(executor)


async def test_a_worker_that_does_not_say_what_it_calls_keeps_all_functions(plan_url: str, other: Path) -> None:
    """It may be of an earlier version."""
    async with worker(plan_url, None) as (executor, _):
        async with worker(plan_url, other):
            pass
        silent = b"not a note"
        await executor.command("ZADD", Keys.workers, 10**15, silent, key=Keys.workers)
        async with worker(plan_url, None):
            assert library(executor.plan, other) in await loaded(executor)
        await executor.command("ZREM", Keys.workers, silent, key=Keys.workers)


async def test_asking_whether_it_is_ready_loads_and_deletes_nothing(plan_url: str, other: Path) -> None:
    async with worker(plan_url, None) as (ours, _), worker(plan_url, other) as (theirs, _):
        before = await changes(ours)
        for executor in (ours, theirs) * 3:
            assert await why_not_ready(executor, WriteHealth(executor), StoreLayout(executor)) == ""
        assert await changes(ours) == before


async def test_functions_that_were_flushed_are_loaded_by_the_call_that_misses_them(
    plan_url: str, app: str, other: Path
) -> None:
    async with worker(plan_url, None) as (executor, ours), worker(plan_url, other) as (_, theirs):
        await a_room(ours, app)
        await executor.each_node("FUNCTION", "FLUSH")
        await asyncio.gather(*(posted(store, app, message=f"m{n}") for n, store in enumerate((ours, theirs) * 5)))
        assert await unread_of(theirs, app, "bob") == 10

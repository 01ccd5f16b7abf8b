"""A room with many of everything is migrated in steps, by any number of processes."""

import asyncio
import os
import random
import subprocess
import sys
import time
from typing import Any

import pytest
import redis

from readstate.domain.rooms import Status
from readstate.store import lua
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.layout import StoreLayout
from readstate.store.migration import VALUES_AT_ONCE, Migration
from readstate.store.noted_layout import LAYOUT, layout_of
from readstate.store.redis_store import redis_store
from tests.support.damage import differences
from tests.support.first_layout import write_room

Client = redis.Redis | redis.RedisCluster
MEMBERS = [f"p{number:04}" for number in range(1300)]
AWAY = [f"away{number:04}" for number in range(700)]
MESSAGES = 1700
MIGRATE = [sys.executable, "-m", "readstate", "migrate"]


@pytest.fixture
def key(app: str) -> str:
    return Keys.room(app, "r")


async def check(executor: Executor, app: str, *, derived: bool) -> None:
    """Everything of the room is there, in this layout."""
    store, key = redis_store(executor, fanout_limit=10_000), Keys.room(app, "r")
    for suffix in (":v", ":r", ":k"):
        assert not await executor.command("EXISTS", key + suffix, key=key)
    of_room = await executor.call(lua.member_states(users=MEMBERS), key)
    unread = MESSAGES - MESSAGES // 2
    assert {(one.cursor, one.unread) for one in of_room.states} == {(MESSAGES // 2, unread)}
    for seq in (1, 2, 16, 17, 499, 500, 501, 1000, 1699, 1700):
        assert (await store.messages.message(app=app, room="r", message=f"m{seq}")).seq == seq
    counts = await store.receipts.receipt_counts(app=app, room="r", messages=["m850", "m851"])
    assert [one and (one.read, one.left) for one in counts] == [(len(MEMBERS), len(AWAY)), (0, 0)]
    attentive = await executor.command("SCARD", key + ":a", key=key)
    assert attentive == (0 if derived else len(MEMBERS))
    assert await differences(executor, app, "r") == []


@pytest.mark.parametrize("derived", [False, True], ids=["ordinary", "derived"])
async def test_nothing_is_lost_in_steps_of_any_size(executor: Executor, app: str, key: str, derived: bool) -> None:
    chance = random.Random(7)
    await write_room(executor, app, "r", members=MEMBERS, away=AWAY, messages=MESSAGES, derived=derived)
    # The order of a small room went after an hour.
    await executor.command("ZADD", key + ":c", 3, "p0001", key=key)
    if not derived:
        await executor.command("EXPIRE", key + ":c", 3600, key=key)
    steps = 0
    while await executor.call(lua.migrate_room(most=chance.choice((1, 7, 100, 499))), key):
        steps += 1
    assert steps > 5
    await check(executor, app, derived=derived)
    assert await executor.command("TTL", key + ":c", key=key) == -1


@pytest.mark.parametrize("derived", [False, True], ids=["ordinary", "derived"])
@pytest.mark.parametrize("frozen", [False, True], ids=["active", "frozen"])
@pytest.mark.parametrize("by_client", [False, True], ids=["of a backend", "of a client"])
async def test_what_a_room_is_stays(executor: Executor, app: str, derived: bool, frozen: bool, by_client: bool) -> None:
    await write_room(
        executor, app, "r", members=["ann"], messages=4, derived=derived, frozen=frozen, by_client=by_client
    )
    room = await redis_store(executor).rooms.room(app=app, room="r", user="ann")
    assert (room.status, room.by_client) == (Status.FROZEN if frozen else Status.ACTIVE, by_client)
    assert (room.seq, room.member_count, room.me and room.me.unread) == (4, 1, 2)


async def test_several_processes_help_each_other(executor: Executor, app: str, key: str) -> None:
    await write_room(executor, app, "r", members=MEMBERS, away=AWAY, messages=MESSAGES)
    await asyncio.gather(*(Migration(executor.call).migrate(key) for _ in range(10)))
    await check(executor, app, derived=False)


async def test_calls_wait_and_find_everything(executor: Executor, app: str) -> None:
    """Reads, posts and questions at the same time, none of which is refused or counted twice."""
    await write_room(executor, app, "r", members=MEMBERS, away=AWAY, messages=MESSAGES)
    store = redis_store(executor, fanout_limit=100)
    read, posted, count = await asyncio.gather(
        store.reading.mark_read(app=app, room="r", user="p0001", message="m1000"),
        store.messages.post(app=app, room="r", sender="p0002", message="new", body="{}"),
        store.messages.count_messages(app=app, room="r", since_ms=0, after=0),
    )
    assert (read.seq, read.moved) == (1000, True)
    assert posted.seq == MESSAGES + 1
    assert count in (MESSAGES, MESSAGES + 1)
    me = (await store.rooms.room(app=app, room="r", user="p0001")).me
    assert me is not None
    assert me.unread == MESSAGES + 1 - 1000


@pytest.mark.parametrize("most", [VALUES_AT_ONCE])
async def test_a_step_takes_some_milliseconds(executor: Executor, app: str, key: str, most: int) -> None:
    """By the server's clock, where nothing else runs; a busy machine is allowed for."""
    await write_room(executor, app, "r", members=MEMBERS, away=AWAY, messages=MESSAGES)
    shortest = []
    left = True
    while left:
        before = await _busy_us(executor, key)
        left = await executor.call(lua.migrate_room(most=most), key)
        shortest.append(await _busy_us(executor, key) - before)
    assert sorted(shortest)[len(shortest) // 2] < 30_000


async def _busy_us(executor: Executor, key: str) -> int:
    seconds, us = await executor.command("TIME", key=key)
    return int(seconds) * 1_000_000 + int(us)


@pytest.mark.timeout(300)
async def test_a_migration_that_is_killed_again_and_again_ends_the_same(
    executor: Executor, client: Client, url: str
) -> None:
    """`readstate migrate` as a process, with SIGKILL at random moments."""
    rooms = [f"r{number}" for number in range(120)]
    for room in rooms:
        await write_room(executor, "app", room, members=["ann", "ben"], messages=20)
    await write_room(executor, "app", "large", members=MEMBERS, away=AWAY, messages=MESSAGES)
    chance = random.Random(11)
    for _ in range(3):
        await asyncio.to_thread(_killed_migration, url, chance.uniform(0.0, 1.5))
    done = await asyncio.to_thread(_migration, url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] in (
        "readstate: the data have layout 2",
        "readstate: the data have layout 2 already; nothing is to be done",
    )
    heads = [client.hget(Keys.room("app", room), "") for room in (*rooms, "large")]
    assert {layout_of(head) for head in heads} == {LAYOUT}  # type: ignore[arg-type]
    layout = StoreLayout(executor)
    await layout.look()
    assert layout.is_whole
    store = redis_store(executor)
    assert (await store.messages.message(app="app", room="r7", message="m11")).seq == 11
    key = Keys.room("app", "large")
    assert await executor.command("HLEN", key, key=key) == len(MEMBERS) + 1


def _killed_migration(url: str, after_s: float) -> None:
    running = subprocess.Popen(
        MIGRATE, env={**os.environ, "READSTATE_REDIS_URL": url}, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    running.stderr.readline()  # it works on the store from here on
    time.sleep(after_s)
    running.kill()
    running.communicate()


def _migration(url: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "READSTATE_REDIS_URL": url}
    return subprocess.run(MIGRATE, env=environ, capture_output=True, text=True, check=False)


async def test_a_full_store_is_migrated_as_well(own_server: Any, app: str) -> None:
    """Else no room of it could be deleted."""
    executor = await connect(own_server.url)
    await StoreLayout(executor).begin()
    await write_room(executor, app, "r", members=["ann"], messages=5)
    with own_server.client() as client:
        client.config_set("maxmemory", "1")
        assert await redis_store(executor).rooms.delete_room(app=app, room="r")
        client.config_set("maxmemory", "0")
    await executor.close()

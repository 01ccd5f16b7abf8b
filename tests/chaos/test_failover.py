"""A cluster whose primary dies and is replaced: calls for its slots find the new one."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from redis.crc import key_slot

from readstate.errors import Fault, UnknownOutcome
from readstate.store import cluster as cluster_module
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.functions import load_functions
from readstate.store.keys import Keys
from readstate.store.recovery import Recovery
from readstate.store.redis_store import redis_store
from tests.support.calls import post_alone
from tests.support.failover import FIRST_SHARE, cluster_with_replica, take_over, wait_for_replica
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Cluster, Server
from tests.support.waiting import wait_until

APP = "t"


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Server]]:
    """A cluster of its own, and a replica of its first node."""
    with cluster_with_replica() as both:
        yield both


@pytest_asyncio.fixture
async def executor(pair: tuple[Cluster, Server]) -> AsyncIterator[Executor]:
    # By way of a node that lives on.
    executor = await connect(pair[0].nodes[2].url)
    yield executor
    await executor.close()


async def fail_over(cluster: Cluster, replica: Server) -> None:
    """The first node dies, and its replica has all that it had."""
    wait_for_replica(cluster.nodes[0])
    take_over(cluster.nodes[0], replica)


async def test_calls_follow_the_slots_of_a_primary_that_died(pair: tuple[Cluster, Server], executor: Executor) -> None:
    """Calls under way end in a fault; then the new primary is asked, while the old one is away."""
    store = redis_store(executor)
    room = next(name for name in map(str, range(1000)) if key_slot(Keys.room(APP, name).encode()) < FIRST_SHARE)
    await a_room(store, APP, room)
    await posted(store, APP, room, "m")
    await store.outbox.idle()
    await fail_over(*pair)

    async def is_read() -> bool:
        with contextlib.suppress(Fault):
            return (await store.reading.mark_read(app=APP, room=room, user="ann", message="m")).unread == 0
        return False

    await wait_until(is_read, "the new primary to be found")


async def test_calls_that_a_dead_primary_has_not_answered_go_to_the_new_one(
    pair: tuple[Cluster, Server], executor: Executor
) -> None:
    """As soon as there is one: those that were sent, and those that were not yet."""
    store = redis_store(executor)
    room = next(name for name in map(str, range(1000)) if key_slot(Keys.room(APP, name).encode()) < FIRST_SHARE)
    await a_room(store, APP, room)
    await store.outbox.idle()
    wait_for_replica(pair[0].nodes[0])
    os.kill(pair[0].nodes[0].pid, signal.SIGSTOP)
    sent = asyncio.create_task(posted(store, APP, room, "m1"))
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(posted(store, APP, room, "m2"))
    await asyncio.sleep(0)
    take_over(pair[0].nodes[0], pair[1])
    await asyncio.gather(sent, waiting)
    assert await unread_of(store, APP, "bob", room) == 2


async def test_a_lost_call_that_comes_to_no_other_primary_may_have_been_done(
    pair: tuple[Cluster, Server], executor: Executor
) -> None:
    """What follows says only that nothing was done the last time."""
    store = redis_store(executor)
    room = next(name for name in map(str, range(1000)) if key_slot(Keys.room(APP, name).encode()) < FIRST_SHARE)
    await a_room(store, APP, room)
    await store.outbox.idle()
    os.kill(pair[0].nodes[0].pid, signal.SIGSTOP)
    sent = asyncio.create_task(posted(store, APP, room, "m1"))
    await asyncio.sleep(0.1)
    pair[0].nodes[0].kill()
    with pytest.raises(UnknownOutcome):
        await sent


async def test_a_worker_without_calls_finds_the_new_primary_too(
    pair: tuple[Cluster, Server], executor: Executor
) -> None:
    """Otherwise it would never be found ready, and would get no calls."""
    await fail_over(*pair)

    async def is_ready() -> bool:
        with contextlib.suppress(Fault):
            await load_functions(executor)
            return True
        return False

    await wait_until(is_ready, "every primary to answer")


async def test_pending_updates_elsewhere_are_pushed_while_a_node_is_away(
    pair: tuple[Cluster, Server], executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first room of the list is on the node that died; the list and the other rooms are not.

    Which rooms cannot be asked is found out of all together. None of them is waited for by itself,
    also when another room cannot be read.
    """
    monkeypatch.setattr(cluster_module, "DEADLINE_S", 0.5)
    store = redis_store(executor)
    slots = {name: key_slot(Keys.room(APP, name).encode()) for name in map(str, range(1000))}
    lists = {name: Keys.pending_rooms_of(Keys.room(APP, name)) for name in slots}
    dead = next(name for name in slots if slots[name] < FIRST_SHARE < key_slot(lists[name].encode()))
    alive, foreign = [name for name in slots if slots[name] > FIRST_SHARE and lists[name] == lists[dead]][:2]
    user = next(name for name in map(str, range(1000)) if key_slot(Keys.user(APP, name).encode()) > FIRST_SHARE)
    await a_room(store, APP, alive, members=[user])
    await store.outbox.idle()
    await post_alone(executor, APP, alive)
    await executor.command("ZADD", lists[dead], 0, f"{APP}:{dead}", key=lists[dead])
    pair[0].nodes[0].kill()
    drained: list[str] = []

    async def drain(app: str, room: str) -> None:
        drained.append(room)
        await store.outbox.drain(app, room)

    # Only that room has to wait, and stays in the list.
    recovery = Recovery(executor, drain)
    with pytest.raises(Fault):
        await recovery.recover(lists[dead], -10)
    assert drained == [alive]
    assert await store.badges.badge(app=APP, user=user, tags=[]) == 1
    assert await executor.command("ZSCORE", lists[dead], f"{APP}:{dead}", key=lists[dead]) is not None
    await executor.command("SET", Keys.room(APP, foreign), "foreign", key=Keys.room(APP, foreign))
    await executor.command("ZADD", lists[dead], 0, f"{APP}:{foreign}", key=lists[dead])
    with pytest.raises(Fault):
        await recovery.recover(lists[dead], -10)
    assert drained == [alive, foreign], "its drain tells of it"


async def test_a_primary_that_wakes_up_answers_nothing_from_the_past(
    pair: tuple[Cluster, Server], executor: Executor
) -> None:
    """It was stopped, and its replica took over. Calls have gone there since."""
    store = redis_store(executor)
    room = next(name for name in map(str, range(1000)) if key_slot(Keys.room(APP, name).encode()) < FIRST_SHARE)
    await a_room(store, APP, room)
    await posted(store, APP, room, "m1")
    await store.outbox.idle()
    wait_for_replica(pair[0].nodes[0])
    os.kill(pair[0].nodes[0].pid, signal.SIGSTOP)
    asking = asyncio.create_task(store.rooms.room(app=APP, room=room, user="ann"))
    with pair[1].client() as client:
        client.execute_command("CLUSTER FAILOVER TAKEOVER")
    with pytest.raises(Fault):
        await asking

    async def is_posted() -> bool:
        with contextlib.suppress(Fault):
            await posted(store, APP, room, "m2")
            return True
        return False

    await wait_until(is_posted, "the new primary to be found")
    os.kill(pair[0].nodes[0].pid, signal.SIGCONT)
    for _ in range(200):
        me = (await store.rooms.room(app=APP, room=room, user="ann")).me
        assert me is not None
        assert me.unread == 2
        await asyncio.sleep(0.01)

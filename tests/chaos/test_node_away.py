"""A node of a cluster is away for a moment: what is said of a call is true, and others go on."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import pytest_asyncio

from readstate.domain.durability import Durability
from readstate.domain.reading import MarkedRead
from readstate.errors import MessageUnknown, NotConfirmed, Unavailable, UnknownOutcome
from readstate.store import cluster as cluster_module
from readstate.store import lua
from readstate.store import rooms as rooms_module
from readstate.store.cluster import Cluster as ClusterStore
from readstate.store.confirming import RedisConfirmation
from readstate.store.connect import connect
from readstate.store.keys import SLOTS, Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.scripts import load_scripts
from readstate.store.states import State
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Cluster, Server, free_port
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def executor(cluster: Cluster) -> AsyncIterator[ClusterStore]:
    executor = await connect(cluster.url)
    assert isinstance(executor, ClusterStore)
    yield executor
    await executor.close()


@pytest.fixture
def store(executor: ClusterStore) -> RedisStore:
    return redis_store(executor)


def serving(cluster: Cluster, address: str) -> Server:
    return next(node for node in cluster.nodes if address_of(node) == address)


def address_of(node: Server) -> str:
    return f"{node.host}:{node.port}"


@contextmanager
def stopped(node: Server) -> Iterator[None]:
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


@contextmanager
def writing_nothing(node: Server) -> Iterator[None]:
    """It refuses writes inside the block: it has no replica."""
    with node.client() as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            yield
        finally:
            client.config_set("min-replicas-to-write", 0)


def cut(executor: ClusterStore, node: Server) -> None:
    """End the connection to a node. There is no other one as long as it is stopped."""
    transport = executor._map._connections[address_of(node)]._transport
    assert transport is not None
    transport.abort()


async def test_a_change_is_not_confirmed_when_its_node_has_gone(
    cluster: Cluster, executor: ClusterStore, store: RedisStore, app: str
) -> None:
    """The script has answered, so the caller may not be told that nothing was done."""
    await a_room(store, app)
    await posted(store, app, message="m")
    node = serving(cluster, executor.node_of(Keys.room(app, "r")))

    async def read_and_lose() -> MarkedRead:
        marked = await store.reading.mark_read(app=app, room="r", user="ann", message="m", with_badge=False)
        os.kill(node.pid, signal.SIGSTOP)
        cut(executor, node)
        await wait_until(is_lost, "the connection to be lost")
        return marked

    async def is_lost() -> bool:
        return not executor._map._connections[address_of(node)].connected

    confirmation = RedisConfirmation(executor, Durability.FAST, within_ms=200)
    try:
        with pytest.raises(NotConfirmed, match="This was done"):
            await confirmation.confirmed(Durability.FSYNCED, read_and_lose())
    finally:
        os.kill(node.pid, signal.SIGCONT)


async def test_a_room_that_changed_and_cannot_take_back_a_cursor_has_changed(
    cluster: Cluster, executor: ClusterStore, store: RedisStore, app: str
) -> None:
    """The copy of a member knows a cursor that the room has lost. The room's node takes no more
    writes when the room has changed, so the cursor cannot be handed to it.
    """
    room = serving(cluster, executor.node_of(Keys.room(app, "r")))
    user = next(name for name in map(str, range(100)) if executor.node_of(Keys.user(app, name)) != address_of(room))
    await a_room(store, app, members=[user])
    await store.outbox.idle()
    now = int(time.time() * 1_000_000)
    ahead = lua.apply(room="r", revision=now, created_revision=0, tags=b"", cursor=9, unread=0, state=int(State.ACTIVE))
    await executor.call(ahead, Keys.user(app, user))

    async def is_posted() -> bool:
        try:
            await store.messages.message(app=app, room="r", message="m")
        except MessageUnknown:
            return False
        return True

    refusing = ExitStack()
    with stopped(serving(cluster, executor.node_of(Keys.user(app, user)))):
        posting = asyncio.create_task(posted(store, app, message="m"))
        await wait_until(is_posted, "the room to change")
        refusing.enter_context(writing_nothing(room))
    with refusing, pytest.raises(UnknownOutcome, match="the room has changed"):
        await posting
    await store.outbox.idle()


async def test_a_read_was_done_though_the_badge_cannot_be_told(
    cluster: Cluster, executor: ClusterStore, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader is in a room above the fan-out limit whose node is away."""
    monkeypatch.setattr(cluster_module, "DEADLINE_S", 0.3)
    store = redis_store(executor, fanout_limit=1)
    node = executor.node_of(Keys.room(app, "r"))
    user = next(name for name in map(str, range(100)) if executor.node_of(Keys.user(app, name)) == node)
    large = next(name for name in map(str, range(100)) if executor.node_of(Keys.room(app, name)) != node)
    await a_room(store, app, members=[user])
    await a_room(store, app, large, members=[user, "ben", "cid", "dan"])
    await posted(store, app, message="m")
    for _ in range(6):  # more than are told to a member who does not look
        await posted(store, app, large)
    await store.outbox.idle()
    reading = store.reading.mark_read(app=app, room="r", user=user, message="m")
    away = serving(cluster, executor.node_of(Keys.room(app, large)))
    with stopped(away):
        cut(executor, away)
        with pytest.raises(UnknownOutcome, match="a part of the call was done"):
            await reading
        assert await unread_of(store, app, user) == 0


async def test_of_many_members_some_have_gone(
    cluster: Cluster, executor: ClusterStore, store: RedisStore, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room's node takes no more writes when the first have."""
    monkeypatch.setattr(rooms_module, "MEMBERS_AT_ONCE", 1)
    room = serving(cluster, executor.node_of(Keys.room(app, "r")))
    names = [name for name in map(str, range(100)) if executor.node_of(Keys.user(app, name)) != address_of(room)][:2]
    await a_room(store, app, members=names)
    await store.outbox.idle()

    async def is_begun() -> bool:
        return (await store.rooms.room(app=app, room="r")).member_count == 1

    refusing = ExitStack()
    with stopped(serving(cluster, executor.node_of(Keys.user(app, names[0])))):
        leaving = asyncio.create_task(store.rooms.remove_members(app=app, room="r", members=names))
        await wait_until(is_begun, "the first to go")
        refusing.enter_context(writing_nothing(room))
    with refusing, pytest.raises(UnknownOutcome, match="a part of the call was done"):
        await leaving
    await store.outbox.idle()


@pytest.mark.parametrize("how", ["lost", pytest.param("silent", marks=pytest.mark.full)])
async def test_a_call_without_a_reply_may_have_been_done_though_its_slot_is_unassigned_now(
    cluster: Cluster, executor: ClusterStore, app: str, how: str
) -> None:
    """No node has the slot by the map when the connection ends, or when the deadline passes."""
    first, *_, last = sorted(cluster.nodes, key=address_of)
    room = next(name for name in map(str, range(100)) if executor.node_of(Keys.room(app, name)) == address_of(last))
    key = Keys.room(app, room)
    with stopped(last):
        sent = asyncio.create_task(executor.command("SET", key, 1, "PX", 1, key=key))
        await asyncio.sleep(0.01)
        with first.client() as client:  # the first by its address is asked for the map
            client.execute_command("CLUSTER DELSLOTS", Keys.slot(key))
        await executor.slots()
        with pytest.raises(Unavailable):
            executor.node_of(key)
        if how == "lost":
            cut(executor, last)
        with pytest.raises(UnknownOutcome):
            await sent

    async def is_served() -> bool:
        await executor.slots()
        return address_of(last) in executor.nodes() and Keys.slot(key) in served(executor, last)

    await wait_until(is_served, "the slot to be known again")


def served(executor: ClusterStore, node: Server) -> set[int]:
    ranges = executor._map.ranges()[address_of(node)]
    return {slot for first, last in ranges for slot in range(first, last + 1)}


async def test_an_address_that_leads_to_no_cluster_any_more_hides_no_other_one(
    executor: ClusterStore, own_server: Server
) -> None:
    """All nodes that had slots are gone, and a single server has the address of one."""
    port = free_port()
    with own_server.client() as client:
        client.config_set("port", port)
    executor._map._set_ranges([(0, SLOTS - 1, f"127.0.0.1:{port}")])
    assert len(await executor.slots()) == 3


async def test_a_node_that_is_new_to_a_worker_is_connected_once(cluster: Cluster, app: str) -> None:
    """However many calls find it at the same time."""
    executor = ClusterStore(cluster.url, load_scripts("split"))
    await executor.slots()
    node = cluster.nodes[2]
    keys = [Keys.room(app, str(number)) for number in range(600)]
    there = [key for key in keys if executor.node_of(key) == address_of(node)]
    assert len(there) > 100
    with node.client() as client:
        before = client.info("stats")["total_connections_received"]
        found = await asyncio.gather(*(executor.command("EXISTS", key, key=key) for key in there))
        assert client.info("stats")["total_connections_received"] - before == 2  # one ends scripts that take too long
    assert set(found) == {0}
    await executor.close()

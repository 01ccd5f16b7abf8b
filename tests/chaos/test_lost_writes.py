"""A failover that loses the newest writes: rooms, or sides of users, are set back, and all agree
again without an operator.

The replica of the first node is cut off, then that node is told more and dies.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import pytest
import pytest_asyncio
from redis.crc import key_slot

from readstate import metrics
from readstate.errors import Fault, MessageUnknown
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.failovers import Failovers
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.tasks import cancel_and_wait
from tests.support.calls import post_alone
from tests.support.failover import FIRST_SHARE, cluster_with_replica, come_back, cut_off, take_over
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Cluster, Server
from tests.support.waiting import wait_until

APP = "t"


def names(first: bool, key: str, count: int) -> list[str]:
    """So many names whose keys, rooms' or users', lie on the first node, or on another one."""
    lying = Keys.room if key == "room" else Keys.user
    found = (name for name in map(str, range(10_000)) if (key_slot(lying(APP, name).encode()) < FIRST_SHARE) == first)
    return [next(found) for _ in range(count)]


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Server]]:
    with cluster_with_replica() as both:
        yield both


@pytest_asyncio.fixture
async def executor(pair: tuple[Cluster, Server]) -> AsyncIterator[Executor]:
    executor = await connect(pair[0].nodes[2].url)
    yield executor
    await executor.close()


class Drill:
    """What a test does: the cluster, its store, and how the first node dies."""

    def __init__(self, pair: tuple[Cluster, Server], executor: Executor) -> None:
        self.executor = executor
        self.store: RedisStore = redis_store(executor)
        self.failovers = Failovers(executor, self.store.outbox)
        self._first, self._replica = pair[0].nodes[0], pair[1]

    async def cut_off(self) -> None:
        """All that was written until now will be there later, and nothing else."""
        await self.store.outbox.idle()
        await self.failovers.reconcile()
        cut_off(self._first)

    async def fail_over(self) -> None:
        await self.store.outbox.idle()
        take_over(self._first, self._replica)

        async def is_served() -> bool:
            with contextlib.suppress(Fault):
                return len(await self.executor.each_node("PING")) == 3
            return False

        await wait_until(is_served, "the new primary to be found")

    async def come_back(self) -> None:
        """The node that died is the replica now."""
        come_back(self._first, self._replica)
        self._first, self._replica = self._replica, self._first

    def all_agree(self, rooms: Sequence[str], users: Sequence[str]) -> Callable[[], Awaitable[bool]]:
        async def agree() -> bool:
            for user in users:
                unread = [await unread_of(self.store, APP, user, room) for room in rooms]
                if await self.store.badges.badge(app=APP, user=user, tags=[]) != sum(unread):
                    return False
            return True

        return agree

    async def agree(self, rooms: Sequence[str], users: Sequence[str]) -> None:
        """Every badge is what the rooms say, and an audit finds nothing."""
        await self.store.outbox.idle()
        for user in users:
            expected = 0
            for room in rooms:
                expected += await unread_of(self.store, APP, user, room)
            assert await self.store.badges.badge(app=APP, user=user, tags=[]) == expected
        assert await self.store.audit.audit_all(app=APP) == []


@pytest_asyncio.fixture
async def drill(pair: tuple[Cluster, Server], executor: Executor) -> Drill:
    return Drill(pair, executor)


async def test_rooms_that_were_set_back(drill: Drill) -> None:
    """Posts, a read, a member who left, one who joined, and a whole room are lost; the members'
    sides know of all.
    """
    rooms, users = names(True, "room", 3), names(False, "user", 4)
    store = drill.store
    for room in rooms[:2]:
        await a_room(store, APP, room, members=users[:3])
        await posted(store, APP, room, message="m1")
        await posted(store, APP, room, message="m2")
    await drill.cut_off()
    for message in ("m3", "m4"):
        await posted(store, APP, rooms[0], message=message)
    await store.reading.mark_read(app=APP, room=rooms[1], user=users[0], message="m2")
    await store.rooms.remove_members(app=APP, room=rooms[1], members=[users[1]])
    await store.rooms.add_members(app=APP, room=rooms[1], members=[users[3]])
    await a_room(store, APP, rooms[2], members=users)
    await posted(store, APP, rooms[2])
    before = metrics.COPIES_RECONCILED._value.get()
    await drill.fail_over()
    await drill.failovers.reconcile()
    await drill.agree(rooms[:2], users[:3])
    assert await store.badges.badge(app=APP, user=users[3], tags=[]) == 0
    # What was read stays read.
    assert await unread_of(store, APP, users[0], rooms[1]) == 0
    assert metrics.COPIES_RECONCILED._value.get() > before
    # It is done once.
    before = metrics.FAILOVERS._value.get()
    await drill.failovers.reconcile()
    assert metrics.FAILOVERS._value.get() == before


async def test_users_who_were_set_back(drill: Drill) -> None:
    """Their sides lack posts, reads, rooms with news, a room that they joined and one they left."""
    rooms, users = names(False, "room", 4), names(True, "user", 3)
    store = drill.store
    for room in rooms[:3]:
        await a_room(store, APP, room, members=users)
        await posted(store, APP, room, message="m1")
    await drill.cut_off()
    await posted(store, APP, rooms[0])
    for user in users[:2]:
        await store.reading.mark_read(app=APP, room=rooms[0], user=user, message="m1")
    for _ in range(6):
        await posted(store, APP, rooms[1])
    await store.rooms.remove_members(app=APP, room=rooms[2], members=users)
    await a_room(store, APP, rooms[3], members=users)
    await posted(store, APP, rooms[3])
    await drill.fail_over()
    await drill.failovers.reconcile()
    await drill.agree([rooms[0], rooms[1], rooms[3]], users)


async def test_pending_updates_that_no_list_names(drill: Drill) -> None:
    """A worker died in an operation, and the node with its list lost the entry."""
    store = drill.store
    (room,), users = names(False, "room", 1), names(False, "user", 2)
    await a_room(store, APP, room, members=users)
    await store.outbox.idle()
    await post_alone(drill.executor, APP, room)
    entered = Keys.pending_rooms_of(Keys.room(APP, room))
    await drill.executor.command("DEL", entered, key=entered)
    await drill.failovers.drain_forgotten()
    await drill.agree([room], users)


async def test_the_next_post_does_not_take_the_place_of_a_lost_one(drill: Drill) -> None:
    """A member read the lost message. The next one is unread for them; no receipt names them."""
    store = drill.store
    (room,), (reader, other) = names(True, "room", 1), names(False, "user", 2)
    await a_room(store, APP, room, members=[reader, other])
    await posted(store, APP, room, message="m1")
    await drill.cut_off()
    lost = await posted(store, APP, room, message="m2")
    await store.reading.mark_read(app=APP, room=room, user=reader, message="m2")
    await drill.fail_over()
    # Nobody has compared anything yet.
    new = await posted(store, APP, room, message="m3", sender=other)
    assert new.seq != lost.seq
    assert await store.badges.badge(app=APP, user=reader, tags=[]) == 1
    (count,) = await store.receipts.receipt_counts(app=APP, room=room, messages=["m3"])
    assert count is not None
    assert count.read == 0
    await drill.failovers.reconcile()
    await drill.agree([room], [reader, other])


async def test_one_failover_after_the_other(drill: Drill, full: bool) -> None:
    """Every time the newest posts and reads are lost. All badges are right within ten seconds, no
    receipt names a reader who had not read so far, and what was read of what is left stays read.
    """
    chance = random.Random(50)
    rooms, users = names(True, "room", 8), [*names(False, "user", 4), *names(True, "user", 4)]
    store = drill.store
    posts: dict[str, list[str]] = {room: [] for room in rooms}
    reads: dict[tuple[str, str], int] = {}  # room, user -> how many of the posts, at most, they have seen
    for room in rooms:
        await a_room(store, APP, room, members=users)

    async def live(rounds: int, where: Sequence[str]) -> None:
        for _ in range(rounds):
            room, user = chance.choice(where), chance.choice(users)
            if chance.random() < 0.6:
                posts[room].append(f"m{len(posts[room])}")
                await posted(store, APP, room, message=posts[room][-1])
            elif posts[room]:
                reads[room, user] = len(posts[room])
                with contextlib.suppress(MessageUnknown):  # it may be lost
                    await store.reading.mark_read(app=APP, room=room, user=user, message=posts[room][-1])

    background = asyncio.create_task(drill.failovers.keep_reconciling())
    try:
        for _ in range(50 if full else 2):
            await live(30, rooms)
            await drill.cut_off()
            await live(30, rooms)
            await drill.fail_over()
            began_s = time.monotonic()
            await live(10, rooms[:4])  # some rooms go on at once, others rest
            await wait_until(drill.all_agree(rooms, users), "every badge to be right", timeout_s=10)
            assert time.monotonic() - began_s < 10
            for room in rooms:
                counts = await store.receipts.receipt_counts(app=APP, room=room, messages=posts[room][-90:])
                for place, count in enumerate(counts, len(posts[room]) - len(counts) + 1):
                    seen = sum(reads.get((room, user), 0) >= place for user in users)
                    assert count is None or count.read <= seen
            await drill.come_back()
    finally:
        await cancel_and_wait(background)
    await drill.agree(rooms, users)

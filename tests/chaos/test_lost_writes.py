"""A failover that loses the newest writes: rooms, or sides of users, are set back, and all agree
again without an operator.

The replica of the first node is cut off, then that node is told more and dies.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from readstate import metrics
from readstate.errors import Unavailable
from readstate.store.failovers import Failovers
from readstate.store.keys import Keys
from readstate.store.lua import CopyReply
from readstate.store.plan_atomic import AtomicPlan
from tests.support.calls import post_alone
from tests.support.failover import APP, LosingPair, losing_pair, names
from tests.support.rooms import a_room, posted, unread_of
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[LosingPair]:
    async with losing_pair() as pair:
        yield pair


async def test_rooms_that_were_set_back(pair: LosingPair) -> None:
    """Posts, a read, a member who left, one who joined, and a whole room are lost; the members'
    sides know of all.
    """
    rooms, users = names(True, "room", 3), names(False, "user", 4)
    store = pair.store
    for room in rooms[:2]:
        await a_room(store, APP, room, members=users[:3])
        await posted(store, APP, room, message="m1")
        await posted(store, APP, room, message="m2")
    await pair.cut_off()
    for message in ("m3", "m4"):
        await posted(store, APP, rooms[0], message=message)
    await store.reading.mark_read(app=APP, room=rooms[1], user=users[0], message="m2")
    await store.rooms.remove_members(app=APP, room=rooms[1], members=[users[1]])
    await store.rooms.add_members(app=APP, room=rooms[1], members=[users[3]])
    await a_room(store, APP, rooms[2], members=users)
    await posted(store, APP, rooms[2])
    before = metrics.COPIES_RECONCILED._value.get()
    await pair.fail_over()
    await pair.failovers.reconcile()
    await pair.agree(rooms[:2], users[:3])
    assert await store.badges.badge(app=APP, user=users[3], tags=[]) == 0
    # What was read stays read.
    assert await unread_of(store, APP, users[0], rooms[1]) == 0
    assert metrics.COPIES_RECONCILED._value.get() > before
    # It is done once.
    before = metrics.FAILOVERS._value.get()
    await pair.failovers.reconcile()
    assert metrics.FAILOVERS._value.get() == before


async def test_users_who_were_set_back(pair: LosingPair) -> None:
    """Their sides lack posts, reads, rooms with news, a room that they joined and one they left."""
    rooms, users = names(False, "room", 4), names(True, "user", 3)
    store = pair.store
    for room in rooms[:3]:
        await a_room(store, APP, room, members=users)
        await posted(store, APP, room, message="m1")
    await pair.cut_off()
    await posted(store, APP, rooms[0])
    for user in users[:2]:
        await store.reading.mark_read(app=APP, room=rooms[0], user=user, message="m1")
    for _ in range(6):
        await posted(store, APP, rooms[1])
    await store.rooms.remove_members(app=APP, room=rooms[2], members=users)
    await a_room(store, APP, rooms[3], members=users)
    await posted(store, APP, rooms[3])
    await pair.fail_over()
    await pair.failovers.reconcile()
    await pair.agree([rooms[0], rooms[1], rooms[3]], users)


async def test_pending_updates_that_no_list_names(pair: LosingPair) -> None:
    """A worker died in an operation, and the node with its list lost the entry."""
    store = pair.store
    (room,), users = names(False, "room", 1), names(False, "user", 2)
    await a_room(store, APP, room, members=users)
    await store.outbox.idle()
    await post_alone(pair.executor, APP, room)
    entered = Keys.pending_rooms_of(Keys.room(APP, room))
    await pair.executor.command("DEL", entered, key=entered)
    await pair.failovers.drain_forgotten()
    await pair.agree([room], users)


async def test_they_are_looked_for_without_being_asked(pair: LosingPair) -> None:
    """Every worker does that from time to time, beside looking for other primaries."""
    store = pair.store
    (room,), users = names(False, "room", 1), names(False, "user", 2)
    await a_room(store, APP, room, members=users)
    await store.outbox.idle()
    await pair.failovers.reconcile()  # so that nothing else is compared
    await post_alone(pair.executor, APP, room)
    for key in (Keys.pending_rooms_of(Keys.room(APP, room)), Keys.pending_looked_for):
        await pair.executor.command("DEL", key, key=key)
    looking = asyncio.create_task(pair.failovers.keep_reconciling())
    try:
        await wait_until(pair.all_agree([room], users), "the pending updates to be found", timeout_s=60)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_the_next_post_does_not_take_the_place_of_a_lost_one(pair: LosingPair) -> None:
    """A member read the lost message. The next one is unread for them; no receipt names them."""
    store = pair.store
    (room,), (reader, other) = names(True, "room", 1), names(False, "user", 2)
    await a_room(store, APP, room, members=[reader, other])
    await posted(store, APP, room, message="m1")
    await pair.cut_off()
    lost = await posted(store, APP, room, message="m2")
    await store.reading.mark_read(app=APP, room=room, user=reader, message="m2")
    await pair.fail_over()
    # Nothing was compared yet.
    new = await posted(store, APP, room, message="m3", sender=other)
    assert new.seq != lost.seq
    assert await store.badges.badge(app=APP, user=reader, tags=[]) == 1
    (count,) = await store.receipts.receipt_counts(app=APP, room=room, messages=["m3"])
    assert count is not None
    assert count.read == 0
    await pair.failovers.reconcile()
    await pair.agree([room], [reader, other])


async def test_a_walk_that_was_broken_off_is_begun_again_at_once(pair: LosingPair) -> None:
    """Its worker could not reach a node, and keeps no other worker from it."""
    rooms, users = names(True, "room", 1), names(False, "user", 2)
    await a_room(pair.store, APP, rooms[0], members=users)
    await posted(pair.store, APP, rooms[0])
    await pair.cut_off()
    await posted(pair.store, APP, rooms[0])
    await pair.fail_over()
    pair.failovers._outbox = Refusing(pair.executor)
    with pytest.raises(Unavailable):
        await pair.failovers.reconcile()
    await Failovers(pair.executor, pair.store.outbox).reconcile()
    await pair.agree(rooms, users)


class Refusing(AtomicPlan):
    """An outbox that reaches no room."""

    async def reconcile(self, app: str, room: str, user: str, copy: CopyReply | None = None) -> bool:
        raise Unavailable("the node is away")

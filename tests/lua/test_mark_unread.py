"""mark_unread.lua: a mark set by hand, which changes no count, cursor or receipt and goes with the
next read.
"""

import pytest

from readstate.domain.rooms import MemberState
from readstate.errors import MessageUnknown, NotMember, RoomUnknown
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.contents import contents, refused
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted


async def state_of(store: RedisStore, app: str, user: str = "ann") -> MemberState:
    me = (await store.rooms.room(app=app, room="r", user=user)).me
    assert me is not None
    return me


@pytest.mark.parametrize("message", ["m", "n", ""])
async def test_a_mark_has_the_time_of_its_message(store: RedisStore, app: str, message: str) -> None:
    """Without a message that of the newest; whether it is read or not, and nothing else is
    changed.
    """
    await a_room(store, app)
    times = {"m": (await posted(store, app, message="m", sender="bob")).at_ms}
    times["n"] = times[""] = (await posted(store, app, message="n", sender="bob", countable=False, as_last=True)).at_ms
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    before, receipts = await state_of(store, app), await whole_list(store, app, "r", "m")
    await store.reading.mark_unread(app=app, room="r", user="ann", message=message)
    after = await state_of(store, app)
    assert after.marked_ms == times[message]
    assert (after.cursor, after.unread, after.last_read, after.moved_ms) == (
        before.cursor,
        before.unread,
        before.last_read,
        before.moved_ms,
    )
    assert await whole_list(store, app, "r", "m") == receipts
    assert (await state_of(store, app, "bob")).marked_ms is None


async def test_a_newer_mark_stands_for_an_older_one(store: RedisStore, app: str) -> None:
    """There is one at most."""
    await a_room(store, app)
    await posted(store, app, message="m")
    sent = (await posted(store, app, message="n")).at_ms
    await store.reading.mark_unread(app=app, room="r", user="ann", message="m")
    await store.reading.mark_unread(app=app, room="r", user="ann", message="n")
    assert (await state_of(store, app)).marked_ms == sent


@pytest.mark.parametrize("how", ["mark_read", "mark_read_until", "mark_read_many"])
async def test_the_next_read_takes_the_mark_away_even_if_it_moves_nothing(
    store: RedisStore, app: str, how: str
) -> None:
    """And says that something changed; the one after that changes nothing."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    await store.reading.mark_unread(app=app, room="r", user="ann", message="m")
    moved = []
    for _ in range(2):
        if how == "mark_read":
            moved.append((await store.reading.mark_read(app=app, room="r", user="ann", message="m")).moved)
        elif how == "mark_read_until":
            reading = await store.reading.mark_read_until(app=app, room="r", user="ann")
            moved.append(reading is not None and reading.moved)
        else:
            (outcome,), _ = await store.reading.mark_read_many(app=app, user="ann", items=[("r", "m")])
            moved.append(outcome.moved)  # type: ignore[union-attr]
        assert (await state_of(store, app)).marked_ms is None
    assert moved == [True, False]


async def test_taking_a_mark_away_is_no_event_for_webhooks(executor: Executor, app: str) -> None:
    """Nothing was read that had not been."""
    store = redis_store(executor, events=True)
    await a_room(store, app)
    await posted(store, app, message="m")
    written = []
    for _ in range(2):
        assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m")).moved
        await store.reading.mark_unread(app=app, room="r", user="ann", message="m")
        await store.outbox.idle()
        stream = Keys.events(Keys.event_shard(Keys.room(app, "r")))
        entries = await executor.command("XRANGE", stream, "-", "+", key=stream)
        written.append([entry for entry in entries if entry[1][0] == app.encode()])
    assert len(written[0]) == 1
    assert written[1] == written[0]


async def test_what_others_do_leaves_the_mark(store: RedisStore, app: str) -> None:
    """Their reads, posts and deletions."""
    await a_room(store, app)
    sent = (await posted(store, app, message="m", sender="bob")).at_ms
    await store.reading.mark_unread(app=app, room="r", user="ann", message="m")
    await store.reading.mark_read(app=app, room="r", user="bob", message="m")
    await posted(store, app, sender="bob")
    await store.messages.delete_message(app=app, room="r", message="m")
    assert (await state_of(store, app)).marked_ms == sent


async def test_a_mark_does_not_outlive_its_membership(store: RedisStore, app: str) -> None:
    """Who comes back begins anew."""
    await a_room(store, app)
    await posted(store, app)
    await store.reading.mark_unread(app=app, room="r", user="ann", message="")
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    assert (await state_of(store, app)).marked_ms is None


async def test_marking_announces_nothing_that_counts(store: RedisStore, app: str) -> None:
    """The badge is as it was, and so is every copy."""
    await a_room(store, app)
    await posted(store, app)
    await store.reading.mark_unread(app=app, room="r", user="ann", message="")
    await store.outbox.idle()
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    assert await store.audit.audit_user(app=app, user="ann", repair=True) == []


async def test_a_repeated_mark_changes_nothing(store: RedisStore, app: str) -> None:
    """Not a byte."""
    await a_room(store, app)
    await posted(store, app)
    await store.reading.mark_unread(app=app, room="r", user="ann", message="")
    before = await contents(store, app)
    await store.reading.mark_unread(app=app, room="r", user="ann", message="")
    assert await contents(store, app) == before


async def test_refusals_come_in_order_room_member_message(store: RedisStore, app: str) -> None:
    """Deleted messages and rooms without any cannot be marked."""
    await refused(store, app, RoomUnknown, store.reading.mark_unread(app=app, room="r", user="zoe", message="m"))
    await a_room(store, app)
    await refused(store, app, NotMember, store.reading.mark_unread(app=app, room="r", user="zoe", message="m"))
    await refused(store, app, MessageUnknown, store.reading.mark_unread(app=app, room="r", user="ann", message=""))
    await posted(store, app, message="m")
    await refused(store, app, MessageUnknown, store.reading.mark_unread(app=app, room="r", user="ann", message="other"))
    await store.messages.delete_message(app=app, room="r", message="m")
    await refused(store, app, MessageUnknown, store.reading.mark_unread(app=app, room="r", user="ann", message="m"))
    await refused(store, app, MessageUnknown, store.reading.mark_unread(app=app, room="r", user="ann", message=""))

"""mark_read.lua: cursors move forward, and only forward."""

import pytest

from readstate.domain.reading import MarkedRead
from readstate.errors import MessageUnknown, NotMember, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted


async def test_reading_moves_the_cursor_and_lowers_the_badge(store: RedisStore, app: str) -> None:
    """The answer names the place, what is left in the room, and the badge over all rooms."""
    await a_room(store, app, tags=["a"])
    await a_room(store, app, "other")
    await posted(store, app, "other")
    await posted(store, app, message="m")
    await posted(store, app)
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    assert reading == MarkedRead(message="m", seq=1, moved=True, unread=1, badge=2)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob")] == [1, 2]


@pytest.mark.parametrize("message", ["m", "n"])
async def test_an_older_or_equal_message_changes_nothing(store: RedisStore, app: str, message: str) -> None:
    """The newer cursor is answered, and not a byte is written."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app, message="n")
    await posted(store, app)
    await store.reading.mark_read(app=app, room="r", user="ann", message="n")
    before = await contents(store, app)
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message=message)
    assert reading == MarkedRead(message="n", seq=2, moved=False, unread=1, badge=1)
    assert await contents(store, app) == before


async def test_a_first_read_below_where_one_joined_is_a_read(store: RedisStore, app: str) -> None:
    """It is recorded as such, though it lowers no count: unread goes from where one joined."""
    await a_room(store, app, members=[])
    await posted(store, app, message="m")
    await posted(store, app, message="n")
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    await posted(store, app)
    assert await store.reading.mark_read(app=app, room="r", user="ann", message="m") == MarkedRead("m", 1, True, 1, 1)
    assert not (await store.reading.mark_read(app=app, room="r", user="ann", message="m")).moved
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.last_read) == (2, "m")


async def test_reading_what_does_not_count_up_to_the_head_leaves_nothing(store: RedisStore, app: str) -> None:
    """Countable or not, deleted or not: up to the head is up to the head."""
    await a_room(store, app)
    await posted(store, app)
    await posted(store, app, message="m", countable=False)
    await store.messages.delete_message(app=app, room="r", message="m")
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m")).unread == 0


async def test_refusals_come_in_order_room_member_message(store: RedisStore, app: str) -> None:
    """A stranger does not learn which messages exist; another room's message is unknown."""
    await a_room(store, app, "other")
    await posted(store, app, "other", "m")
    await refused(store, app, RoomUnknown, store.reading.mark_read(app=app, room="r", user="zoe", message="m"))
    await a_room(store, app)
    await refused(store, app, NotMember, store.reading.mark_read(app=app, room="r", user="zoe", message="m"))
    await refused(store, app, MessageUnknown, store.reading.mark_read(app=app, room="r", user="ann", message="m"))


async def test_many_at_once_are_each_answered_on_their_own(store: RedisStore, app: str) -> None:
    """In the order given; a refusal among them stops nothing."""
    await a_room(store, app, "r")
    await a_room(store, app, "s")
    for room, message in (("r", "m1"), ("r", "m2"), ("s", "n1")):
        await posted(store, app, room, message=message)
    items = [("r", "m2"), ("nowhere", "m1"), ("s", "m1"), ("s", "n1"), ("r", "m1")]
    outcomes, badge = await store.reading.mark_read_many(app=app, user="ann", items=items)
    badges = [outcome.badge if isinstance(outcome, MarkedRead) else -1 for outcome in outcomes]
    assert [outcome if isinstance(outcome, MarkedRead) else type(outcome) for outcome in outcomes] == [
        MarkedRead("m2", 2, True, 0, badges[0]),
        RoomUnknown,
        MessageUnknown,
        MarkedRead("n1", 1, True, 0, badges[3]),
        MarkedRead("m2", 2, False, 0, badges[4]),
    ]
    assert badge == await store.badges.badge(app=app, user="ann", tags=[]) == 0

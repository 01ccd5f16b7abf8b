"""set_status.lua: a frozen room is in no badge, and comes back as if it had never
been away.
"""

from readstate.domain.rooms import Status
from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted, unread_of


async def test_a_frozen_room_is_not_counted_and_its_tags_are_not_listed(store: RedisStore, app: str) -> None:
    """It is still one of the user's rooms, and knows itself what is unread."""
    await a_room(store, app, tags=["a"])
    await posted(store, app)
    assert await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    assert (await store.badges.badges_by_tags(app=app, user="ann", tags=[])).counts == {}
    assert await store.rooms.rooms_of(app=app, user="ann") == ["r"]
    assert await unread_of(store, app, "ann") == 1


async def test_what_was_posted_and_read_while_frozen_shows_after_thawing(store: RedisStore, app: str) -> None:
    """Cursors move in a frozen room."""
    await a_room(store, app, tags=["a"])
    await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    first = await posted(store, app)
    await posted(store, app)
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message=first.message)
    assert (reading.moved, reading.unread, reading.badge) == (True, 1, 0)
    assert await store.rooms.set_status(app=app, room="r", status=Status.ACTIVE)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob")] == [1, 2]


async def test_the_status_that_it_has_changes_nothing(store: RedisStore, app: str) -> None:
    """False, as for anything that is as asked already."""
    await a_room(store, app)
    assert not await store.rooms.set_status(app=app, room="r", status=Status.ACTIVE)


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.set_status(app=app, room="r", status=Status.FROZEN))

"""add_members.lua: who joins starts at the head, with nothing unread."""

from service.errors import RoomUnknown
from service.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted, unread_of


async def test_who_joins_has_nothing_unread_and_has_read_nothing(store: RedisStore, app: str) -> None:
    """Joining is not reading: no receipt comes of it."""
    await a_room(store, app, members=[])
    await posted(store, app)
    assert await store.add_members(app=app, room="r", members=["ann", "bob"]) == ["ann", "bob"]
    me = (await store.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (1, 0, None)


async def test_only_those_who_were_not_members_are_answered(store: RedisStore, app: str) -> None:
    """And those who were keep their cursors."""
    await a_room(store, app, members=["ann"])
    await posted(store, app)
    assert await store.add_members(app=app, room="r", members=["ann", "bob"]) == ["bob"]
    assert await unread_of(store, app, "ann") == 1


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is created on the way."""
    await refused(store, app, RoomUnknown, store.add_members(app=app, room="r", members=["ann"]))

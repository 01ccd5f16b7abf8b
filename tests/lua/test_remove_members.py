"""remove_members.lua: who leaves takes the room out of all badges in the same step."""

from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted


async def test_a_room_leaves_the_badges_with_its_member(store: RedisStore, app: str) -> None:
    """Total, tag and tag set alike; the others keep theirs."""
    await a_room(store, app, tags=["a", "b"])
    await posted(store, app)
    assert await store.rooms.remove_members(app=app, room="r", members=["ann", "zoe"]) == ["ann"]
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in ([], ["a"], ["a", "b"])] == [0, 0, 0]
    assert (await store.badges.badges_by_tags(app=app, user="ann", tags=[])).counts == {}
    assert await store.badges.badge(app=app, user="bob", tags=["a", "b"]) == 1


async def test_who_comes_back_starts_at_the_head_without_a_receipt(store: RedisStore, app: str) -> None:
    """What was read before leaving is forgotten."""
    await a_room(store, app)
    await posted(store, app, sender="ann")
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    await posted(store, app)
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (2, 0, None)


async def test_removing_a_stranger_changes_nothing(store: RedisStore, app: str) -> None:
    """No revision, no copy: nothing at all is written."""
    await a_room(store, app)
    before = await contents(store, app)
    assert await store.rooms.remove_members(app=app, room="r", members=["zoe"]) == []
    assert await contents(store, app) == before


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.remove_members(app=app, room="r", members=["ann"]))

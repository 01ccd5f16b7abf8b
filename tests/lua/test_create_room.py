"""create_room.lua: a room comes into being once; later calls only add members."""

from service.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted, unread_of


async def test_a_new_room_has_its_tags_profile_and_members(store: RedisStore, app: str) -> None:
    """The reply says that it is new."""
    assert await store.create_room(app=app, room="r", tags=["a", "b"], profile={"name": b'"x"'}, members=["ann"])
    room = await store.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a", "b"), {"name": b'"x"'}, 1, 0)
    assert await store.rooms(app=app, user="ann") == ["r"]


async def test_creating_a_room_again_adds_members_and_changes_nothing_else(store: RedisStore, app: str) -> None:
    """Tags, profile, messages and cursors stay."""
    await a_room(store, app, members=["ann"], tags=["a"])
    await posted(store, app)
    assert not await store.create_room(app=app, room="r", tags=["z"], profile={"name": b"1"}, members=["ann", "bob"])
    room = await store.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a",), {}, 2, 1)
    assert (await unread_of(store, app, "ann"), await unread_of(store, app, "bob")) == (1, 0)


async def test_a_room_created_again_after_deletion_starts_empty_but_counts_on(store: RedisStore, app: str) -> None:
    """Its position goes on from where it was, so nobody's cursor goes back; its old messages are unknown."""
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="old")
    await store.delete_room(app=app, room="r")
    assert await store.create_room(app=app, room="r", tags=["b"], profile={}, members=["ann"])
    assert (await store.room(app=app, room="r", user="ann")).last is None
    assert (await posted(store, app, message="old")).seq == 2
    assert await store.badge(app=app, user="ann", tags=["b"]) == 1
    assert await store.badge(app=app, user="bob", tags=[]) == 0

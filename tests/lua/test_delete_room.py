"""delete_room.lua: room, messages and members' states go; the head stays a day, so that a late
update is known as old.
"""

import pytest

from readstate.domain.client_rules import Made
from readstate.errors import RoomUnknown
from readstate.store import lua, rooms
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.lua import DeletedRoom
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.contents import contents
from tests.support.rooms import a_room, posted


async def test_a_deleted_room_is_in_nobodys_badge_or_list(store: RedisStore, app: str) -> None:
    """And cannot be found."""
    await a_room(store, app, tags=["a"])
    await posted(store, app)
    assert await store.rooms.delete_room(app=app, room="r")
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in ([], ["a"])] == [0, 0]
    assert await store.rooms.rooms_of(app=app, user="ann") == []
    with pytest.raises(RoomUnknown):
        await store.rooms.room(app=app, room="r", user="")


async def test_only_the_head_is_left_and_it_expires(store: RedisStore, executor: Executor, app: str) -> None:
    """Nothing else of the room is kept."""
    await a_room(store, app)
    await store.messages.delete_message(app=app, room="r", message=(await posted(store, app)).message)
    await store.rooms.delete_room(app=app, room="r")
    key = Keys.room(app, "r")
    assert [name for name in await contents(store, app) if name.startswith(key.encode())] == [key.encode()]
    assert 0 < await executor.command("TTL", key, key=key) <= 24 * 3600
    assert await executor.command("HKEYS", key, key=key) == [b""], "no member is left in it"


async def test_deleting_again_or_what_never_was_changes_nothing(store: RedisStore, app: str) -> None:
    """False both times."""
    await a_room(store, app)
    await store.rooms.delete_room(app=app, room="r")
    before = await contents(store, app)
    assert not await store.rooms.delete_room(app=app, room="r")
    assert not await store.rooms.delete_room(app=app, room="nowhere")
    assert await contents(store, app) == before


async def test_a_room_created_anew_is_empty_and_stays(store: RedisStore, executor: Executor, app: str) -> None:
    """It goes on counting where the deleted one ended, but nothing of that is there, and it does
    not expire as that would have.
    """
    await a_room(store, app)
    for _ in range(3):
        await posted(store, app)
    await store.rooms.delete_room(app=app, room="r")
    await a_room(store, app)
    key = Keys.room(app, "r")
    assert await executor.command("TTL", key, key=key) == -1
    assert (await store.messages.delete_messages(app=app, room="r")).count == 0
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=3) == 0
    assert (await posted(store, app)).seq == 4


@pytest.fixture
def large(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> RedisStore:
    """A store to which a room of six is a large one, and that tells two members at a time."""
    monkeypatch.setattr(rooms, "MEMBERS_AT_ONCE", 2)
    return redis_store(executor, fanout_limit=5)


SEVEN = ("ann", "bob", "cid", "dan", "eve", "fay", "gus")


async def test_the_members_of_a_large_room_lose_it_without_asking(
    large: RedisStore, executor: Executor, app: str
) -> None:
    """Nothing of theirs speaks of it but the stamp that keeps late updates out, and nothing of the
    members stays with the room.
    """
    await a_room(large, app, members=SEVEN, tags=["a"])
    assert await large.rooms.delete_room(app=app, room="r")
    key = Keys.room(app, "r")
    assert [name for name in await contents(large, app) if name.startswith(key.encode())] == [key.encode()]
    for member in SEVEN:
        user = Keys.user(app, member)
        assert await executor.command("EXISTS", user + ":d", key=user) == 0
        assert await executor.command("ZRANGE", user + ":g", 0, -1, key=user) == [b"r"]
        assert await large.audit.audit_user(app=app, user=member, repair=False) == []


async def test_a_sweep_that_was_broken_off_goes_on_when_deleting_again(
    large: RedisStore, executor: Executor, app: str
) -> None:
    """Until then the members wait for a day at most, and who asks finds nothing meanwhile."""
    await a_room(large, app, members=SEVEN)
    key = Keys.room(app, "r")
    assert await large.rooms._change(lua.delete_room(app=app, made=Made.ANYHOW), app, "r") == DeletedRoom(
        deleted=True, left=7
    )
    assert await large.rooms._change(lua.sweep_room(app=app, limit=3), app, "r") == 4
    assert 0 < await executor.command("TTL", key + ":g", key=key) <= 24 * 3600
    assert [await large.rooms.rooms_of(app=app, user=member) for member in SEVEN] == [[]] * 7
    assert not await large.rooms.delete_room(app=app, room="r")
    assert await executor.command("EXISTS", key + ":g", key=key) == 0


async def test_a_sweep_does_not_touch_the_room_that_was_made_anew(large: RedisStore, app: str) -> None:
    """Who is in it stays in it; the others hear that they are not."""
    await a_room(large, app, members=SEVEN)
    await large.rooms._change(lua.delete_room(app=app, made=Made.ANYHOW), app, "r")
    await a_room(large, app, members=["ann", "zoe"], tags=["new"])
    await posted(large, app)
    assert await large.rooms._change(lua.sweep_room(app=app, limit=100), app, "r") == 0
    assert [await large.rooms.rooms_of(app=app, user=member) for member in ("ann", "zoe", "bob")] == [["r"], ["r"], []]
    assert [await large.badges.badge(app=app, user=member, tags=["new"]) for member in ("ann", "zoe", "bob")] == [
        1,
        1,
        0,
    ]
    await large.outbox.idle()
    for member in (*SEVEN, "zoe"):
        assert await large.audit.audit_user(app=app, user=member, repair=False) == []


async def test_a_sweep_after_the_head_has_expired_says_that_the_room_is_gone(
    large: RedisStore, executor: Executor, app: str
) -> None:
    await a_room(large, app, members=SEVEN)
    await large.rooms._change(lua.delete_room(app=app, made=Made.ANYHOW), app, "r")
    key = Keys.room(app, "r")
    await executor.command("DEL", key, key=key)
    assert await large.rooms._change(lua.sweep_room(app=app, limit=100), app, "r") == 0
    assert [await large.rooms.rooms_of(app=app, user=member) for member in SEVEN] == [[]] * 7


async def test_a_large_room_that_everybody_has_left_can_be_deleted(large: RedisStore, app: str) -> None:
    await a_room(large, app, members=SEVEN)
    await large.rooms.remove_members(app=app, room="r", members=SEVEN)
    assert await large.rooms.delete_room(app=app, room="r")


async def test_a_large_room_is_deleted_and_its_members_are_told_although_the_store_is_full(
    large: RedisStore, executor: Executor, app: str
) -> None:
    """What was kept of it for them goes."""
    await a_room(large, app, members=SEVEN)
    key = Keys.room(app, "r")
    await executor.each_node("CONFIG", "SET", "maxmemory", 1)
    try:
        assert await large.rooms.delete_room(app=app, room="r")
        assert await executor.command("EXISTS", key + ":g", key=key) == 0
    finally:
        await executor.each_node("CONFIG", "SET", "maxmemory", 0)


async def test_rooms_are_listed_although_the_store_is_full_and_one_of_them_is_gone(
    large: RedisStore, executor: Executor, app: str
) -> None:
    """It is taken off the list when there is room again."""
    await a_room(large, app, members=SEVEN)
    await a_room(large, app, "other", members=SEVEN)
    await posted(large, app)
    await posted(large, app, "other")
    await large.rooms._change(lua.delete_room(app=app, made=Made.ANYHOW), app, "r")
    key = Keys.user(app, "ann")
    await executor.each_node("CONFIG", "SET", "maxmemory", 1)
    try:
        assert await large.rooms.rooms_of(app=app, user="ann") == ["other"]
        assert await executor.command("SCARD", key + ":d", key=key) == 2
    finally:
        await executor.each_node("CONFIG", "SET", "maxmemory", 0)
    assert await large.rooms.rooms_of(app=app, user="ann") == ["other"]
    assert await executor.command("SCARD", key + ":d", key=key) == 1

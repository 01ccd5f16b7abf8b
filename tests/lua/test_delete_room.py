"""delete_room.lua: room, messages and members' states go; the head stays a day so that late news is known as old."""

import pytest

from service.errors import RoomUnknown
from service.store.connect import Caller
from service.store.keys import Keys
from service.store.redis_store import RedisStore
from tests.support.contents import contents
from tests.support.rooms import a_room, posted


async def test_a_deleted_room_is_in_nobodys_badge_or_list(store: RedisStore, app: str) -> None:
    """And cannot be found."""
    await a_room(store, app, tags=["a"])
    await posted(store, app)
    assert await store.delete_room(app=app, room="r")
    assert [await store.badge(app=app, user="ann", tags=tags) for tags in ([], ["a"])] == [0, 0]
    assert await store.rooms(app=app, user="ann") == []
    with pytest.raises(RoomUnknown):
        await store.room(app=app, room="r", user="")


async def test_only_the_head_is_left_and_it_expires(store: RedisStore, caller: Caller, app: str) -> None:
    """Nothing else of the room is kept."""
    await a_room(store, app)
    await store.delete_message(app=app, room="r", message=(await posted(store, app)).message)
    await store.delete_room(app=app, room="r")
    key = Keys.room(app, "r")
    assert [name for name in await contents(store, app) if name.startswith(key.encode())] == [key.encode()]
    assert 0 < await caller.command("TTL", key, key=key) <= 24 * 3600
    assert await caller.command("HKEYS", key, key=key) == [b""], "no member is left in it"


async def test_deleting_again_or_what_never_was_changes_nothing(store: RedisStore, app: str) -> None:
    """False both times."""
    await a_room(store, app)
    await store.delete_room(app=app, room="r")
    before = await contents(store, app)
    assert not await store.delete_room(app=app, room="r")
    assert not await store.delete_room(app=app, room="nowhere")
    assert await contents(store, app) == before


async def test_a_room_created_anew_is_empty_and_stays(store: RedisStore, caller: Caller, app: str) -> None:
    """It goes on counting where the deleted one ended, but nothing of that is there, and it does not expire as that would have."""
    await a_room(store, app)
    for _ in range(3):
        await posted(store, app)
    await store.delete_room(app=app, room="r")
    await a_room(store, app)
    key = Keys.room(app, "r")
    assert await caller.command("TTL", key, key=key) == -1
    assert (await store.delete_all_messages(app=app, room="r")).count == 0
    assert await store.set_unread(app=app, room="r", user="ann", count=3) == 0
    assert (await posted(store, app)).seq == 4

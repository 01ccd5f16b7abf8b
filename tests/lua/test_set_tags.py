"""set_tags.lua: badges per tag follow the room's tags at once."""

from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted


async def test_the_counts_move_from_the_old_tags_to_the_new(store: RedisStore, app: str) -> None:
    """A tag that no room carries any more is gone, not zero."""
    await a_room(store, app, tags=["a", "b"])
    await posted(store, app)
    assert await store.rooms.set_tags(app=app, room="r", tags=["b", "c"])
    assert (await store.badges.badges_by_tags(app=app, user="ann", tags=[])).counts == {"b": 1, "c": 1}
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in (["a", "b"], ["b", "c"], [])] == [
        0,
        1,
        1,
    ]


async def test_equal_tags_change_nothing(store: RedisStore, app: str) -> None:
    """False, and not a byte is written."""
    await a_room(store, app, tags=["a"])
    before = await contents(store, app)
    assert not await store.rooms.set_tags(app=app, room="r", tags=["a"])
    assert await contents(store, app) == before


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.set_tags(app=app, room="r", tags=["a"]))

"""delete_all_messages.lua: an emptied room is unread for nobody; cursors stay."""

from service.errors import RoomUnknown
from service.store.keys import Keys
from service.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted, unread_of


async def test_nothing_is_unread_and_cursors_stay(store: RedisStore, app: str) -> None:
    """The count is of messages that were still there, whether they counted or not."""
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="m")
    await posted(store, app, countable=False)
    await posted(store, app)
    await store.delete_message(app=app, room="r", message="m")
    assert (await store.delete_all_messages(app=app, room="r")).count == 2
    me = (await store.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, await store.badge(app=app, user="ann", tags=["a"])) == (0, 0, 0)


async def test_what_is_posted_later_counts(store: RedisStore, app: str) -> None:
    """And old ids are still known as places."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.delete_all_messages(app=app, room="r")
    await posted(store, app)
    assert await unread_of(store, app, "ann") == 1
    assert (await store.mark_read(app=app, room="r", user="ann", message="m")).unread == 1
    assert (await store.delete_message(app=app, room="r", message="m")).count == 0


async def test_holes_go_with_the_messages(store: RedisStore, app: str) -> None:
    """Nobody counts over them any more, and nothing else would ever take them away."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app)
    await store.delete_message(app=app, room="r", message="m")
    holes = f"{Keys.room(app, 'r')}:h".encode()
    assert holes in await contents(store, app)
    await store.delete_all_messages(app=app, room="r")
    assert holes not in await contents(store, app)


async def test_an_empty_room_has_nothing_to_delete(store: RedisStore, app: str) -> None:
    """Count 0, and not a byte is written."""
    await a_room(store, app)
    await posted(store, app)
    await store.delete_all_messages(app=app, room="r")
    before = await contents(store, app)
    assert (await store.delete_all_messages(app=app, room="r")).count == 0
    assert await contents(store, app) == before


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.delete_all_messages(app=app, room="r"))

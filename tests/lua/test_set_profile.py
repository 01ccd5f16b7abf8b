"""set_profile.lua: fields are set one by one; the others stay."""

from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused


async def test_named_fields_are_set_and_the_others_stay(store: RedisStore, app: str) -> None:
    """Values are kept byte for byte."""
    await store.rooms.create_room(app=app, room="r", tags=[], profile={"name": b'"x"', "icon": b"1"}, members=[])
    await store.rooms.set_profile(app=app, room="r", profile={"name": b"1e400", "more": b'"\\u0000"'})
    assert (await store.rooms.room(app=app, room="r", user="")).profile == {
        "name": b"1e400",
        "icon": b"1",
        "more": b'"\\u0000"',
    }


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.set_profile(app=app, room="r", profile={"name": b"1"}))

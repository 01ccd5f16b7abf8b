"""members.lua: the members' states."""

from readstate.domain.rooms import MemberState
from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted


async def test_every_member_is_answered_with_their_state(store: RedisStore, app: str) -> None:
    """In no particular order."""
    await a_room(store, app, members=["ann", "bob"])
    await posted(store, app, message="m", sender="ann")
    found = await store.rooms.members(app=app, room="r", limit=10)
    assert sorted(found, key=lambda state: state.member) == [
        MemberState("ann", 1, 0, "m"),
        MemberState("bob", 0, 1, None),
    ]


async def test_no_more_than_the_limit_are_answered(store: RedisStore, app: str) -> None:
    """However many there are."""
    await a_room(store, app, members=["ann", "bob", "cid"])
    assert len(await store.rooms.members(app=app, room="r", limit=2)) == 2


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.members(app=app, room="r", limit=1))

"""room.lua: one room as one of its readers sees it."""

from readstate.domain.messages import MessageRef
from readstate.domain.rooms import MemberState, Status
from readstate.errors import RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted


async def test_a_room_tells_its_head_and_last_message(store: RedisStore, app: str) -> None:
    """And to a member their own state."""
    await a_room(store, app, tags=["a"])
    await posted(store, app)
    post = await posted(store, app, message="m", sender="bob")
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert room.last == MessageRef("m", 2, "bob", post.at_ms)
    assert room.me == MemberState("ann", 0, 2, None, moved_ms=room.created_ms)
    assert (room.status, room.seq, room.member_count) == (Status.ACTIVE, 2, 2)


async def test_the_last_message_is_one_that_is_still_there(store: RedisStore, app: str) -> None:
    """A recalled one is shown as recalled; a deleted one is not shown."""
    await a_room(store, app)
    for message in ("m", "n", "o"):
        await posted(store, app, message=message)
    await store.messages.delete_message(app=app, room="r", message="o")
    await store.messages.recall_message(app=app, room="r", message="n", body="{}")
    last = (await store.rooms.room(app=app, room="r", user="")).last
    assert last is not None
    assert last.message == "n"
    await store.messages.delete_messages(app=app, room="r")
    assert (await store.rooms.room(app=app, room="r", user="")).last is None


async def test_a_member_is_told_where_they_joined(store: RedisStore, app: str) -> None:
    """What came before does not concern them; who comes back has joined anew."""
    await a_room(store, app, members=["ann"])
    await posted(store, app)
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    await posted(store, app)
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    joined = {}
    for user in ("ann", "bob"):
        me = (await store.rooms.room(app=app, room="r", user=user)).me
        joined[user] = me and me.joined
    assert joined == {"ann": 2, "bob": 1}


async def test_a_stranger_has_no_state(store: RedisStore, app: str) -> None:
    """What a stranger may see is not decided here."""
    await a_room(store, app)
    assert (await store.rooms.room(app=app, room="r", user="zoe")).me is None


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.room(app=app, room="r", user="ann"))

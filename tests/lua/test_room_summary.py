"""room_summary.lua: what choosing among a user's rooms needs."""

import random

from readstate.domain.rooms import Status
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def test_a_summary_says_what_the_room_says(store: RedisStore, app: str) -> None:
    await store.rooms.create_room(
        app=app, room="r", tags=["a", "b"], profile={"name": b'"R"', "x": b"1"}, members=["ann", "bob"]
    )
    await posted(store, app, message="m1", sender="bob")
    await posted(store, app, message="m2", sender="bob")
    await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
    await store.reading.mark_unread(app=app, room="r", user="ann", message="m2")
    await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    (found,) = await store.rooms.room_summary_each(app=app, rooms=["r"], user="ann", tags=True, fields=("name", "t"))
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert found is not None
    assert room.me is not None
    assert room.last is not None
    assert (found.room, found.status, found.created_ms, found.last_ms) == (
        "r",
        Status.FROZEN,
        room.created_ms,
        room.last.at_ms,
    )
    assert (found.tags, found.profile) == (("a", "b"), {"name": b'"R"'})
    assert (found.me.unread, found.me.moved_ms, found.me.has_read, found.me.marked_ms) == (
        1,
        room.me.moved_ms,
        True,
        room.last.at_ms,
    )


async def test_tags_and_fields_are_given_only_when_asked_for(store: RedisStore, app: str) -> None:
    await store.rooms.create_room(app=app, room="r", tags=["a"], profile={"name": b'"R"'}, members=["ann"])
    (found,) = await store.rooms.room_summary_each(app=app, rooms=["r"], user="ann", tags=False, fields=())
    assert found is not None
    assert (found.tags, found.profile, found.last_ms) == ((), {}, 0)


async def test_with_what_was_read_last(store: RedisStore, app: str) -> None:
    """Nothing before a real read: joining is none, and its time is known."""
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="m1")

    async def found() -> tuple[tuple[str, ...], str | None, bool]:
        (room,) = await store.rooms.room_summary_each(
            app=app, rooms=["r"], user="ann", tags=False, fields=(), last_read=True
        )
        assert room is not None
        assert room.last is not None
        assert room.last.message == "m1"
        return room.tags, room.me.last_read, room.me.has_read

    assert await found() == (("a",), None, False)
    await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
    assert await found() == (("a",), "m1", True)
    (room,) = await store.rooms.room_summary_each(app=app, rooms=["r"], user="ann", tags=True, fields=())
    assert room is not None
    assert room.me.last_read is None


async def test_a_stranger_sees_none_and_neither_does_anybody_of_a_deleted_room(store: RedisStore, app: str) -> None:
    await a_room(store, app)
    for stranger in ("zoe", ""):
        assert await store.rooms.room_summary_each(
            app=app, rooms=["r"], user=stranger, tags=True, fields=("name",)
        ) == [None]
    await store.rooms.delete_room(app=app, room="r")
    assert await store.rooms.room_summary_each(app=app, rooms=["r"], user="ann", tags=True, fields=("name",)) == [None]


async def test_several_are_answered_in_their_order(store: RedisStore, app: str) -> None:
    for room in ("a", "b", "c"):
        await a_room(store, app, room, members=["ann"] if room != "b" else ["bob"])
    found = await store.rooms.room_summary_each(
        app=app, rooms=["c", "b", "none", "a"], user="ann", tags=False, fields=()
    )
    assert [one and one.room for one in found] == ["c", None, None, "a"]


async def test_the_newest_message_that_is_left_is_found_after_any_deletions(store: RedisStore, app: str) -> None:
    """Against a list of those that are there: deleted in any order, all at once, forgotten as the
    history is trimmed, posted anew.
    """
    chance = random.Random(7)
    await a_room(store, app)
    there: list[str] = []
    for step in range(400):
        what = chance.random()
        if what < 0.45 or not there:
            there.append(f"m{step}")
            await posted(store, app, message=there[-1])
        elif what < 0.47:
            await store.messages.delete_messages(app=app, room="r")
            there = []
        else:
            # Often the newest ones, so that rows of deleted messages meet.
            victim = there.pop(max(0, len(there) - 1 - int(chance.expovariate(0.5))))
            assert (await store.messages.delete_message(app=app, room="r", message=victim)).count == 1
        last = (await store.rooms.room(app=app, room="r", user="ann")).last
        assert (last.message if last else None) == (there[-1] if there else None), f"step {step}"

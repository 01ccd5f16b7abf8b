"""delete_message.lua: a deleted message lowers every badge that counted it; its place stays."""

from readstate.errors import MessageUnknown, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted, unread_of


async def test_only_those_who_had_not_read_it_have_one_less(store: RedisStore, app: str) -> None:
    """Who had read it, or wrote it, keeps their count."""
    await a_room(store, app, members=["ann", "bob", "cid"], tags=["a"])
    await posted(store, app, message="m", sender="ann")
    await posted(store, app, message="n")
    await store.reading.mark_read(app=app, room="r", user="bob", message="m")
    assert (await store.messages.delete_message(app=app, room="r", message="m")).count == 1
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob", "cid")] == [1, 1, 1]


async def test_repeating_changes_nothing(store: RedisStore, app: str) -> None:
    """Count 0, and not a byte is written."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.messages.delete_message(app=app, room="r", message="m")
    before = await contents(store, app)
    assert (await store.messages.delete_message(app=app, room="r", message="m")).count == 0
    assert await contents(store, app) == before


async def test_what_did_not_count_lowers_nothing(store: RedisStore, app: str) -> None:
    """It was there all the same, so it is counted as deleted."""
    await a_room(store, app)
    await posted(store, app)
    await posted(store, app, message="m", countable=False)
    assert (await store.messages.delete_message(app=app, room="r", message="m")).count == 1
    assert await unread_of(store, app, "ann") == 1


async def test_a_cursor_may_move_to_where_it_was(store: RedisStore, app: str) -> None:
    """A client that raced with the deletion reads up to it, and a second message stays unread."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app)
    await store.messages.delete_message(app=app, room="r", message="m")
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    assert (reading.moved, reading.seq, reading.unread, reading.badge) == (True, 1, 1, 1)


async def test_what_is_gone_under_a_cursor_is_not_taken_off_again(store: RedisStore, app: str) -> None:
    """Only what is gone after the cursor lowers its count."""
    await a_room(store, app)
    for message in ("m", "n", "o"):
        await posted(store, app, message=message)
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    for message in ("m", "o"):
        await store.messages.delete_message(app=app, room="r", message=message)
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [1, 1]


async def test_unknown_rooms_and_messages_are_refused(store: RedisStore, app: str) -> None:
    """A message of another room is unknown here."""
    await a_room(store, app, "other")
    await posted(store, app, "other", "m")
    await refused(store, app, RoomUnknown, store.messages.delete_message(app=app, room="r", message="m"))
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.messages.delete_message(app=app, room="r", message="m"))


async def test_a_recalled_message_can_still_be_deleted(store: RedisStore, app: str) -> None:
    """It was shown as recalled until then; it does not count a second time."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app)
    await store.messages.recall_message(app=app, room="r", message="m", body="{}")
    assert (await store.messages.delete_message(app=app, room="r", message="m")).count == 1
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1


async def test_messages_may_be_deleted_in_any_order(store: RedisStore, app: str) -> None:
    """The newest first, then one that ann has read: what is gone stays gone for her."""
    await a_room(store, app)
    for message in ("m1", "m2", "m3"):
        await posted(store, app, message=message)
    await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
    for message in ("m3", "m1"):
        await store.messages.delete_message(app=app, room="r", message=message)
    assert await unread_of(store, app, "ann") == 1
    await store.rooms.set_tags(app=app, room="r", tags=["told-anew"])
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1

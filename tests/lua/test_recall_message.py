"""recall_message.lua: a recalled message lowers every badge that counted it; its place stays."""

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
    assert (await store.messages.recall_message(app=app, room="r", message="m", body="{}")).count == 1
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob", "cid")] == [1, 1, 1]


async def test_repeating_changes_nothing(store: RedisStore, app: str) -> None:
    """Count 0, and not a byte is written."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.messages.recall_message(app=app, room="r", message="m", body="{}")
    before = await contents(store, app)
    assert (await store.messages.recall_message(app=app, room="r", message="m", body="{}")).count == 0
    assert await contents(store, app) == before


async def test_what_did_not_count_lowers_nothing(store: RedisStore, app: str) -> None:
    """It was there all the same, so it is counted as recalled."""
    await a_room(store, app)
    await posted(store, app)
    await posted(store, app, message="m", countable=False)
    assert (await store.messages.recall_message(app=app, room="r", message="m", body="{}")).count == 1
    assert await unread_of(store, app, "ann") == 1


async def test_a_cursor_may_move_to_where_it_was(store: RedisStore, app: str) -> None:
    """A client that raced with the deletion reads up to it, and a second message stays unread."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app)
    await store.messages.recall_message(app=app, room="r", message="m", body="{}")
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    assert (reading.moved, reading.seq, reading.unread, reading.badge) == (True, 1, 1, 1)


async def test_what_is_gone_under_a_cursor_is_not_taken_off_again(store: RedisStore, app: str) -> None:
    """Only what is gone after the cursor lowers its count."""
    await a_room(store, app)
    for message in ("m", "n", "o"):
        await posted(store, app, message=message)
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    for message in ("m", "o"):
        await store.messages.recall_message(app=app, room="r", message=message, body="{}")
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [1, 1]


async def test_unknown_rooms_and_messages_are_refused(store: RedisStore, app: str) -> None:
    """A message of another room is unknown here."""
    await a_room(store, app, "other")
    await posted(store, app, "other", "m")
    await refused(store, app, RoomUnknown, store.messages.recall_message(app=app, room="r", message="m", body="{}"))
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.messages.recall_message(app=app, room="r", message="m", body="{}"))


async def test_a_deleted_message_cannot_be_recalled(store: RedisStore, app: str) -> None:
    """Nobody sees it any more."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.messages.delete_message(app=app, room="r", message="m")
    assert (await store.messages.recall_message(app=app, room="r", message="m", body="{}")).count == 0

"""edit_message.lua: a message is shown anew; no count changes."""

import pytest

from readstate.errors import MessageUnknown, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.nouns import operation_of
from tests.support.rooms import a_room, posted


async def test_the_place_is_answered_and_nothing_is_written(store: RedisStore, app: str) -> None:
    """What members see is pushed; the service keeps no bodies."""
    await a_room(store, app)
    post = await posted(store, app, message="m", sender="ann")
    before = await contents(store, app)
    edited = await store.messages.edit_message(app=app, room="r", message="m", body="{}")
    assert (edited.message, edited.seq, edited.ordinal, edited.at_ms, edited.created) == ("m", 1, 1, post.at_ms, False)
    assert await contents(store, app) == before


@pytest.mark.parametrize("gone", ["delete_message", "recall_message", "delete_messages"])
async def test_what_is_gone_cannot_be_edited(store: RedisStore, app: str, gone: str) -> None:
    """An edit would show it again."""
    await a_room(store, app)
    await posted(store, app, message="m")
    arguments = {"delete_message": {"message": "m"}, "recall_message": {"message": "m", "body": "{}"}}.get(gone, {})
    await operation_of(store, gone)(app=app, room="r", **arguments)
    await refused(store, app, MessageUnknown, store.messages.edit_message(app=app, room="r", message="m", body="{}"))


async def test_unknown_rooms_and_messages_are_refused(store: RedisStore, app: str) -> None:
    """A message of another room is unknown here."""
    await a_room(store, app, "other")
    await posted(store, app, "other", "m")
    await refused(store, app, RoomUnknown, store.messages.edit_message(app=app, room="r", message="m", body="{}"))
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.messages.edit_message(app=app, room="r", message="m", body="{}"))

"""message.lua: what is remembered of a message."""

from readstate.errors import MessageUnknown, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted


async def test_the_sender_is_remembered_also_of_a_deleted_message(store: RedisStore, app: str) -> None:
    """Without a sender the answer is empty."""
    await a_room(store, app)
    await posted(store, app, message="m", sender="ann")
    await posted(store, app, message="n")
    await store.messages.delete_message(app=app, room="r", message="m")
    assert (await store.messages.message(app=app, room="r", message="m")).sender == "ann"
    assert (await store.messages.message(app=app, room="r", message="n")).sender is None


async def test_a_message_before_a_place_is_unknown(store: RedisStore, app: str) -> None:
    """For who joined there."""
    await a_room(store, app)
    for message in ("m", "n"):
        await posted(store, app, message=message, sender="ann")
    await refused(store, app, MessageUnknown, store.messages.message(app=app, room="r", message="m", after=1))
    assert (await store.messages.message(app=app, room="r", message="n", after=1)).sender == "ann"


async def test_unknown_rooms_and_messages_are_refused(store: RedisStore, app: str) -> None:
    """Room first, then message."""
    await refused(store, app, RoomUnknown, store.messages.message(app=app, room="r", message="m"))
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.messages.message(app=app, room="r", message="m"))

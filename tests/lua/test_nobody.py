"""lib/room.lua: a room's head is the field "" among its members' records.

No user and no message has that name.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from readstate.errors import MessageUnknown, NotMember
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted

Call = Callable[[RedisStore, str], Awaitable[Any]]

AS_NOBODY: dict[str, Call] = {
    "mark_read": lambda store, app: store.reading.mark_read(app=app, room="r", user="", message="m"),
    "mark_read_until": lambda store, app: store.reading.mark_read_until(app=app, room="r", user="", until_ms=0),
    "mark_unread": lambda store, app: store.reading.mark_unread(app=app, room="r", user="", message="m"),
    "set_unread": lambda store, app: store.reading.set_unread(app=app, room="r", user="", count=0),
    "acknowledge": lambda store, app: store.reading.acknowledge(app=app, room="r", user="", messages=["m"]),
    "post": lambda store, app: store.messages.post(
        app=app, room="r", sender="", message="n", countable=True, body="{}", sender_must_be_member=True
    ),
}


async def test_nobody_has_no_state(store: RedisStore, app: str) -> None:
    """A backend that asks for a room in nobody's name is shown nobody's state."""
    await a_room(store, app)
    await posted(store, app)
    assert (await store.rooms.room(app=app, room="r", user="")).me is None


@pytest.mark.parametrize("call", AS_NOBODY.values(), ids=AS_NOBODY)
async def test_nobody_is_no_member(store: RedisStore, app: str, call: Call) -> None:
    """Nothing is written; the head least of all."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await refused(store, app, NotMember, call(store, app))


async def test_nobody_can_be_neither_added_nor_removed(store: RedisStore, app: str) -> None:
    """Not a byte changes."""
    await a_room(store, app)
    before = await contents(store, app)
    assert await store.rooms.add_members(app=app, room="r", members=[""]) == []
    assert await store.rooms.remove_members(app=app, room="r", members=[""]) == []
    assert await contents(store, app) == before


async def test_a_room_without_messages_has_none_of_an_empty_id(store: RedisStore, app: str) -> None:
    """Nor has one that was created anew, whose positions go on from those of the deleted one."""
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.reading.mark_read(app=app, room="r", user="ann", message=""))
    await posted(store, app)
    await store.rooms.delete_room(app=app, room="r")
    await a_room(store, app)
    await refused(store, app, MessageUnknown, store.reading.mark_read(app=app, room="r", user="ann", message=""))

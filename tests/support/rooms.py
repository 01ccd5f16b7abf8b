"""Builders: the situations that tests begin with, in one line each."""

from collections.abc import Sequence
from typing import Any

from readstate.domain.messages import Posted
from readstate.store.redis_store import RedisStore
from tests.support.model import ModelStore


async def a_room(
    store: RedisStore | ModelStore,
    app: str,
    room: str = "r",
    *,
    members: Sequence[str] = ("ann", "bob"),
    tags: Sequence[str] = (),
) -> str:
    """A room with `members` and nothing in it. Returns its id."""
    await store.rooms.create_room(app=app, room=room, tags=sorted(tags), profile={}, members=members)
    return room


async def posted(
    store: RedisStore | ModelStore,
    app: str,
    room: str = "r",
    message: str = "",
    *,
    sender: str = "",
    countable: bool = True,
    **more: Any,
) -> Posted:
    """A message in the room, without a sender unless one is given."""
    given = {
        "sender": sender,
        "message": message,
        "countable": countable,
        "body": "{}",
        "sender_must_be_member": False,
        "move_cursor": True,
        "as_last": True,
        **more,
    }
    return await store.messages.post(app=app, room=room, **given)


async def unread_of(store: RedisStore | ModelStore, app: str, user: str, room: str = "r") -> int:
    """What `user` has not read of the room, by the room's own count."""
    me = (await store.rooms.room(app=app, room=room, user=user)).me
    assert me is not None, f"{user} is not a member of {room}"
    return me.unread

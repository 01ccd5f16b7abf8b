"""rooms.lua: the rooms of a user."""

import pytest

from readstate.domain.rooms import Status
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room


async def test_a_user_is_in_the_rooms_that_they_joined_and_did_not_leave(store: RedisStore, app: str) -> None:
    """Frozen ones included."""
    for room in ("r1", "r2", "r3"):
        await a_room(store, app, room)
    await store.rooms.set_status(app=app, room="r1", status=Status.FROZEN)
    await store.rooms.remove_members(app=app, room="r2", members=["ann"])
    assert sorted(await store.rooms.rooms_of(app=app, user="ann")) == ["r1", "r3"]
    assert await store.rooms.rooms_of(app=app, user="zoe") == []


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_large_room_that_was_deleted_is_not_listed(store: RedisStore, executor: Executor, app: str) -> None:
    """Its members were not updated; the stale entry goes when it is found."""
    await a_room(store, app)
    await store.rooms.delete_room(app=app, room="r")
    assert await store.rooms.rooms_of(app=app, user="ann") == []
    await store.outbox.idle()
    key = Keys.user(app, "ann")
    assert await executor.command("EXISTS", f"{key}:d", key=key) == 0

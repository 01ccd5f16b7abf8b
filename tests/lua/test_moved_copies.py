"""moved_copies.lua: what devices that are told of each change have not been told yet."""

import asyncio

import pytest

from readstate.domain.changes import MovedRooms
from readstate.domain.rooms import Status
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def moved(store: RedisStore, app: str, since: int = 0) -> MovedRooms:
    return await store.changes.moved(app=app, user="ann", since=since)


def seen(answer: MovedRooms) -> dict[str, tuple[int, tuple[str, ...], bool]]:
    return {room.room: (room.unread, tuple(sorted(room.tags)), room.there) for room in answer.rooms}


async def test_without_a_version_it_tells_only_the_present_one(store: RedisStore, app: str) -> None:
    assert await moved(store, app) == MovedRooms(0, 0, False, [])
    await a_room(store, app)
    await posted(store, app)
    answer = await moved(store, app)
    assert (answer.badge, answer.lost, answer.rooms) == (1, False, [])
    assert await moved(store, app, answer.version) == answer


async def test_it_tells_each_change_once_in_their_order(store: RedisStore, app: str) -> None:
    for room in ("posted", "read", "tagged", "left", "frozen", "same"):
        await a_room(store, app, room)
        await posted(store, app, room, "m")
    before = (await moved(store, app)).version
    await store.rooms.set_tags(app=app, room="tagged", tags=["b", "a"])
    await posted(store, app, "posted")
    await store.reading.mark_read(app=app, room="read", user="ann", message="m")
    await store.rooms.remove_members(app=app, room="left", members=["ann"])
    await store.rooms.set_status(app=app, room="frozen", status=Status.FROZEN)
    await posted(store, app, "posted")
    answer = await moved(store, app, before)
    assert [room.room for room in answer.rooms] == ["tagged", "read", "left", "frozen", "posted"]
    assert seen(answer) | {"frozen": seen(answer)["frozen"][2:], "left": seen(answer)["left"][2:]} == {
        "tagged": (1, ("a", "b"), True),
        "posted": (3, (), True),
        "read": (0, (), True),
        "left": (False,),
        "frozen": (False,),
    }
    assert (answer.badge, answer.lost, answer.rooms[-1].version) == (5, False, answer.version)
    assert seen(await moved(store, app, answer.version)) == {}


@pytest.mark.parametrize("fanout_limit", [1])
async def test_derived_rooms_are_asked(store: RedisStore, app: str) -> None:
    await a_room(store, app)
    before = await moved(store, app)
    for count in (1, 2):
        await posted(store, app)
        answer = await moved(store, app, before.version)
        assert (seen(answer), answer.badge) == ({"r": (count, (), True)}, count)


async def test_news_of_which_the_user_was_not_told(store: RedisStore, app: str) -> None:
    await a_room(store, app)
    before = await moved(store, app)
    for _ in range(9):
        await posted(store, app)
    answer = await moved(store, app, before.version)
    assert (seen(answer), answer.badge) == ({"r": (9, (), True)}, 9)


async def test_a_version_of_the_future_or_of_a_side_that_ended_is_lost(
    store: RedisStore, executor: Executor, app: str
) -> None:
    await a_room(store, app)
    version = (await moved(store, app)).version
    assert (await moved(store, app, version + 1)).lost
    await executor.command("DEL", Keys.user(app, "ann"), key=Keys.user(app, "ann"))
    await asyncio.sleep(0.01)
    await a_room(store, app, "r2")
    answer = await moved(store, app, version)
    assert (answer.lost, answer.rooms) == (True, [])

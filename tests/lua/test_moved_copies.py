"""moved_copies.lua: what devices that are told of each change have not been told yet."""

import asyncio

import pytest

from readstate.domain.changes import MovedRooms
from readstate.domain.rooms import Status
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import a_room, posted
from tests.support.schedule import SteppedExecutor, settle


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


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_derived_room_that_is_frozen_is_not_there(store: RedisStore, app: str) -> None:
    await a_room(store, app, tags=["b", "a"])
    before = await moved(store, app)
    await posted(store, app)
    for status, there in ((Status.FROZEN, False), (Status.ACTIVE, True), (Status.FROZEN, False)):
        await store.rooms.set_status(app=app, room="r", status=status)
        answer = await moved(store, app, before.version)
        assert [room.there for room in answer.rooms] == [there]
        assert answer.badge == there
        assert not there or seen(answer) == {"r": (1, ("a", "b"), True)}
        changes = await store.changes.changes(app=app, user="ann", since=str(before.version))
        assert ([room.room for room in changes.rooms], changes.removed) == (([], ["r"]), (["r"], []))[there]
    assert (await store.changes.changes(app=app, user="ann")).removed == []


async def test_of_one_version_there_is_one_badge(executor: Executor, app: str) -> None:
    """Two ask the same derived room, one before a message and one after it. The first one's news of
    the room comes last to the user's side, which then knows better.
    """
    stepped = SteppedExecutor(executor)
    first, second = (redis_store(by, fanout_limit=1, attention_posts=64) for by in (stepped, executor))
    await a_room(second, app, members=["ann", *(f"m{number}" for number in range(9))])
    before = await moved(second, app)
    await posted(second, app)
    asking = asyncio.create_task(moved(first, app, before.version))
    await settle()
    while stepped.tickets and stepped.tickets[0].name != "apply":
        await let_go(stepped)
    await posted(second, app)
    others = await moved(second, app, before.version)
    while not asking.done():
        await let_go(stepped)
    answer = await asking
    assert others.badge == 2
    assert answer.version != others.version or answer == others


async def let_go(stepped: SteppedExecutor) -> None:
    ticket = stepped.tickets.pop(0)
    ticket.reply.set_result(await ticket.make())
    await settle()


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

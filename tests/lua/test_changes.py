"""changes.lua: what a device that knows a version has missed, and no more."""

import asyncio

import pytest

from readstate.domain.changes import ChangedRooms
from readstate.domain.rooms import Status
from readstate.errors import Invalid
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def changes(store: RedisStore, app: str, since: str = "", limit: int = 100) -> ChangedRooms:
    return await store.changes.changes(app=app, user="ann", since=since, limit=limit)


def seen(answer: ChangedRooms) -> tuple[dict[str, int], list[str]]:
    """Unread by room, and the rooms that are gone."""
    return {room.room: room.me.unread for room in answer.rooms}, answer.removed


async def test_the_first_question_is_answered_with_all_rooms(store: RedisStore, app: str) -> None:
    await a_room(store, app, "r1", tags=["a"])
    await a_room(store, app, "r2")
    await posted(store, app, "r1")
    answer = await changes(store, app)
    assert (answer.snapshot, answer.more, answer.badge, seen(answer)) == (True, False, 1, ({"r1": 1, "r2": 0}, []))
    assert [room.tags for room in answer.rooms if room.room == "r1"] == [("a",)]


async def test_a_further_one_with_what_has_changed_since(store: RedisStore, app: str) -> None:
    """Posts, reads elsewhere, new tags, joining, leaving, freezing; each room once."""
    for room in ("posted", "read", "tagged", "left", "frozen", "same"):
        await a_room(store, app, room)
        await posted(store, app, room, "m")
    before = await changes(store, app)
    assert seen(await changes(store, app, before.version)) == ({}, [])
    await posted(store, app, "posted")
    await posted(store, app, "posted")
    await store.reading.mark_read(app=app, room="read", user="ann", message="m")
    await store.rooms.set_tags(app=app, room="tagged", tags=["b"])
    await store.rooms.remove_members(app=app, room="left", members=["ann"])
    await store.rooms.set_status(app=app, room="frozen", status=Status.FROZEN)
    await a_room(store, app, "new")
    answer = await changes(store, app, before.version)
    rooms, removed = seen(answer)
    assert rooms == {"posted": 3, "read": 0, "tagged": 1, "new": 0}
    assert (sorted(removed), answer.snapshot, answer.badge) == (["frozen", "left"], False, 5)
    assert seen(await changes(store, app, answer.version)) == ({}, [])


async def test_a_repeated_read_and_an_uncounted_message_change_nothing(store: RedisStore, app: str) -> None:
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    version = (await changes(store, app)).version
    await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    await store.messages.post(app=app, room="r", sender="bob", countable=False)
    again = await changes(store, app, version)
    assert (again.version, seen(again)) == (version, ({}, []))


async def test_a_room_of_which_the_user_was_not_told_is_visited(store: RedisStore, app: str) -> None:
    """Also when more posts came than a member is told of."""
    await a_room(store, app)
    version = (await changes(store, app)).version
    for _ in range(9):
        await posted(store, app)
    answer = await changes(store, app, version)
    assert (seen(answer), answer.badge) == (({"r": 9}, []), 9)


@pytest.mark.parametrize("fanout_limit", [1])
async def test_of_derived_rooms_those_that_moved_are_listed(store: RedisStore, app: str) -> None:
    for room in ("r1", "r2"):
        await a_room(store, app, room)
        for _ in range(3):
            await posted(store, app, room)
    first = await changes(store, app)
    assert (seen(first), first.badge) == (({"r1": 3, "r2": 3}, []), 6)
    await posted(store, app, "r1")
    second = await changes(store, app, first.version)
    assert (seen(second), second.badge) == (({"r1": 4}, []), 7)
    third = await changes(store, app, second.version)
    assert (seen(third), third.badge, third.version) == (({}, []), 7, second.version)


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_long_answer_comes_in_pages_and_ends(store: RedisStore, app: str, limit: int) -> None:
    """What changes meanwhile comes at the end, and so does what the user leaves."""
    for number in range(5):
        await a_room(store, app, f"r{number}")
    known: dict[str, int] = {}
    since, pages = "", 0
    while True:
        answer = await changes(store, app, since, limit=limit)
        assert answer.snapshot == (pages == 0)
        rooms, removed = seen(answer)
        known = {room: unread for room, unread in (known | rooms).items() if room not in removed}
        since, pages = answer.version, pages + 1
        if not answer.more:
            break
        if pages == 1:
            await posted(store, app, "r0")
            await store.rooms.remove_members(app=app, room="r1", members=["ann"])
    assert known == {"r0": 1, "r2": 0, "r3": 0, "r4": 0}
    assert pages <= 8
    assert seen(await changes(store, app, since)) == ({}, [])


async def test_a_version_that_is_unknown_or_too_old_begins_anew(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """One of the future, as after a failover; and one from before a room was forgotten."""
    await a_room(store, app)
    version = (await changes(store, app)).version
    assert (await changes(store, app, str(int(version) + 1))).snapshot
    assert (await changes(store, app, f"{version}-{int(version) + 1}")).snapshot
    assert not (await changes(store, app, version)).snapshot
    await a_room(store, app, "left")
    old = (await changes(store, app)).version
    await store.rooms.remove_members(app=app, room="left", members=["ann"])
    assert seen(await changes(store, app, old)) == ({}, ["left"])
    # The stamp of the room that was left has its age.
    key = Keys.user(app, "ann")
    await executor.command("ZADD", f"{key}:g", 1, "left", key=key)
    await a_room(store, app, "next")
    await store.rooms.remove_members(app=app, room="next", members=["ann"])
    assert (await changes(store, app, old)).snapshot
    assert not (await changes(store, app, (await changes(store, app)).version)).snapshot


async def test_a_side_that_ended_and_began_anew_knows_no_version_of_before(
    store: RedisStore, executor: Executor, app: str
) -> None:
    await a_room(store, app)
    version = (await changes(store, app)).version
    await executor.command("DEL", Keys.user(app, "ann"), key=Keys.user(app, "ann"))
    assert (await changes(store, app, version)).snapshot
    await asyncio.sleep(0.01)
    await a_room(store, app, "r2")
    answer = await changes(store, app, version)
    assert (answer.snapshot, seen(answer)[0]) == (True, {"r2": 0})


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "1-", "1-2-3", "9" * 16, "\u0661"])
async def test_what_is_no_version_is_refused(store: RedisStore, app: str, since: str) -> None:
    with pytest.raises(Invalid, match="since must be a version"):
        await changes(store, app, since)


async def test_a_user_without_rooms_has_no_changes(store: RedisStore, app: str) -> None:
    answer = await changes(store, app)
    assert (answer.badge, answer.more, seen(answer)) == (0, False, ({}, []))
    assert seen(await changes(store, app, answer.version)) == ({}, [])

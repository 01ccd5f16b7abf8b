"""add_members.lua: who joins starts at the head, with nothing unread."""

from typing import Any

from readstate.errors import RoomUnknown
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore
from readstate.store.script_calls import Call
from tests.support.contents import refused
from tests.support.rooms import a_room, posted, unread_of


async def test_who_joins_has_nothing_unread_and_has_read_nothing(store: RedisStore, app: str) -> None:
    """Joining is not reading: no receipt comes of it."""
    await a_room(store, app, members=[])
    await posted(store, app)
    assert await store.rooms.add_members(app=app, room="r", members=["ann", "bob"]) == ["ann", "bob"]
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (1, 0, None)


async def test_only_those_who_were_not_members_are_answered(store: RedisStore, app: str) -> None:
    """And those who were keep their cursors."""
    await a_room(store, app, members=["ann"])
    await posted(store, app)
    assert await store.rooms.add_members(app=app, room="r", members=["ann", "bob"]) == ["bob"]
    assert await unread_of(store, app, "ann") == 1


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is created on the way."""
    await refused(store, app, RoomUnknown, store.rooms.add_members(app=app, room="r", members=["ann"]))


async def test_many_members_come_and_go_in_lots_and_all_are_answered(store: RedisStore, app: str) -> None:
    """A call of 1,000 does not keep the store busy for all of them at once; the room crosses the
    limit and comes back.
    """
    names = [f"m{number}" for number in range(1000)]
    assert await store.rooms.create_room(app=app, room="r", tags=["a"], profile={}, members=names[:600])
    assert not await store.rooms.create_room(app=app, room="r", tags=[], profile={}, members=names[500:700])
    assert await store.rooms.add_members(app=app, room="r", members=names) == names[700:]
    room = await store.rooms.room(app=app, room="r", user=names[999])
    assert (room.member_count, room.tags, room.me is not None) == (1000, ("a",), True)
    assert await store.rooms.remove_members(app=app, room="r", members=[*names[10:], "stranger"]) == names[10:]
    await posted(store, app)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in (names[0], names[999])] == [1, 0]
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_the_members_of_a_lot_are_bounded(store: RedisStore, executor: Executor, app: str) -> None:
    """Whatever one call names, no script lets more than 100 in or out; create_room is told of the
    others, who may stay.
    """
    seen: list[int] = []
    call = executor.call

    async def counting(one: Call[Any], key: str, **more: Any) -> Any:
        if one.script == "create_room":
            seen.append(int(one.args[5]))  # behind the empty profile: how many join
        elif one.script in ("add_members", "remove_members"):
            seen.append(sum(1 for arg in one.args if str(arg).startswith("member")))
        return await call(one, key, **more)

    executor.call = counting  # type: ignore[method-assign, assignment]
    names = [f"member{number}" for number in range(1000)]
    await store.rooms.create_room(app=app, room="r", tags=[], profile={}, members=names)
    await store.rooms.remove_members(app=app, room="r", members=names)
    assert seen == [100] * 20

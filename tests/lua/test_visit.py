"""visit.lua: a user asks a room, which notes that they pay attention and says what their side must
hold.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from readstate.domain.rooms import Status
from readstate.store.bounds import DEFAULTS
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.contents import contents
from tests.support.rooms import a_room, posted


async def visited(run: Run, app: str, user: str = "ann", attention: int = 2, limit: int = 256) -> list[Any]:
    reply: list[Any] = await run(
        "visit",
        Keys.room(app, "r"),
        app=app,
        user=user,
        settings=replace(DEFAULTS, attention_posts=attention, fanout_limit=limit).as_settings(),
    )
    return reply


async def attentive_until(executor: Executor, app: str, user: str = "ann") -> int:
    key = Keys.room(app, "r")
    return int.from_bytes((await executor.command("HGET", key, user, key=key))[5:7])


@pytest.mark.parametrize("attention", [1, 2, 4])
async def test_a_visit_says_what_the_side_must_hold_and_begins_attention(
    run: Run, store: RedisStore, executor: Executor, app: str, attention: int
) -> None:
    """From the room's present ordinal on; the revision is that of the last change."""
    await a_room(store, app, tags=["a", "b"])
    for number in range(5):
        await posted(store, app, message=f"m{number}")
    await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
    for _ in range(3):
        await posted(store, app)
    of_room = await run("member_states", Keys.room(app, "r"), users=[])
    reply = await visited(run, app, attention=attention)
    assert (reply[0], reply[2:]) == (of_room[0], [b"a\x1fb", 2, 6, State.ACTIVE, 1])
    assert reply[0] > reply[1] > 0
    assert await attentive_until(executor, app) == 8 + attention


async def test_a_visit_changes_the_member_s_record_and_nothing_else(
    run: Run, store: RedisStore, executor: Executor, app: str
) -> None:
    """Not the head, so no revision rises; and a second one changes nothing."""
    await a_room(store, app, tags=["a"])
    for _ in range(3):
        await posted(store, app)
    before = await contents(store, app)
    key = Keys.room(app, "r")
    head, record, other = await executor.command("HMGET", key, "", "ann", "bob", key=key)
    reply = await visited(run, app)
    assert await executor.command("HMGET", key, "", "bob", key=key) == [head, other]
    changed = await executor.command("HGET", key, "ann", key=key)
    assert changed == record[:5] + (5).to_bytes(2) + record[7:]
    after = await contents(store, app)
    assert {name for name in after if before.get(name) != after[name]} == {key.encode()}
    assert after.keys() == before.keys()
    assert await visited(run, app) == reply
    assert await contents(store, app) == after


@pytest.mark.parametrize("user", ["zoe", ""])
async def test_a_stranger_hears_that_they_are_gone(run: Run, store: RedisStore, app: str, user: str) -> None:
    """Nothing is written."""
    await a_room(store, app)
    before = await contents(store, app)
    assert (await visited(run, app, user))[3:6] == [0, 0, State.GONE]
    assert await contents(store, app) == before


@pytest.mark.parametrize("deleted", [True, False])
async def test_a_room_that_is_not_there_is_gone(run: Run, store: RedisStore, app: str, *, deleted: bool) -> None:
    """One that was never made, or whose head has expired, is gone as of now."""
    if deleted:
        await a_room(store, app)
        await store.rooms.delete_room(app=app, room="r")
    before = await contents(store, app)
    reply = await visited(run, app)
    assert reply[3:6] == [0, 0, State.GONE]
    assert reply[0] > 1_600_000_000_000_000
    assert await contents(store, app) == before


async def test_a_frozen_room_is_visited_like_any_other(
    run: Run, store: RedisStore, executor: Executor, app: str
) -> None:
    """It only says so."""
    await a_room(store, app)
    for _ in range(3):
        await posted(store, app)
    await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    assert (await visited(run, app))[3:] == [0, 3, State.FROZEN, 0]
    assert await attentive_until(executor, app) == 5


@pytest.mark.parametrize("fanout_limit", [2])
async def test_a_derived_room_is_asked_and_notes_nothing(
    run: Run, store: RedisStore, executor: Executor, app: str
) -> None:
    """Each ask would have to write else."""
    await a_room(store, app, members=["ann", "bob", "cid"])
    await posted(store, app)
    before = await contents(store, app)
    assert (await visited(run, app, limit=2))[3:] == [0, 1, State.DERIVED, 1]
    assert await contents(store, app) == before


@pytest.mark.parametrize(("limit", "state"), [(2, State.DERIVED), (3, State.ACTIVE)])
@pytest.mark.parametrize("fanout_limit", [2])
async def test_a_large_room_admits_as_many_as_may_be_told_and_one(
    run: Run, store: RedisStore, executor: Executor, app: str, limit: int, state: State
) -> None:
    """So that the next post sees that the room is beyond the limit."""
    await a_room(store, app, members=["ann", "bob", "cid", "dan"])
    key = Keys.room(app, "r")
    record = await executor.command("HGET", key, "dan", key=key)
    await executor.command("HSET", key, "dan", record[:5] + bytes(2) + record[7:], key=key)
    await executor.command("SREM", key + ":a", "dan", key=key)
    assert (await visited(run, app, "dan", limit=limit))[5] == state
    assert bool(await executor.command("SISMEMBER", key + ":a", "dan", key=key)) == (state == State.ACTIVE)
    assert await attentive_until(executor, app, "dan") == (8 if state == State.ACTIVE else 0)

"""restore_cursor.lua: a failover set a room back, and a member's copy still knows how far they had
read.
"""

import pytest

from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.plan_split import SplitPlan, as_change
from readstate.store.redis_store import RedisStore, redis_store
from tests.lua.conftest import Run
from tests.support.calls import SETTINGS
from tests.support.rooms import a_room, posted


@pytest.fixture
def plan_url(cluster: "object") -> str:
    """Room and member are on different nodes, so one can be set back without the other."""
    return str(cluster.url)  # type: ignore[attr-defined]


async def room_keys(executor: Executor, app: str) -> dict[str, bytes]:
    """Everything in the room's slot."""
    keys = [key.decode() for found in await executor.each_node("KEYS", f"{{r:{app}:r}}*") for key in found]
    return {key: await executor.command("DUMP", key, key=key) for key in keys}


async def set_back(executor: Executor, before: dict[str, bytes]) -> None:
    """As a failover to a replica that had not heard the latest does."""
    for key, value in before.items():
        await executor.command("RESTORE", key, 0, value, "REPLACE", key=key)


async def a_room_that_lost_a_read(store: RedisStore, executor: Executor, app: str) -> None:
    """Messages m and n; Ann has read n, and only her own side still knows it."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app, message="n")
    await store.outbox.idle()
    before = await room_keys(executor, app)
    await store.reading.mark_read(app=app, room="r", user="ann", message="n")
    await store.outbox.idle()
    await set_back(executor, before)


async def test_the_next_news_brings_the_cursor_back_into_the_room(executor: Executor, app: str) -> None:
    """No cursor goes back, and what was read stays read."""
    store = redis_store(executor, attention_posts=9)
    await a_room_that_lost_a_read(store, executor, app)
    await posted(store, app, sender="bob")
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (2, 1, "n")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    await store.outbox.idle()
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


async def test_a_member_who_is_not_told_gets_the_cursor_back_by_an_audit(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """The room has lost that they pay attention, so no post finds out what it lost."""
    await a_room_that_lost_a_read(store, executor, app)
    await posted(store, app, sender="bob")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    assert {drift.what for drift in await store.audit.audit_user(app=app, user="ann", repair=True)} >= {"cursor"}
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (2, 1, "n")
    await store.outbox.idle()
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


async def test_a_cursor_never_passes_the_head(run: Run, store: RedisStore, app: str) -> None:
    """The room may have lost the message too; what comes then must not be swallowed."""
    await a_room(store, app)
    await posted(store, app)
    reply, *_ = await run("restore_cursor", Keys.room(app, "r"), app=app, user="ann", cursor=50, settings=SETTINGS)
    assert reply == 1
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread) == (1, 0)


@pytest.mark.parametrize(("user", "cursor"), [("ann", 0), ("zoe", 1)])
async def test_nothing_to_restore_changes_nothing(
    run: Run, store: RedisStore, app: str, user: str, cursor: int
) -> None:
    """An older cursor, or one of somebody who is not a member."""
    await a_room(store, app)
    await posted(store, app)
    reply, _, _, _, updates, _ = await run(
        "restore_cursor", Keys.room(app, "r"), app=app, user=user, cursor=cursor, settings=SETTINGS
    )
    assert (reply, updates) == (0, [])


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_room_that_is_deleted_meanwhile_has_nothing_to_restore(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """What was done when the lost cursor was found is done all the same, and recovery goes on with
    other rooms.
    """
    await a_room_that_lost_a_read(store, executor, app)
    call = lua.mark_read(app=app, user="ann", message="m", shard="", settings=SETTINGS, with_badge=True)
    change = await executor.call(as_change(call), Keys.room(app, "r"))
    # Large as it is, its members' copies stay as they are.
    await store.rooms.delete_room(app=app, room="r")
    before = await room_keys(executor, app)
    assert isinstance(store.outbox, SplitPlan)
    await store.outbox._push(app, "r", change)
    await store.outbox.idle()
    after = await room_keys(executor, app)
    assert after.keys() <= before.keys()
    assert after[Keys.room(app, "r")] == before[Keys.room(app, "r")]


async def test_a_room_that_does_not_exist_has_nothing_to_restore(run: Run, executor: Executor, app: str) -> None:
    """Nothing is written."""
    reply, _, _, _, updates, _ = await run(
        "restore_cursor", Keys.room(app, "r"), app=app, user="ann", cursor=1, settings=SETTINGS
    )
    assert (reply, updates) == (0, [])
    assert await room_keys(executor, app) == {}

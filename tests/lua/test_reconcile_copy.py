"""reconcile_copy.lua: a failover set a room or a user's side back, and both are made to agree."""

import asyncio
import time
from typing import Any

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import SETTINGS, update
from tests.support.rooms import a_room, posted
from tests.support.sides import asleep, is_sound, with_news


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


async def test_a_member_who_is_not_told_gets_the_cursor_back_by_comparing(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """The room has lost that they pay attention, so no post finds out what it lost."""
    await a_room_that_lost_a_read(store, executor, app)
    await posted(store, app, sender="bob")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    assert await store.outbox.reconcile(app, "r", "ann")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (2, 1, "n")
    await store.outbox.idle()
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


async def test_an_audit_lets_a_room_take_what_a_newer_copy_knows(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """An older one with a higher cursor is damaged, for all that can be known."""
    await a_room_that_lost_a_read(store, executor, app)
    assert {drift.what for drift in await store.audit.audit_user(app=app, user="ann", repair=True)} >= {"cursor"}
    assert await me(store, app) == (2, 0)
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


def a_copy(revision: int, cursor: int, unread: int = 0, state: State = State.ACTIVE, **more: Any) -> dict[str, Any]:
    """The arguments of reconcile_copy behind the user, for a copy of ann in a room without tags."""
    return {
        "settings": SETTINGS,
        "revision": revision,
        "cursor": cursor,
        "unread": unread,
        "state": int(state),
        "tags": [],
        "asks": False,
        **more,
    }


async def me(store: RedisStore, app: str) -> tuple[int, int]:
    """Ann's cursor and unread, by the room."""
    member = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert member is not None
    return member.cursor, member.unread


async def test_a_cursor_never_passes_the_head(run: Run, store: RedisStore, app: str) -> None:
    """The room may have lost the message too; what comes then must not be swallowed."""
    await a_room(store, app)
    await posted(store, app)
    reply, *_ = await run("reconcile_copy", Keys.room(app, "r"), app=app, user="ann", **a_copy(2**52, 50))
    assert reply == 1
    assert await me(store, app) == (1, 0)


async def test_a_cursor_stops_before_what_came_after_the_copy(run: Run, store: RedisStore, app: str) -> None:
    """No receipt names a reader of a message that was posted later than they read."""
    await a_room(store, app)
    for message in "mno":
        await posted(store, app, message=message)
        await asyncio.sleep(0.01)
    at_ms = (await store.messages.message(app=app, room="r", message="n")).at_ms
    await run("reconcile_copy", Keys.room(app, "r"), app=app, user="ann", **a_copy(at_ms * 1000 + 999, 3))
    assert await me(store, app) == (2, 1)
    (count,) = await store.receipts.receipt_counts(app=app, room="r", messages=["o"])
    assert count is not None
    assert count.read == 0


async def test_a_cursor_stands_on_what_is_forgotten(run: Run, executor: Executor, app: str) -> None:
    """Of forgotten messages no time is known, and a room that forgot some has them."""
    store = redis_store(executor, message_history=64)
    await a_room(store, app)
    for _ in range(192):
        await posted(store, app)
    await run("reconcile_copy", Keys.room(app, "r"), app=app, user="ann", **a_copy(1, 100))
    assert (await me(store, app))[0] == 100


@pytest.mark.parametrize(
    ("user", "revision", "cursor", "unread", "state"),
    [("ann", 0, 0, 1, State.ACTIVE), ("zoe", 0, 0, 0, State.GONE), ("ann", 1, 0, 1, State.ACTIVE)],
)
async def test_what_agrees_is_left_alone(
    run: Run,
    executor: Executor,
    store: RedisStore,
    app: str,
    user: str,
    revision: int,
    cursor: int,
    unread: int,
    state: State,
) -> None:
    """Of a member and of a stranger."""
    await a_room(store, app)
    await posted(store, app)
    await store.outbox.idle()
    before = await room_keys(executor, app)
    reply, _, _, _, updates, _ = await run(
        "reconcile_copy", Keys.room(app, "r"), app=app, user=user, **a_copy(revision, cursor, unread, state)
    )
    assert (reply, updates) == (0, [])
    assert await room_keys(executor, app) == before


@pytest.mark.parametrize(
    "copy",
    [
        a_copy(2**52, 0, 1),  # newer than the room
        a_copy(1, 0, 2),
        a_copy(1, 1, 1),
        a_copy(1, 0, 1, State.FROZEN),
        a_copy(1, 0, 1, State.GONE),
        a_copy(1, 0, 1, tags=["a"]),
        a_copy(2**52, 0, 1, asks=True),
    ],
)
async def test_a_copy_that_differs_follows_its_room(
    run: Run, executor: Executor, store: RedisStore, app: str, copy: dict[str, Any]
) -> None:
    """Whatever its stamp; and no update is refused as older afterwards."""
    await a_room(store, app)
    await posted(store, app)
    await store.outbox.idle()
    key = Keys.user(app, "ann")
    given = {name: copy[name] for name in ("revision", "cursor", "unread", "state")}
    if given["revision"] > 1:
        given["revision"] = time.time_ns() // 1000 + 10_000_000  # later than the room's, though not by much
    await executor.command("DEL", key, key=key)
    tags = "\x1f".join(copy["tags"])
    await run("apply", key, **update("r", created_revision=1, tags=tags, **given))
    if copy["asks"]:
        await executor.command("ZADD", key + ":n", 2**52, "r", key=key)
    assert await store.outbox.reconcile(app, "r", "ann")
    await store.outbox.idle()
    assert not await store.outbox.reconcile(app, "r", "ann")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == (await me(store, app))[1]
    await posted(store, app)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == (await me(store, app))[1]
    await is_sound(store, app)


async def test_a_member_who_is_not_told_and_has_no_news_gets_some(
    executor: Executor, store: RedisStore, app: str
) -> None:
    """The side of the user lost the entry in the list."""
    await asleep(store, app, "r")
    await store.outbox.idle()
    key = Keys.user(app, "ann")
    await executor.command("DEL", key + ":n", key=key)
    assert await store.outbox.reconcile(app, "r", "ann")
    assert await with_news(executor, app) == [b"r"]
    assert not await store.outbox.reconcile(app, "r", "ann")


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_copy_of_a_room_that_is_lost_goes(
    run: Run, executor: Executor, store: RedisStore, app: str, deleted: bool
) -> None:
    """Or of one whose deletion the user has not heard of."""
    if deleted:
        await a_room(store, app)
        await store.rooms.delete_room(app=app, room="r")
    await run("apply", Keys.user(app, "ann"), **update("r", 2**52, 2**52, "", 0, 5, State.ACTIVE))
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 5
    assert await store.outbox.reconcile(app, "r", "ann")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    await store.outbox.idle()
    assert not await store.outbox.reconcile(app, "r", "ann")
    assert (await room_keys(executor, app) == {}) != deleted


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_room_that_is_deleted_meanwhile_has_nothing_to_restore(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done when the lost cursor was found is done all the same, and recovery goes on with
    other rooms.
    """
    await a_room_that_lost_a_read(store, executor, app)
    assert isinstance(store.outbox, SplitPlan)
    push, before = store.outbox._push, dict[str, bytes]()

    async def deleted_before(*args: Any) -> Any:
        monkeypatch.undo()
        # Large as it is, its members' copies stay as they are.
        await store.rooms.delete_room(app=app, room="r")
        before.update(await room_keys(executor, app))
        return await push(*args)

    monkeypatch.setattr(store.outbox, "_push", deleted_before)
    await store.reading.mark_read(app=app, room="r", user="ann", message="m", with_badge=False)
    await store.outbox.idle()
    after = await room_keys(executor, app)
    assert before
    assert after.keys() <= before.keys()
    assert after[Keys.room(app, "r")] == before[Keys.room(app, "r")]

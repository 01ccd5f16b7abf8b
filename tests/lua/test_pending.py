"""pending.lua: updates that a crash left pending are pushed from the room's present state.

Only on a cluster are updates ever pending.
"""

import time
from typing import Any

import pytest

from readstate.domain.client_rules import Made
from readstate.errors import RoomUnknown
from readstate.store import recovery
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import SETTINGS, post_alone
from tests.support.rooms import a_room, posted


@pytest.fixture
def plan_url(cluster: "object") -> str:
    """A cluster, whatever the other tests run on."""
    return str(cluster.url)  # type: ignore[attr-defined]


def split(store: RedisStore) -> SplitPlan:
    assert isinstance(store.outbox, SplitPlan)
    return store.outbox


async def test_news_that_was_never_applied_is_told_by_the_next_who_looks(
    executor: Executor, store: RedisStore, app: str
) -> None:
    """A worker died after the room's script: no badge knows of the message yet."""
    await a_room(store, app)
    await store.outbox.idle()
    await post_alone(executor, app, "r")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    await split(store).drain(app, "r")
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "bob")] == [1, 1]


@pytest.mark.parametrize("how", ["remove_members", "delete_room"])
async def test_a_badge_after_a_notice_has_in_it_what_the_notice_was_of(
    run: Run, store: RedisStore, app: str, how: str
) -> None:
    """The room's script has published it, and who ran that has not told the user yet: a worker that
    heard it does not wait for them.
    """
    await a_room(store, app)
    await posted(store, app)
    await store.outbox.idle()
    more: dict[str, Any] = {"settings": SETTINGS, "members": ["ann"]} if how == "remove_members" else {}
    await run(how, Keys.room(app, "r"), app=app, made=Made.ANYHOW, **more)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    assert await store.badges.badges_after(app=app, room="r", users=["ann", "zoe"]) == {"ann": 0, "zoe": 0}


async def test_a_badge_after_a_notice_is_right_for_each_of_many(run: Run, executor: Executor, app: str) -> None:
    """The fan-out limit may be set so that more members are pending than one script updates."""
    store, users = redis_store(executor, fanout_limit=1000), [f"u{number}" for number in range(600)]
    await a_room(store, app, members=users)
    await posted(store, app)
    await store.outbox.idle()
    await run("delete_room", Keys.room(app, "r"), app=app, made=Made.ANYHOW)
    assert set((await store.badges.badges_after(app=app, room="r", users=users)).values()) == {0}
    await store.outbox.idle()


async def test_a_repeated_call_pushes_as_well(executor: Executor, store: RedisStore, app: str) -> None:
    """The client of the dead worker asks again, and finds everything done when it is answered."""
    await a_room(store, app)
    await post_alone(executor, app, "r")
    assert not (await posted(store, app, message="m")).created
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1


async def test_a_room_without_pending_members_says_so(run: Run, store: RedisStore, app: str) -> None:
    """Zero, and no updates."""
    await a_room(store, app)
    await store.outbox.idle()
    left, *_, updates, _ = await run("pending", Keys.room(app, "r"), app=app, members=[])
    assert (left, updates) == (0, [])


async def test_a_pending_member_of_a_room_that_is_gone_hears_that_it_is_gone(
    run: Run, executor: Executor, app: str
) -> None:
    """Its head has expired; the stamp is the present time."""
    key = Keys.room(app, "r")
    await executor.command("HSET", f"{key}:o", "ann", 100, key=key)
    left, revision, _, _, updates, _ = await run("pending", key, app=app, members=[])
    assert (left, updates) == (1, [b"ann", 0, 0, State.GONE])
    assert revision > 100


async def test_a_room_without_pending_members_leaves_the_list(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the list is walked in the meantime; else it would hold every room there ever
    was.
    """
    await a_room(store, app)
    pending_rooms, entry = Keys.pending_rooms_of(Keys.room(app, "r")), f"{app}:r"
    assert await executor.command("ZSCORE", pending_rooms, entry, key=pending_rooms) is not None
    now = time.time()
    for later_s in range(0, recovery.STALE_S + 60, 30):
        monkeypatch.setattr(time, "time", lambda later_s=later_s: now + later_s)
        await split(store).recovery.recover()
    assert await executor.command("ZSCORE", pending_rooms, entry, key=pending_rooms) is None


async def test_a_room_with_foreign_data_does_not_keep_the_others_waiting(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Recovery reports it and goes on."""
    shard = Keys.pending_rooms_of(Keys.room(app, "broken"))
    sound = next(room for room in map(str, range(1000)) if Keys.pending_rooms_of(Keys.room(app, room)) == shard)
    await a_room(store, app, sound)
    await store.outbox.idle()
    await post_alone(executor, app, sound)
    await executor.command("RPUSH", Keys.room(app, "broken"), "foreign", key=Keys.room(app, "broken"))
    await executor.command("ZADD", shard, 0, f"{app}:broken", key=shard)
    await split(store).recovery.recover(older_than_s=-10)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    await executor.command("DEL", Keys.room(app, "broken"), key=Keys.room(app, "broken"))


async def test_a_room_that_does_not_exist_is_not_entered(store: RedisStore, executor: Executor, app: str) -> None:
    """A stranger who makes up room ids leaves nothing behind."""
    with pytest.raises(RoomUnknown):
        await store.reading.mark_read(app=app, room="made-up", user="a", message="m")
    pending_rooms = Keys.pending_rooms_of(Keys.room(app, "made-up"))
    assert await executor.command("ZSCORE", pending_rooms, f"{app}:made-up", key=pending_rooms) is None

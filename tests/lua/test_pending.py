"""pending.lua: updates that a crash left pending are pushed from the room's present state.

Only on a cluster are updates ever pending.
"""

import asyncio
import logging
import time
import zlib
from typing import Any

import pytest

from readstate.domain.client_rules import Made
from readstate.errors import RoomUnknown
from readstate.store import recovery
from readstate.store.executor import Executor
from readstate.store.keys import PENDING_SHARDS, Keys
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import SETTINGS, post_alone, recover_all
from tests.support.rooms import a_room, posted
from tests.support.waiting import wait_until


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


async def test_updates_that_cannot_be_acknowledged_stay_pending(
    executor: Executor, store: RedisStore, app: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program has overwritten the room's list of them. That is logged, and the next are
    acknowledged.
    """
    await a_room(store, app)
    await store.outbox.idle()
    split(store).acknowledging.pause_s = 60
    await posted(store, app)
    pending = f"{Keys.room(app, 'r')}:o"
    await executor.command("SET", pending, "foreign", key=pending)
    await store.outbox.idle()
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert record.message == "updates that were pushed stay pending"
    await executor.command("DEL", pending, key=pending)
    await posted(store, app)
    await store.outbox.idle()
    assert await executor.command("EXISTS", pending, key=pending) == 0
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "bob")] == [2, 2]


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


async def entered_at(executor: Executor, app: str, room: str = "r") -> float | None:
    """When the room was entered in its list, in ms; None when it is not there."""
    pending_rooms = Keys.pending_rooms_of(Keys.room(app, room))
    score = await executor.command("ZSCORE", pending_rooms, f"{app}:{room}", key=pending_rooms)
    return None if score is None else float(score)


async def enter_at(executor: Executor, app: str, at_ms: float, room: str = "r") -> None:
    pending_rooms = Keys.pending_rooms_of(Keys.room(app, room))
    await executor.command("ZADD", pending_rooms, int(at_ms), f"{app}:{room}", key=pending_rooms)


async def test_a_room_without_pending_members_leaves_the_list(store: RedisStore, executor: Executor, app: str) -> None:
    """However often the list is walked in the meantime; else it would hold every room there ever
    was.
    """
    await a_room(store, app)
    entered = await entered_at(executor, app)
    assert entered is not None
    for later_s in range(0, recovery.STALE_S - 30, 30):
        await enter_at(executor, app, entered - later_s * 1000)
        await recover_all(split(store).recovery)
        assert await entered_at(executor, app) == entered - later_s * 1000
    await enter_at(executor, app, entered - recovery.STALE_S * 1000)
    await recover_all(split(store).recovery)
    assert await entered_at(executor, app) is None


async def test_rooms_without_pending_members_are_asked_together(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """All rooms that were active of late are in the lists, and each list is walked every few
    seconds.
    """
    shard = Keys.pending_rooms_of(Keys.room(app, "r"))
    rooms = [room for room in map(str, range(1000)) if Keys.pending_rooms_of(Keys.room(app, room)) == shard]
    await executor.command("ZADD", shard, *(part for room in rooms for part in (0, f"{app}:{room}")), key=shard)
    before = executor.round_trips
    await split(store).recovery.recover(shard)
    assert executor.round_trips - before < len(rooms) / 2
    assert await entered_at(executor, app, rooms[0]) is None


@pytest.mark.parametrize("minutes", [-300, 0, 60])
async def test_the_clock_of_a_worker_does_not_matter(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """One that is slow or fast enters a room and dies; another one, whose clock is right, finds the
    room after the usual time, and not much later.
    """
    wrong = time.time() + minutes * 60
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: wrong)
        await a_room(store, app)
        await store.outbox.idle()
        await post_alone(executor, app, "r")
    entered = await entered_at(executor, app)
    assert entered is not None
    assert abs(entered / 1000 - time.time()) < 60
    await enter_at(executor, app, entered - recovery.RECOVERY_AGE_S * 1000)
    await recover_all(split(store).recovery)
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "bob")] == [1, 1]


async def test_a_room_that_was_entered_by_a_clock_that_runs_ahead_is_entered_now(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """A failover may lead to a server whose clock is behind."""
    await a_room(store, app)
    await enter_at(executor, app, (time.time() + 3600) * 1000)
    await recover_all(split(store).recovery)
    entered = await entered_at(executor, app)
    assert entered is not None
    assert abs(entered / 1000 - time.time()) < 60


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
    await recover_all(split(store).recovery, older_than_s=-10)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    await executor.command("DEL", Keys.room(app, "broken"), key=Keys.room(app, "broken"))


async def test_a_room_whose_members_cannot_be_told_does_not_keep_the_others_waiting(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Telling them takes until the deadline of a call, while their node is away."""
    shard = Keys.pending_rooms_of(Keys.room(app, "r"))
    rooms = [room for room in map(str, range(1000)) if Keys.pending_rooms_of(Keys.room(app, room)) == shard][:2]
    for room in rooms:
        await a_room(store, app, room)
        await store.outbox.idle()
        await post_alone(executor, app, room)
    begun: set[str] = set()
    both = asyncio.Event()

    async def drain(app: str, room: str) -> None:
        begun.add(room)
        if begun >= set(rooms):
            both.set()
        await both.wait()
        await split(store).drain(app, room)

    async with asyncio.timeout(10):
        await recovery.Recovery(executor, drain).recover(shard, -10)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 2


async def test_recovery_goes_on_after_what_it_cannot_read(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program has written where workers note who looks at a list."""
    monkeypatch.setattr(recovery, "RECOVERY_EVERY_S", 0.02)
    await a_room(store, app)
    await store.outbox.idle()
    await post_alone(executor, app, "r")
    await enter_at(executor, app, 0)
    looking = Keys.pending_rooms_watch(zlib.crc32(Keys.room(app, "r").encode()) % PENDING_SHARDS)
    await executor.command("DEL", looking, key=looking)
    await executor.command("RPUSH", looking, "foreign", key=looking)
    store.outbox.start()

    async def is_told() -> bool:
        return "was put off" in caplog.text and "WRONGTYPE" in caplog.text

    async def is_recovered() -> bool:
        return await store.badges.badge(app=app, user="ann", tags=[]) == 1

    try:
        await wait_until(is_told, "the foreign data to be told of")
        await executor.command("DEL", looking, key=looking)
        await wait_until(is_recovered, "recovery to go on")
    finally:
        await executor.command("DEL", looking, key=looking)
        await store.outbox.close()


async def test_a_room_that_does_not_exist_is_not_entered(store: RedisStore, executor: Executor, app: str) -> None:
    """A stranger who makes up room ids leaves nothing behind."""
    with pytest.raises(RoomUnknown):
        await store.reading.mark_read(app=app, room="made-up", user="a", message="m")
    pending_rooms = Keys.pending_rooms_of(Keys.room(app, "made-up"))
    assert await executor.command("ZSCORE", pending_rooms, f"{app}:made-up", key=pending_rooms) is None


async def test_an_audit_pushes_what_is_pending_before_it_looks(store: RedisStore, executor: Executor, app: str) -> None:
    """Also of a room that has lost its entry in the list, so that no worker would find it."""
    await a_room(store, app)
    await store.outbox.idle()
    await post_alone(executor, app, "r")
    await executor.command(
        "DEL", Keys.pending_rooms_of(Keys.room(app, "r")), key=Keys.pending_rooms_of(Keys.room(app, "r"))
    )
    assert await store.audit.audit_room(app=app, room="r") == []
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "bob")] == [1, 1]
    assert await executor.command("EXISTS", f"{Keys.room(app, 'r')}:o", key=Keys.room(app, "r")) == 0


async def test_an_audit_says_what_stays_pending(run: Run, store: RedisStore, executor: Executor, app: str) -> None:
    """Another program has written what is no tag set where the user's are counted."""
    await a_room(store, app)
    await store.outbox.idle()
    key = Keys.user(app, "ann")
    await executor.command("SET", f"{key}:s", "foreign", key=key)
    await run("set_tags", Keys.room(app, "r"), app=app, tags=["a"], settings=SETTINGS, made=Made.ANYHOW)
    drifts = await store.audit.audit_room(app=app, room="r")
    assert [(drift.user, drift.what) for drift in drifts] == [("ann", "pending")]
    assert "WRONGTYPE" in drifts[0].stored
    await executor.command("DEL", f"{key}:s", key=key)
    await store.audit.audit_room(app=app, room="r")

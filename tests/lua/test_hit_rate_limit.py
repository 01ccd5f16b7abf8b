"""hit_rate_limit.lua: calls are counted in windows of time, over all workers."""

import asyncio
import time

from readstate.store.redis_store import RedisStore


async def test_calls_are_counted_down_and_then_refused(store: RedisStore, app: str) -> None:
    """None is left as long as the window lasts; its end is named and does not move."""
    taken = [await store.throttle.hit_rate_limit(app=app, what="x", limit=2, window_ms=60_000) for _ in range(4)]
    now = time.time_ns() // 1_000_000
    assert [hit.allowed for hit in taken] == [True, True, False, False]
    assert [hit.left for hit in taken] == [1, 0, 0, 0]
    ends = [hit.window_ends_ms for hit in taken]
    assert all(now < end <= now + 60_010 for end in ends)
    assert max(ends) - min(ends) < 1000


async def test_different_things_and_apps_are_counted_apart(store: RedisStore, app: str) -> None:
    """Each has a window of its own."""
    for where, what in ((app, "x"), (app, "y"), (f"{app}-2", "x")):
        hit = await store.throttle.hit_rate_limit(app=where, what=what, limit=1, window_ms=60_000)
        assert (hit.allowed, hit.left) == (True, 0)


async def test_a_new_window_begins_when_one_has_ended(store: RedisStore, app: str) -> None:
    """Nothing of it is kept."""
    for _ in range(2):
        hit = await store.throttle.hit_rate_limit(app=app, what="x", limit=1, window_ms=30)
    await asyncio.sleep(max(0, hit.window_ends_ms - time.time() * 1000) / 1000 + 0.02)
    hit = await store.throttle.hit_rate_limit(app=app, what="x", limit=1, window_ms=30)
    assert (hit.allowed, hit.left) == (True, 0)


async def test_a_hundred_callers_at_once_take_no_more_than_there_is(store: RedisStore, app: str) -> None:
    """Exactly the limit."""
    taken = await asyncio.gather(
        *(store.throttle.hit_rate_limit(app=app, what="x", limit=40, window_ms=60_000) for _ in range(100))
    )
    assert sum(hit.allowed for hit in taken) == 40

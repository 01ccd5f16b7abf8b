"""apply.lua: only a newer update replaces a copy, and every counter moves by the difference."""

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import update
from tests.support.contents import contents

TAGS = "a\x1fb"


async def counters(executor: Executor, app: str) -> dict[str, int]:
    """Everything that ann's side counts, and the version."""
    key = Keys.user(app, "ann")
    flat = await executor.command("HGETALL", key, key=key)
    stored = {
        name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True) if not name.startswith(b"r")
    }
    sums = stored.pop("")
    return {name: int(value) for name, value in stored.items()} | {
        "version": int.from_bytes(sums[:6]),
        "total": int.from_bytes(sums[6:12]),
        "derived": int.from_bytes(sums[13:16]),
    }


async def test_the_first_news_counts_under_total_tags_and_tag_set(run: Run, executor: Executor, app: str) -> None:
    """The reply is 0: the room knows the cursor."""
    assert (await run("apply", Keys.user(app, "ann"), **update("r", 100, 1, TAGS, 4, 3, State.ACTIVE)))[0] == 0
    assert await counters(executor, app) == {
        "total": 3,
        "derived": 0,
        f"s{TAGS}": 3,
        "ta": 3,
        "tb": 3,
        "version": 1,
    }


async def test_older_and_equal_stamps_change_nothing(run: Run, store: RedisStore, app: str) -> None:
    """So retries and late updates are harmless."""
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, TAGS, 4, 3, State.ACTIVE))
    before = await contents(store, app)
    for revision, state in ((100, State.ACTIVE), (99, State.GONE), (1, State.ACTIVE)):
        assert (await run("apply", key, **update("r", revision, 1, "", 9, 7, state)))[0] == 0
    assert await contents(store, app) == before


async def test_newer_news_moves_the_counters_by_the_difference(run: Run, executor: Executor, app: str) -> None:
    """Other rooms with the same tags keep their part."""
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, TAGS, 4, 3, State.ACTIVE))
    await run("apply", key, **update("r2", 100, 1, "b", 0, 10, State.ACTIVE))
    assert (await run("apply", key, **update("r", 101, 1, TAGS, 5, 1, State.ACTIVE)))[0] == 0
    assert await counters(executor, app) == {
        "total": 11,
        "derived": 0,
        f"s{TAGS}": 1,
        "sb": 10,
        "ta": 1,
        "tb": 11,
        "version": 3,
    }


async def test_the_version_rises_only_with_what_can_be_seen(run: Run, executor: Executor, app: str) -> None:
    """A newer stamp alone is nothing that a device has to fetch."""
    key = Keys.user(app, "ann")
    for revision in (100, 101, 102):
        await run("apply", key, **update("r", revision, 1, "", 4, 3, State.ACTIVE))
    assert (await counters(executor, app))["version"] == 1


async def test_news_from_before_a_room_was_left_does_not_bring_it_back(run: Run, executor: Executor, app: str) -> None:
    """The stamp of a room that was left is kept for an hour."""
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, TAGS, 4, 3, State.ACTIVE))
    assert (await run("apply", key, **update("r", 102, 1, "", 0, 0, State.GONE)))[0] == 0
    assert (await run("apply", key, **update("r", 101, 1, TAGS, 4, 5, State.ACTIVE)))[0] == 0
    assert (await counters(executor, app))["total"] == 0


async def test_stamps_of_rooms_left_long_ago_go(run: Run, executor: Executor, app: str) -> None:
    """An hour later, when another room is left."""
    key, hour = Keys.user(app, "ann"), 3600 * 1_000_000
    await run("apply", key, **update("old", 100, 1, "", 0, 0, State.GONE))
    await run("apply", key, **update("r", 100 + hour, 1, "", 0, 0, State.GONE))
    assert await executor.command("HEXISTS", key, "rold", key=key) == 0
    assert await executor.command("HEXISTS", key, "rr", key=key) == 1


async def test_a_cursor_that_its_room_lost_is_kept_and_reported(run: Run, app: str) -> None:
    """After a failover the room may know an older one; the caller then has both reconciled, for
    which the copy's revision is needed.
    """
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, "", 9, 0, State.ACTIVE))
    assert (await run("apply", key, **update("r", 101, 1, "", 4, 5, State.ACTIVE)))[0] == 9
    flat = await run("copies", key, rooms=["r"])
    assert flat[1:4] == [100, 9, 0]


async def test_a_room_that_was_created_anew_has_not_lost_a_cursor(run: Run, app: str) -> None:
    """Its copy is of the room before."""
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, "", 9, 0, State.ACTIVE))
    assert (await run("apply", key, **update("r", 201, 200, "", 4, 5, State.ACTIVE)))[0] == 0
    flat = await run("copies", key, rooms=["r"])
    assert flat[2:4] == [4, 5]


async def test_a_derived_room_is_listed_and_not_counted(run: Run, executor: Executor, app: str) -> None:
    """Both ways."""
    key = Keys.user(app, "ann")
    await run("apply", key, **update("r", 100, 1, TAGS, 4, 3, State.ACTIVE))
    assert (await run("apply", key, **update("r", 101, 1, TAGS, 4, 0, State.DERIVED)))[0] == 0
    sums = await counters(executor, app)
    assert (sums["total"], sums["derived"]) == (0, 1)
    assert await executor.command("SMEMBERS", f"{key}:d", key=key) == [b"r"]
    assert (await run("apply", key, **update("r", 102, 1, TAGS, 4, 2, State.ACTIVE)))[0] == 0
    sums = await counters(executor, app)
    assert (sums["total"], sums["derived"]) == (2, 0)
    assert await executor.command("EXISTS", f"{key}:d", key=key) == 0


async def test_at_one_revision_a_derived_copy_gives_way_and_comes_not_back(
    run: Run, executor: Executor, app: str
) -> None:
    """A visit raises no revision. It ends a derived copy when more members may be told than
    before.
    """
    key = Keys.user(app, "ann")
    for state in (State.DERIVED, State.ACTIVE, State.DERIVED):
        unread = 0 if state == State.DERIVED else 3
        assert (await run("apply", key, **update("r", 100, 1, TAGS, 4, unread, state)))[0] == 0
    sums = await counters(executor, app)
    assert (sums["total"], sums["derived"]) == (3, 0)

"""lib/copies.lua: a copy has a short form while its numbers are low, else a wide one."""

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import update

LOW = 2**16
NOW = 1_700_000_000_000_000
FAR_MS = 2**31


@pytest.mark.parametrize("state", [State.FROZEN, State.ACTIVE, State.DERIVED, State.GONE])
@pytest.mark.parametrize(
    ("cursor", "unread", "is_wide"),
    [(0, 0, False), (LOW - 1, LOW - 1, False), (LOW, 1, True), (1, LOW, True), (2**33, 2**33, True)],
)
async def test_a_copy_is_read_as_it_was_told(
    run: Run, executor: Executor, store: RedisStore, app: str, state: State, cursor: int, unread: int, is_wide: bool
) -> None:
    """In either form, and with the tags behind it."""
    key, tags = Keys.user(app, "ann"), "a\x1fb"
    await run("apply", key, **update("r", NOW, 1, tags, 0, 0, State.ACTIVE))
    await run("apply", key, **update("r", NOW + 7, 1, tags, cursor, unread, state))
    copy = (await store.audit._copies(app, "ann", ("r",)))["r"]
    kept = () if state in (State.FROZEN, State.GONE) else ("a", "b")
    assert (copy.revision, copy.cursor, copy.unread, copy.state, copy.tags) == (NOW + 7, cursor, unread, state, kept)
    packed = await executor.command("HGET", key, "rr", key=key)
    assert (packed[0] < 128) == is_wide


@pytest.mark.parametrize("apart_ms", [0, 1, 5000, FAR_MS - 1, FAR_MS, 2 * FAR_MS])
@pytest.mark.parametrize("other_first", [True, False])
async def test_the_version_of_a_change_may_differ_from_its_time(
    run: Run, app: str, apart_ms: int, other_first: bool
) -> None:
    """It is later when another room changed later before, earlier when nothing visible changed."""
    key, early, late = Keys.user(app, "ann"), NOW, NOW + apart_ms * 1000
    if other_first:
        await run("apply", key, **update("other", late, 1, "a", 1, 1, State.ACTIVE))
        await run("apply", key, **update("r", early, 1, "a", 2, 2, State.ACTIVE))
        expected = late // 1000 + 1
    else:
        await run("apply", key, **update("r", early, 1, "a", 2, 2, State.ACTIVE))
        await run("apply", key, **update("r", late + 1, 1, "a", 2, 2, State.ACTIVE))
        expected = early // 1000
    changed = await versions(run, app)
    assert changed["r"] == expected


async def versions(run: Run, app: str) -> dict[str, int]:
    """By room: the version at which it last changed for ann."""
    reply = await run("changes", Keys.user(app, "ann"), app=app, user="ann", settings=b"", since=0, began=0)
    flat = reply[3]
    return {room.decode(): version for room, version in zip(flat[::3], flat[1::3], strict=True)}

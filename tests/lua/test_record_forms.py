"""lib/members.lua: a member's record has a short form while its numbers are low, else a wide one.
Every call reads both.
"""

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.damage import Planter
from tests.support.rooms import a_room, posted
from tests.support.sides import is_sound

BOUNDARY = 2**16


async def is_wide(executor: Executor, app: str, member: str) -> bool:
    key = Keys.room(app, "r")
    record: bytes = await executor.command("HGET", key, member, key=key)
    return not record[0] & 2


@pytest.mark.parametrize("posts", [BOUNDARY - 3, BOUNDARY - 2, BOUNDARY - 1, BOUNDARY])
async def test_a_record_changes_its_form_with_its_numbers(executor: Executor, app: str, posts: int) -> None:
    """Attention that lasts for long makes them high."""
    store = redis_store(executor, attention_posts=posts)
    await a_room(store, app, tags=["a"])
    for number in range(1, 4):
        assert await is_wide(executor, app, "ann") == (number - 1 + posts >= BOUNDARY)
        await posted(store, app, message=f"m{number}", sender="bob")
        assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
        await store.reading.mark_unread(app=app, room="r", user="ann", message=f"m{number}")
        assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
        read = await store.reading.mark_read(app=app, room="r", user="ann", message=f"m{number}")
        assert (read.moved, read.unread) == (True, 0)
        await is_sound(store, app)
    usual = redis_store(executor, attention_posts=4)
    await posted(usual, app, message="m4", sender="bob")
    await usual.reading.mark_read(app=app, room="r", user="ann", message="m4")
    assert not await is_wide(executor, app, "ann")
    await is_sound(usual, app)


@pytest.mark.parametrize("name", ["cursor", "ordinal", "read", "joined", "at", "moves"])
async def test_a_high_number_of_any_kind_stays(executor: Executor, store: RedisStore, app: str, name: str) -> None:
    """Asking writes the record anew."""
    await a_room(store, app)
    planter = Planter(executor, app)
    await planter.record("ann", **{name: 2**40 if name == "at" else BOUNDARY})
    for _ in range(10):
        await posted(store, app, sender="bob")
    key = Keys.room(app, "r")
    before = await executor.command("HGET", key, "ann", key=key)
    await store.badges.badge(app=app, user="ann", tags=[])
    after = await executor.command("HGET", key, "ann", key=key)
    assert before != after
    assert len(before) == len(after)
    assert (before[:11], before[16:]) == (after[:11], after[16:])

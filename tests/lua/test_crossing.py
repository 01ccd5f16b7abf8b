"""lib/crossing.lua: when more members pay attention than the fan-out limit allows, their counts are
asked of the room; nothing that a user sees changes by crossing.
"""

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.rooms import a_room, posted


@pytest.fixture
def fanout_limit() -> int:
    """Rooms of five are large; those of three are small again."""
    return 4


async def is_derived(executor: Executor, app: str) -> bool:
    """Whether ann's side asks the room instead of counting itself."""
    key = Keys.user(app, "ann")
    return bool(await executor.command("SISMEMBER", f"{key}:d", "r", key=key))


async def test_a_room_at_the_limit_counts_at_its_members(store: RedisStore, executor: Executor, app: str) -> None:
    """One more who is to be told, and from the next countable post on it does not."""
    await a_room(store, app, members=["ann", "bob", "cid", "dan"])
    await posted(store, app)
    assert not await is_derived(executor, app)
    await store.rooms.add_members(app=app, room="r", members=["eve"])
    await posted(store, app, countable=False)
    assert not await is_derived(executor, app)
    for user in ("ann", "bob", "cid", "dan"):
        assert await store.badges.badge(app=app, user=user, tags=[]) == 1
        await store.reading.set_unread(app=app, room="r", user=user, count=0)
    await posted(store, app)
    assert await is_derived(executor, app)
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "eve")] == [1, 1]


async def test_members_who_pay_no_attention_do_not_make_a_room_derived(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """However many they are; the limit is about those who are told."""
    await a_room(store, app, members=["ann", *(f"m{number}" for number in range(200))])
    for count in range(4):
        await posted(store, app)
        assert await store.badges.badge(app=app, user="ann", tags=[]) == count + 1
    assert not await is_derived(executor, app)
    key = Keys.room(app, "r")
    assert await executor.command("SMEMBERS", f"{key}:a", key=key) == [b"ann"]
    assert await store.badges.badge(app=app, user="m199", tags=[]) == 4


async def test_a_room_that_shrinks_comes_back_at_three_quarters(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """So one that stays about the limit does not swing. Members who are not told of it find out
    when they ask.
    """
    await a_room(store, app, members=["ann", "bob", "cid", "dan", "eve"])
    await posted(store, app)
    await store.rooms.remove_members(app=app, room="r", members=["eve"])
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    assert await is_derived(executor, app)
    await store.rooms.remove_members(app=app, room="r", members=["dan"])
    assert await is_derived(executor, app)
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 1
    assert not await is_derived(executor, app)


@pytest.mark.parametrize(("tags", "derived"), [(8, False), (9, True)])
async def test_a_room_with_many_tags_is_large_with_fewer_members(
    store: RedisStore, executor: Executor, app: str, tags: int, derived: bool
) -> None:
    """Telling a member takes two cells and one for each tag:

    32 cells are the limit here, and 24 the way back.
    """
    await a_room(store, app, members=["ann", "bob", "cid"])
    await posted(store, app, sender="bob")
    names = [f"tag {number}" for number in range(tags)]
    await store.rooms.set_tags(app=app, room="r", tags=names)
    assert await is_derived(executor, app) is derived
    assert (await store.badges.badges_by_tags(app=app, user="ann", tags=[])).counts == dict.fromkeys(names, 1)
    await store.rooms.set_tags(app=app, room="r", tags=names[:4])
    assert not await is_derived(executor, app)
    assert await store.badges.badge(app=app, user="ann", tags=names[:2]) == 1
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


@pytest.mark.parametrize(("tags", "derived"), [(7, True), (6, False)])
async def test_a_room_comes_back_at_three_quarters_of_the_cells(
    store: RedisStore, executor: Executor, app: str, tags: int, derived: bool
) -> None:
    """Three members with ten tags are above the limit.

    With seven tags they have 27 cells, with six the 24 of the way back.
    """
    await a_room(store, app, members=["ann", "bob", "cid"], tags=[f"tag {number}" for number in range(10)])
    await posted(store, app)
    assert await is_derived(executor, app)
    await store.rooms.set_tags(app=app, room="r", tags=[f"tag {number}" for number in range(tags)])
    assert await is_derived(executor, app) is derived


async def test_the_order_by_cursors_is_kept_while_the_room_is_large(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Small again, the room has none until somebody asks, and then for an hour."""
    await a_room(store, app, members=["ann", "bob", "cid", "dan"])
    order = f"{Keys.room(app, 'r')}:c"

    async def order_and_expiry() -> tuple[list[bytes], int]:
        flat = await executor.command("ZRANGE", order, 0, -1, "WITHSCORES", key=order)
        return flat, await executor.command("TTL", order, key=order)

    await posted(store, app, message="m", sender="bob")
    assert await order_and_expiry() == ([], -2)
    await store.rooms.add_members(app=app, room="r", members=["eve"])
    await store.reading.mark_read(app=app, room="r", user="cid", message="m")
    assert await order_and_expiry() == ([b"ann", b"0", b"dan", b"0", b"bob", b"1", b"cid", b"1", b"eve", b"1"], -1)
    await store.rooms.remove_members(app=app, room="r", members=["dan", "eve"])
    assert await order_and_expiry() == ([], -2)
    await store.receipts.receipt_counts(app=app, room="r", messages=["m"])
    flat, expiry = await order_and_expiry()
    assert flat == [b"ann", b"0", b"bob", b"1", b"cid", b"1"]
    assert 0 < expiry <= 3600


async def test_badges_stay_exact_in_both_directions(store: RedisStore, app: str) -> None:
    """What is posted, read, deleted and retagged while the room is large is there when it is small
    again.
    """
    await a_room(store, app, members=["ann", "bob", "cid"], tags=["a"])
    await posted(store, app, message="m1")
    await store.rooms.add_members(app=app, room="r", members=["dan", "eve"])
    for message in ("m2", "m3", "m4"):
        await posted(store, app, message=message)
    await store.reading.mark_read(app=app, room="r", user="bob", message="m2")
    await store.messages.delete_message(app=app, room="r", message="m3")
    await store.rooms.set_tags(app=app, room="r", tags=["b"])
    large = [await store.badges.badge(app=app, user=user, tags=["b"]) for user in ("ann", "bob", "dan")]
    await store.rooms.remove_members(app=app, room="r", members=["dan", "eve"])
    small = [await store.badges.badge(app=app, user=user, tags=["b"]) for user in ("ann", "bob", "dan")]
    assert (large, small) == ([3, 1, 2], [3, 1, 0])


@pytest.mark.parametrize("countable", [True, False])
async def test_a_post_crosses_when_the_limit_itself_was_changed(
    store: RedisStore, executor: Executor, app: str, countable: bool
) -> None:
    """The service was started again with other settings; every attentive member is updated. A post
    that does not count tells no member, and crosses nothing.
    """
    await a_room(redis_store(executor, attention_posts=9), app, tags=["a"])
    await posted(store, app)
    for limit, derived in ((1, countable), (256, False)):
        changed = redis_store(executor, fanout_limit=limit, message_history=100)
        await posted(changed, app, countable=countable)
        await changed.outbox.idle()
        assert await is_derived(executor, app) == derived
        assert await changed.audit.audit_user(app=app, user="ann", repair=False) == []
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == (3 if countable else 1)


async def test_a_message_in_a_large_room_costs_its_members_nothing(
    store: RedisStore, executor: Executor, app: str, run: Run
) -> None:
    """Their side is not touched."""
    await a_room(store, app, members=["ann", "bob", "cid", "dan", "eve"])
    await posted(store, app)
    await store.outbox.idle()
    before = await run("copies", Keys.user(app, "ann"), rooms=[])
    await posted(store, app)
    assert await run("copies", Keys.user(app, "ann"), rooms=[]) == before
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 2


async def test_the_unread_in_a_copy_of_a_large_room_is_not_counted(
    run: Run, store: RedisStore, executor: Executor, app: str
) -> None:
    """It is what the user was last told, and wrong from the next post on."""
    await a_room(
        redis_store(executor, fanout_limit=4, attention_posts=9), app, members=["ann", "bob", "cid", "dan", "eve"]
    )
    await posted(store, app, message="m1")
    await posted(store, app, message="m2")
    await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
    room, _, cursor, unread, state, tags, news = await run("copies", Keys.user(app, "ann"), rooms=[])
    assert (room, cursor, unread, state, tags, news) == (b"r", 1, 1, State.DERIVED, b"", 0)
    await posted(store, app, message="m3")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 2

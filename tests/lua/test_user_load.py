"""user_load.lua and store/user_limits.py: how much is kept for a user, and what is refused beyond
the limits.
"""

from collections.abc import Sequence

import pytest

from readstate.domain.rooms import Status
from readstate.errors import LimitReached
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import SEPARATOR
from readstate.store.user_limits import WEIGHT_LIMIT
from tests.lua.conftest import Run
from tests.support.contents import refused
from tests.support.rooms import a_room, posted


@pytest.fixture
def fanout_limit() -> int:
    """Rooms of four are large."""
    return 3


@pytest.fixture
def few(executor: Executor) -> RedisStore:
    """A store in which a user may be in four rooms with six distinct tags; as far as clients bring
    them, in two with three.
    """
    return redis_store(executor, fanout_limit=3, user_room_limit=4, user_tag_limit=6)


async def load(run: Run, app: str, user: str, room: str = "", tags: str = "") -> Sequence[int]:
    """(is_in, rooms, tags, weight, new_tags, new_weight)"""
    wanted = tags.split(SEPARATOR) if tags else []
    found: Sequence[int] = await run("user_load", Keys.user(app, user), room=room, tags=wanted)
    return found


async def test_an_unknown_user_has_nothing(run: Run, app: str) -> None:
    """What a room would add is its tags and their weight: bytes, and 20 for each."""
    assert await load(run, app, "ann") == [0, 0, 0, 0, 0, 0]
    assert await load(run, app, "ann", "r", "a\x1fbb") == [0, 0, 0, 0, 2, 4 + 40]


async def test_rooms_of_every_state_count_and_those_left_do_not(store: RedisStore, run: Run, app: str) -> None:
    """Counted, frozen, large; not one that was left or deleted."""
    for room in ("counted", "frozen", "left", "deleted"):
        await a_room(store, app, room, tags=["a"])
    await a_room(store, app, "large", members=["ann", "bob", "cid", "dan"], tags=["b"])
    await posted(store, app, "large")
    await store.rooms.set_status(app=app, room="frozen", status=Status.FROZEN)
    await store.rooms.remove_members(app=app, room="left", members=["ann"])
    await store.rooms.delete_room(app=app, room="deleted")
    assert await load(run, app, "ann", "large") == [1, 3, 1, 21, 0, 0]
    assert (await load(run, app, "ann", "left"))[0] == 0


async def test_a_tag_counts_once_in_however_many_sets(store: RedisStore, run: Run, app: str) -> None:
    """A set that is there already adds nothing; a new one adds those of its tags that are in no
    other.
    """
    await a_room(store, app, "r1", tags=["a", "b"])
    await a_room(store, app, "r2", tags=["b", "c"])
    await a_room(store, app, "r3", tags=["b", "c"])
    assert await load(run, app, "ann", "new", "b\x1fc") == [0, 3, 3, 2 * (3 + 40), 0, 0]
    assert await load(run, app, "ann", "new", "a\x1fd") == [0, 3, 3, 2 * (3 + 40), 1, 3 + 40]
    await store.rooms.set_tags(app=app, room="r1", tags=[])
    assert await load(run, app, "ann") == [0, 3, 2, 3 + 40, 0, 0]
    for room in ("r2", "r3"):
        await store.rooms.remove_members(app=app, room=room, members=["ann"])
    assert await load(run, app, "ann") == [0, 1, 0, 0, 0, 0]


async def test_what_an_older_version_has_written_is_counted_with_the_next_set(
    store: RedisStore, executor: Executor, run: Run, app: str
) -> None:
    """It kept sets without the tags in them."""
    await a_room(store, app, "r1", tags=["a", "b"])
    await a_room(store, app, "r2", tags=["b", "c"])
    key = Keys.user(app, "ann")
    await executor.command("DEL", f"{key}:k", key=key)
    await a_room(store, app, "r3", tags=["d"])
    assert (await load(run, app, "ann"))[2:4] == [4, 2 * (3 + 40) + 21]
    await executor.command("DEL", f"{key}:k", key=key)
    await store.rooms.set_tags(app=app, room="r1", tags=[])
    assert (await load(run, app, "ann"))[2:4] == [3, 3 + 40 + 21]
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


@pytest.mark.parametrize(("by_client", "most"), [(False, 4), (True, 2)])
async def test_a_user_is_brought_into_so_many_rooms_and_no_more(
    few: RedisStore, app: str, by_client: bool, most: int
) -> None:
    """Neither into a new room nor into one that is there; whose member they are already,
    they stay.
    """
    for number in range(most):
        await few.rooms.create_room(
            app=app, room=f"r{number}", tags=[], profile={}, members=["ann"], by_client=by_client
        )
    await few.rooms.create_room(app=app, room="other", tags=[], profile={}, members=["bob"])
    new = few.rooms.create_room(app=app, room="new", tags=[], profile={}, members=["bob", "ann"], by_client=by_client)
    await refused(few, app, LimitReached, new)
    await refused(
        few, app, LimitReached, few.rooms.add_members(app=app, room="other", members=["ann"], by_client=by_client)
    )
    assert await few.rooms.add_members(app=app, room="r0", members=["ann", "cid"], by_client=by_client) == ["cid"]
    await few.rooms.remove_members(app=app, room="r0", members=["ann"])
    assert await few.rooms.add_members(app=app, room="other", members=["ann"], by_client=by_client) == ["ann"]


@pytest.mark.parametrize(("by_client", "most"), [(False, 6), (True, 3)])
async def test_the_rooms_of_a_user_carry_so_many_tags_and_no_more(
    few: RedisStore, app: str, by_client: bool, most: int
) -> None:
    """In a new room, in one that is joined, and in one that is retagged; tags that they have
    already are no more.
    """
    tags = [f"t{number}" for number in range(most)]
    await few.rooms.create_room(app=app, room="r1", tags=tags[:-1], profile={}, members=["ann"], by_client=by_client)
    await few.rooms.create_room(app=app, room="r2", tags=[], profile={}, members=["ann", "bob"], by_client=by_client)
    await few.rooms.create_room(app=app, room="other", tags=["x", "y"], profile={}, members=["cid"])
    await refused(few, app, LimitReached, few.rooms.set_tags(app=app, room="r2", tags=["x", "y"], by_client=by_client))
    assert await few.rooms.set_tags(app=app, room="r2", tags=tags[-2:], by_client=by_client)
    await refused(
        few, app, LimitReached, few.rooms.add_members(app=app, room="other", members=["ann"], by_client=by_client)
    )
    new = few.rooms.create_room(app=app, room="r3", tags=["z"], profile={}, members=["ann"], by_client=by_client)
    await refused(few, app, LimitReached, new)


async def test_at_the_limit_a_room_may_get_other_tags_in_place_of_its_own(few: RedisStore, app: str) -> None:
    """As many as go, where no other room carries them; not one more."""
    await few.rooms.create_room(app=app, room="r1", tags=["a", "b", "c"], profile={}, members=["ann"])
    await few.rooms.create_room(app=app, room="r2", tags=["c", "d", "e", "f"], profile={}, members=["ann"])
    # C stays with the other one
    more = few.rooms.set_tags(app=app, room="r1", tags=["x", "y", "z"])
    await refused(few, app, LimitReached, more)
    assert await few.rooms.set_tags(app=app, room="r1", tags=["c", "x", "y"])
    await few.rooms.create_room(app=app, room="r3", tags=["c", "x", "y"], profile={}, members=["ann"])
    # So do x and y
    await refused(few, app, LimitReached, few.rooms.set_tags(app=app, room="r1", tags=["z"]))
    assert await few.rooms.set_tags(app=app, room="r1", tags=["x"])


async def test_at_the_limit_tag_sets_may_become_lighter(store: RedisStore, app: str) -> None:
    for number in range(250):
        await a_room(store, app, f"r{number}", members=["ann"], tags=[f"{number:03d}" + "x" * 3977])
    assert await store.rooms.set_tags(app=app, room="r0", tags=["light"])
    await refused(store, app, LimitReached, store.rooms.set_tags(app=app, room="r0", tags=["x" * 3981]))


@pytest.mark.parametrize("others", [0, 2])
async def test_at_the_limit_members_may_be_named_again(few: RedisStore, app: str, others: int) -> None:
    """Also in a room whose tags are not counted: one that is frozen or large."""
    await few.rooms.create_room(
        app=app, room="r1", tags=["x"], profile={}, members=["ann", "bob", *["cid", "dan"][:others]]
    )
    await few.rooms.set_status(app=app, room="r1", status=Status.FROZEN)
    await few.rooms.create_room(app=app, room="r2", tags=list("abcdef"), profile={}, members=["ann"])
    assert await few.rooms.add_members(app=app, room="r1", members=["ann", "eve"]) == ["eve"]


async def test_rooms_that_an_older_version_has_counted_are_not_mistaken(
    store: RedisStore, executor: Executor, run: Run, app: str
) -> None:
    """Its tags are no rooms, and its tags are known."""
    await a_room(store, app, "r1", tags=["a", "b"])
    key = Keys.user(app, "ann")
    await executor.command("DEL", f"{key}:k", key=key)
    assert await load(run, app, "ann", "new", "b\x1fc") == [0, 1, 2, 3 + 40, 1, 3 + 40]


async def test_tag_sets_are_bounded_by_what_walking_them_takes(store: RedisStore, app: str) -> None:
    """However few they are: here 250 of 4,000 each, bytes and 20 for the tag."""
    assert WEIGHT_LIMIT == 250 * 4000
    for number in range(250):
        await a_room(store, app, f"r{number}", members=["ann"], tags=[f"{number:03d}" + "x" * 3977])
    one_more = store.rooms.create_room(app=app, room="more", tags=["z"], profile={}, members=["ann"])
    await refused(store, app, LimitReached, one_more)


async def test_the_keys_of_a_user_who_is_in_no_room_end(store: RedisStore, executor: Executor, app: str) -> None:
    """A day after the last room was left; who comes back within it stays."""
    key = Keys.user(app, "ann")

    async def lives() -> list[int]:
        await store.outbox.idle()
        names = (
            await executor.command("KEYS", f"{key}*", key=key)
            if executor.plan == "atomic"
            else [key.encode(), f"{key}:g".encode()]
        )
        return [await executor.command("TTL", name, key=key) for name in sorted(names)]

    await a_room(store, app, "r1", members=["ann"], tags=["a"])
    await a_room(store, app, "r2", members=["ann", "bob", "cid", "dan"])
    await posted(store, app, "r2")
    await store.rooms.remove_members(app=app, room="r1", members=["ann"])
    assert await lives() == ([-1, -1, -1] if executor.plan == "atomic" else [-1, -1])
    await store.rooms.remove_members(app=app, room="r2", members=["ann"])
    assert await lives() == [86_400, 86_400]
    await store.rooms.add_members(app=app, room="r1", members=["ann"])
    assert all(seconds == -1 for seconds in (await lives())[:1])
    await store.rooms.delete_room(app=app, room="r1")
    assert await lives() == [86_400, 86_400]

"""audit_*.lua, copies.lua, member_states.lua, refresh_members.lua: every planted damage is found,
named and mended; the sound is left alone.
"""

from collections.abc import Sequence

import pytest

from readstate.domain.audit import Drift
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import update
from tests.support.contents import contents
from tests.support.rooms import a_room, posted

USER, ROOM = Keys.user, Keys.room

# What is damaged (a command on ann's or the room's side), and what the audit calls it.
DAMAGES: list[tuple[str, Sequence[str | int | bytes], str]] = [
    ("user", ("HSET", "{}", "", b"\0\0\0\0\0\1" + b"\0\0\0\0\0\7" + b"\0\0\0\0"), "total"),
    ("user", ("HSET", "{}", "", b"\0\0\0\0\0\1" + b"\0\0\0\0\0\1" + b"\0\0\0\2"), "derived"),
    ("user", ("HSET", "{}", "", b"\0\0\0\0\0\1" + b"\0\0\0\0\0\1" + b"\1\0\0\0"), "news"),
    ("user", ("HDEL", "{}", ""), "total"),
    ("user", ("HINCRBY", "{}", "ta", -1), "ta"),
    ("user", ("HDEL", "{}", "sa\x1fb"), "sa\x1fb"),
    ("user", ("HSET", "{}", "tghost", 0), "tghost"),
    ("user", ("HSET", "{}:s", "a\x1fb", 5), "set:a\x1fb"),
    ("user", ("HSET", "{}:k", "a", 5), "tag:a"),
    ("user", ("HDEL", "{}:k", "b"), "tag:b"),
    ("user", ("HSET", "{}:k", "ghost", 1), "tag:ghost"),
    ("user", ("HINCRBY", "{}:k", "", 1), "tag:"),
    ("user", ("HDEL", "{}:k", ""), "tag:"),
    ("user", ("SADD", "{}:d", "ghost"), "derived:ghost"),
    ("user", ("ZADD", "{}:g", 5, "ghost"), "gone:ghost"),
    ("user", ("HDEL", "{}", "rr"), "state"),
]


async def sound_room(store: RedisStore, app: str) -> None:
    await a_room(store, app, tags=["a", "b"])
    await posted(store, app)
    await store.outbox.idle()


async def audit(store: RedisStore, app: str, *, repair: bool) -> list[Drift]:
    """Ann's side and the room."""
    found = await store.audit.audit_user(app=app, user="ann", repair=repair) + await store.audit.audit_room(
        app=app, room="r", repair=repair
    )
    await store.outbox.idle()
    return found


@pytest.mark.parametrize(("side", "damage", "name"), DAMAGES)
async def test_damage_is_found_and_mended(
    store: RedisStore, executor: Executor, app: str, side: str, damage: Sequence[str | int | bytes], name: str
) -> None:
    """Once mended, nothing is found, and the badge is right."""
    await sound_room(store, app)
    key = USER(app, "ann") if side == "user" else ROOM(app, "r")
    await executor.command(*(part.replace("{}", key) if isinstance(part, str) else part for part in damage), key=key)
    assert name in {drift.what for drift in await audit(store, app, repair=False)}
    assert name in {drift.what for drift in await audit(store, app, repair=True)}
    # A copy that had to be updated moves counters, which are looked at again
    await audit(store, app, repair=True)
    assert await audit(store, app, repair=False) == []
    assert await store.badges.badge(app=app, user="ann", tags=["a", "b"]) == 1


@pytest.mark.parametrize("fanout_limit", [1])
@pytest.mark.parametrize("damage", [("ZADD", "{}:c", 9, "ann"), ("ZREM", "{}:c", "ann"), ("SREM", "{}:a", "ann")])
async def test_a_wrong_index_of_a_large_room_is_found_and_mended(
    store: RedisStore, executor: Executor, app: str, damage: Sequence[str | int]
) -> None:
    """A small room has none that could be wrong: it is brought up to the records whenever it is
    asked for.
    """
    await sound_room(store, app)
    key = ROOM(app, "r")
    await executor.command(*(part.replace("{}", key) if isinstance(part, str) else part for part in damage), key=key)
    (drift,) = await store.audit.audit_room(app=app, room="r", repair=True)
    assert (drift.what, drift.mended) == ("attentive of ann" if damage[0] == "SREM" else "order of ann", True)
    assert await audit(store, app, repair=False) == []


@pytest.mark.parametrize(("unread", "state", "tags"), [(7, 1, "a\x1fb"), (1, 0, ""), (1, 1, "c"), (0, 3, "")])
async def test_a_wrong_copy_is_found_and_mended(
    store: RedisStore, run: Run, app: str, unread: int, state: int, tags: str
) -> None:
    """The room tells it anew, with a stamp above the one that the damage carries."""
    await sound_room(store, app)
    stamp = (await run("copies", USER(app, "ann"), rooms=["r"]))[1]
    await run("apply", USER(app, "ann"), **update("r", stamp + 1, 1, tags, 0, unread, state))
    await run("refresh_members", ROOM(app, "r"), app=app, at_least=stamp + 1, users=["zoe"])
    await store.outbox.idle()
    assert len(await audit(store, app, repair=False)) >= 1
    await audit(store, app, repair=True)
    assert await audit(store, app, repair=False) == []
    assert await store.badges.badge(app=app, user="ann", tags=["a", "b"]) == 1


async def test_an_audit_of_everything_says_each_difference_once(
    store: RedisStore, executor: Executor, run: Run, app: str
) -> None:
    """A copy concerns its room and its user: it is looked at with the room, and with the user only
    where the room has no such member.
    """
    await executor.each_node("FLUSHALL")  # what tests before have left is not to be audited
    await sound_room(store, app)
    for room, unread, state in (("r", 7, State.ACTIVE), ("nowhere", 3, State.ACTIVE)):
        stamp = (await run("copies", USER(app, "ann"), rooms=["r"]))[1]
        await run("apply", USER(app, "ann"), **update(room, stamp + 1, 1, "a\x1fb", 0, unread, state))
    found = [
        (drift.user, drift.room, drift.what) for drift in await store.audit.audit_all(repair=False) if drift.app == app
    ]
    assert len(found) == len(set(found))
    assert ("ann", "nowhere", "state") in found


async def test_a_room_with_a_wrong_number_of_members_is_found_and_mended(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """The head's sum is compared with the members themselves."""
    await sound_room(store, app)
    key = ROOM(app, "r")
    await executor.command("HDEL", key, "bob", key=key)
    assert "size" in {drift.what for drift in await store.audit.audit_room(app=app, room="r", repair=True)}
    assert (await store.rooms.room(app=app, room="r", user="")).member_count == 1


async def test_an_audit_of_the_sound_finds_nothing_and_writes_nothing(store: RedisStore, app: str) -> None:
    """Not even when it may repair."""
    await sound_room(store, app)
    before = await contents(store, app)
    assert await audit(store, app, repair=True) == []
    assert await contents(store, app) == before


async def test_member_states_are_what_the_room_knows_of_any_user(run: Run, store: RedisStore, app: str) -> None:
    """Strangers are GONE; a room that is not there has revision 0."""
    await sound_room(store, app)
    _, tags, active, states = await run("member_states", ROOM(app, "r"), users=["ann", "zoe"])
    assert (tags, active) == (b"a\x1fb", 1)
    assert states == [b"ann", 0, 1, State.ACTIVE, 0, 1, b"zoe", 0, 0, State.GONE, 0, 0]
    assert (await run("member_states", ROOM(app, "nowhere"), users=["ann"]))[0] == 0


async def test_copies_are_answered_by_room_or_all(run: Run, store: RedisStore, app: str) -> None:
    """Room, revision, cursor, unread, state, tags."""
    await sound_room(store, app)
    flat = await run("copies", USER(app, "ann"), rooms=[])
    assert (flat[0], *flat[2:]) == (b"r", 0, 1, State.ACTIVE, b"a\x1fb", 0)
    assert await run("copies", USER(app, "ann"), rooms=["r"]) == flat
    assert await run("copies", USER(app, "ann"), rooms=["nowhere"]) == []


async def test_what_an_older_version_has_written_is_no_difference(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """It kept no tags of the sets; they are made with the next set that comes or goes."""
    await sound_room(store, app)
    for user in ("ann", "bob"):
        await executor.command("DEL", USER(app, user) + ":k", key=USER(app, user))
    assert await audit(store, app, repair=True) == []
    await store.rooms.set_tags(app=app, room="r", tags=["b", "c"])
    assert await audit(store, app, repair=False) == []
    assert await store.badges.badge(app=app, user="ann", tags=["c"]) == 1


async def test_a_counter_that_is_missing_keeps_nobody_from_hearing_of_a_post(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """What follows it is right, and the audit mends the rest."""
    await sound_room(store, app)
    key = USER(app, "ann")
    await executor.command("HDEL", key, "ta", key=key)
    await posted(store, app)
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", "bob")] == [2, 2]
    assert [drift.what for drift in await audit(store, app, repair=True)] == ["ta"]
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 2


@pytest.mark.parametrize("repair", [False, True])
async def test_a_room_that_seems_to_be_of_a_later_version_is_left_alone_and_the_others_are_audited(
    store: RedisStore, executor: Executor, app: str, repair: bool, full: bool
) -> None:
    if executor.plan == "split" and not full:
        pytest.skip("only with --full: a call waits 12 s for what could migrate the room")
    await sound_room(store, app)
    await a_room(store, app, "later", members=("ann", "cid"))
    later, side = ROOM(app, "later"), USER(app, "ann")
    head = await executor.command("HGET", later, "", key=later)
    await executor.command("HSET", later, "", bytes([head[0] + 1]) + head[1:], key=later)
    await executor.command("HINCRBY", side, "ta", -1, key=side)
    found = await store.audit.audit_all(app=app, repair=repair)
    assert [(drift.user, drift.room, drift.what, drift.mended) for drift in found] == [
        ("", "later", "room", False),
        ("ann", "", "ta", repair),
    ]
    assert "of a later readstate" in found[0].stored
    assert (await executor.command("HGET", later, "", key=later))[0] == head[0] + 1

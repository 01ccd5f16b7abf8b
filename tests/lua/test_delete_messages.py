"""delete_messages.lua: what was deleted is unread for no member; cursors stay."""

import shutil
from pathlib import Path

import pytest

from readstate.domain.messages import Deleted
from readstate.domain.notices import CursorMoved, MessageDeleted, MessagePosted, Topic
from readstate.domain.receipts import Filter
from readstate.errors import MessageUnknown, RoomUnknown
from readstate.store import scripts
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.contents import contents, refused
from tests.support.ears import an_ear
from tests.support.rooms import a_room, posted, unread_of


async def test_nothing_is_unread_and_cursors_stay(store: RedisStore, app: str) -> None:
    """The count is of messages that were still there, whether they counted or not."""
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="m")
    await posted(store, app, countable=False)
    await posted(store, app)
    await store.messages.delete_message(app=app, room="r", message="m")
    assert (await store.messages.delete_messages(app=app, room="r")).count == 2
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, await store.badges.badge(app=app, user="ann", tags=["a"])) == (0, 0, 0)


async def test_what_is_posted_later_counts(store: RedisStore, app: str) -> None:
    """And old ids are still known as places."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.messages.delete_messages(app=app, room="r")
    await posted(store, app)
    assert await unread_of(store, app, "ann") == 1
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m")).unread == 1
    assert (await store.messages.delete_message(app=app, room="r", message="m")).count == 0


async def test_holes_go_with_the_messages(store: RedisStore, app: str) -> None:
    """No member counts over them any more, and nothing else would ever take them away."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await posted(store, app)
    await store.messages.delete_message(app=app, room="r", message="m")
    holes = f"{Keys.room(app, 'r')}:h".encode()
    assert holes in await contents(store, app)
    await store.messages.delete_messages(app=app, room="r")
    assert holes not in await contents(store, app)


async def test_messages_that_are_all_deleted_already_are_not_announced_again(
    store: RedisStore, executor: Executor, app: str, plan_url: str
) -> None:
    """Each was announced when it was deleted."""
    await a_room(store, app)
    room = Topic.room(app, "r")
    async with an_ear(executor, plan_url, room) as ear:
        await posted(store, app, message="m")
        await store.messages.delete_message(app=app, room="r", message="m")
        assert (await store.messages.delete_messages(app=app, room="r")).count == 0
        await posted(store, app, message="n")
        kinds = [type(notice) for _, notice in await ear.catch_up(room)]
    assert [kind for kind in kinds if kind is not CursorMoved] == [MessagePosted, MessageDeleted, MessagePosted]


async def test_an_empty_room_has_nothing_to_delete(store: RedisStore, app: str) -> None:
    """Count 0, and not a byte is written."""
    await a_room(store, app)
    await posted(store, app)
    await store.messages.delete_messages(app=app, room="r")
    before = await contents(store, app)
    assert (await store.messages.delete_messages(app=app, room="r")).count == 0
    assert await contents(store, app) == before


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.messages.delete_messages(app=app, room="r"))


async def many(store: RedisStore, app: str, count: int, *, sent_ms: int = 0) -> None:
    """Messages m0, m1 ...; with `sent_ms`, a second after each other."""
    for number in range(count):
        await posted(store, app, message=f"m{number}", sent_ms=sent_ms and sent_ms + number * 1000)


async def test_what_stands_before_a_message_is_unread_for_no_member(store: RedisStore, app: str) -> None:
    """Wherever their cursors are: before it, on something that goes, behind it."""
    await a_room(store, app, members=["ann", "bob", "cid"], tags=["a"])
    await many(store, app, 6)
    for user, message in (("bob", "m1"), ("cid", "m4")):
        await store.reading.mark_read(app=app, room="r", user=user, message=message)
    deleted = await store.messages.delete_messages(app=app, room="r", before="m3")
    assert deleted == Deleted(3, "m3")
    assert [await unread_of(store, app, user) for user in ("ann", "bob", "cid")] == [3, 3, 1]
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob", "cid")] == [3, 3, 1]
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m2")).unread == 3
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_holes_and_uncounted_messages_are_counted_once(store: RedisStore, app: str) -> None:
    """Some were deleted or recalled by themselves, on both sides of the message that stays."""
    await a_room(store, app)
    await many(store, app, 8)
    await posted(store, app, message="quiet", countable=False)
    for message in ("m1", "m6"):
        await store.messages.delete_message(app=app, room="r", message=message)
    await store.messages.recall_message(app=app, room="r", message="m2", body="{}")
    # M0, m2, m3, m4
    assert (await store.messages.delete_messages(app=app, room="r", before="m5")).count == 4
    assert await unread_of(store, app, "ann") == 2  # m5, m7
    assert (await store.messages.delete_messages(app=app, room="r", before="quiet")).count == 2
    assert await unread_of(store, app, "ann") == 0
    assert (await store.messages.delete_messages(app=app, room="r")).count == 1
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_holes_that_have_gathered_go_some_at_a_time(store: RedisStore, executor: Executor, app: str) -> None:
    """Where a member never comes back they are as many as messages were deleted.

    Those that stay for the next time count nothing.
    """
    await a_room(store, app)
    await many(store, app, 6)
    for message in ("m0", "m5"):
        await store.messages.delete_message(app=app, room="r", message=message)
    key = Keys.room(app, "r")
    await executor.command("ZADD", f"{key}:h", *(part for low in range(-15_000, 0) for part in (low, low)), key=key)
    left = []
    for before in ("m2", "m3", "m4"):
        await store.messages.delete_messages(app=app, room="r", before=before)
        left.append((await executor.command("ZCARD", f"{key}:h", key=key), await unread_of(store, app, "ann")))
    assert left == [(5002, 3), (1, 2), (1, 1)]
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_repeating_it_changes_nothing(store: RedisStore, app: str) -> None:
    """Nor does a message that is gone itself: what is before it is gone as well."""
    await a_room(store, app)
    await many(store, app, 4)
    await store.messages.delete_messages(app=app, room="r", before="m2")
    await store.outbox.idle()
    before = await contents(store, app)
    assert [
        (await store.messages.delete_messages(app=app, room="r", before=message)).count for message in ("m2", "m0")
    ] == [
        0,
        0,
    ]
    assert await contents(store, app) == before


async def test_messages_beyond_the_history_go_with_the_others(store: RedisStore, app: str) -> None:
    """256 were posted and 100 are remembered; a retention rule leaves 50."""
    await a_room(store, app)
    await many(store, app, 256)
    assert (await store.messages.delete_messages(app=app, room="r", before="m206")).count == 206
    assert await unread_of(store, app, "ann") == await store.badges.badge(app=app, user="ann", tags=[]) == 50
    await refused(store, app, MessageUnknown, store.messages.delete_messages(app=app, room="r", before="m100"))


@pytest.mark.parametrize("fanout_limit", [2])
async def test_a_large_room_is_done_in_few_commands(executor: Executor, app: str, fanout_limit: int) -> None:
    """Above the fan-out limit no member is updated: the next question counts from the room."""
    store = redis_store(executor, fanout_limit=fanout_limit, message_history=100)
    users = [f"u{number}" for number in range(40)]
    await a_room(store, app, members=users)
    await many(store, app, 10)
    sides = {key: value for key, value in (await contents(store, app)).items() if key.startswith(b"{u:")}
    assert (await store.messages.delete_messages(app=app, room="r", before="m7")).count == 7
    assert {key: value for key, value in (await contents(store, app)).items() if key.startswith(b"{u:")} == sides
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in users[:3]] == [3, 3, 3]
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


@pytest.mark.parametrize(
    ("shift", "left"),
    [(-1, 10), (0, 10), (1, 9), (3000, 7), (3001, 6), (9000, 1), (9001, 0)],
    ids=lambda value: str(value),
)
async def test_a_time_names_the_first_message_that_was_not_sent_before_it(
    store: RedisStore, app: str, shift: int, left: int
) -> None:
    """By the times that messages have, which a backend may have given."""
    await a_room(store, app)
    await many(store, app, 10, sent_ms=1_000_000)
    deleted = await store.messages.delete_messages(app=app, room="r", before_ms=1_000_000 + shift)
    assert deleted == Deleted(10 - left, f"m{10 - left}" if left else None)
    assert await unread_of(store, app, "ann") == left


async def test_nothing_newer_goes_with_a_message_of_an_older_time(store: RedisStore, app: str) -> None:
    """Back-filled behind newer ones it stays until they go: what is deleted is always a beginning
    of the room.
    """
    await a_room(store, app)
    await many(store, app, 3, sent_ms=1_000_000)
    await posted(store, app, message="late", sent_ms=5)
    assert await store.messages.delete_messages(app=app, room="r", before_ms=1_000_500) == Deleted(1, "m1")
    assert await store.messages.delete_messages(app=app, room="r", before_ms=1_002_001) == Deleted(3)


async def test_a_message_goes_before_a_time(store: RedisStore, app: str) -> None:
    """The id of a message may look like a time; it is one only where there is no such message."""
    await a_room(store, app)
    await many(store, app, 4, sent_ms=1_000_000)
    assert (await store.messages.delete_messages(app=app, room="r", before="m1", before_ms=1_009_000)).count == 1
    assert (await store.messages.delete_messages(app=app, room="r", before="m9", before_ms=1_002_000)).count == 1


async def test_of_forgotten_messages_no_time_is_known(store: RedisStore, app: str) -> None:
    """They stay until the oldest one that is remembered goes."""
    await a_room(store, app)
    await many(store, app, 256, sent_ms=1_000_000)  # 156 are forgotten
    assert await store.messages.delete_messages(app=app, room="r", before_ms=1_100_000) == Deleted(0)
    assert await unread_of(store, app, "ann") == 256
    assert await store.messages.delete_messages(app=app, room="r", before_ms=1_157_000) == Deleted(157, "m157")
    assert await unread_of(store, app, "ann") == 99


async def test_more_than_one_script_looks_at_is_deleted_all_the_same(
    executor: Executor, app: str, lua_dir: Path | None, tmp_path: Path
) -> None:
    """Here a script looks at ten messages."""
    copied = tmp_path / "lua"
    shutil.copytree(lua_dir or scripts.lua_dir(), copied)
    script = copied / "delete_messages.lua"
    script.write_text(script.read_text().replace("LOOKED_AT_ONCE = 10000", "LOOKED_AT_ONCE = 10"))
    executor.scripts = scripts.load_scripts(executor.plan, copied)
    store = redis_store(executor)
    await a_room(store, app)
    await many(store, app, 35, sent_ms=1_000_000)
    assert await store.messages.delete_messages(app=app, room="r", before_ms=1_032_000) == Deleted(32, "m32")
    assert await unread_of(store, app, "ann") == 3
    await store.outbox.idle()


async def test_what_was_deleted_has_no_receipts_and_cannot_be_changed(store: RedisStore, app: str) -> None:
    """As with messages that are deleted one by one; its id is taken all the same."""
    await a_room(store, app)
    await many(store, app, 3)
    await store.messages.delete_messages(app=app, room="r", before="m2")
    receipts = store.receipts.page(app=app, room="r", message="m1", which=Filter.READ, limit=10, page="")
    await refused(store, app, MessageUnknown, receipts)
    await refused(store, app, MessageUnknown, store.messages.edit_message(app=app, room="r", message="m1", body="{}"))
    await refused(store, app, MessageUnknown, store.reading.mark_unread(app=app, room="r", user="ann", message="m1"))
    assert (await store.messages.delete_message(app=app, room="r", message="m1")).count == 0
    assert not (await posted(store, app, message="m1")).created


async def test_an_unknown_message_is_refused(store: RedisStore, app: str) -> None:
    """Another room's is none of this one."""
    await a_room(store, app, "other")
    await posted(store, app, "other", "theirs")
    await a_room(store, app)
    await posted(store, app)
    await refused(store, app, MessageUnknown, store.messages.delete_messages(app=app, room="r", before="theirs"))

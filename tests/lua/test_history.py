"""lib/history.lua: ids are remembered for a bounded number of messages; counts do not depend on
that.
"""

import struct

import pytest

from readstate.errors import MessageUnknown
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.contents import refused
from tests.support.rooms import a_room, posted, unread_of

# The store of these tests remembers so many; trimming is done in lumps of 64
HISTORY, POSTS = 100, 256


async def remembered(executor: Executor, app: str) -> list[int]:
    """The seqs of the messages in the log of room r."""
    key = Keys.room(app, "r")
    found = await executor.command("HGETALL", f"{key}:l", key=key)
    log = dict(zip(found[::2], found[1::2], strict=True))
    seqs = []
    for number, chunk in log.items():
        if number.isdigit():
            ends = (0, *struct.unpack(f">{chunk[11]}H", chunk[12 : 12 + 2 * chunk[11]]))
            seqs += [int(number) * 16 + place for place in range(1, len(ends)) if ends[place] > ends[place - 1]]
    return sorted(seqs)


async def test_the_newest_messages_are_remembered_and_all_are_counted(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """A forgotten message can no longer be read up to; unread is exact all the same."""
    await a_room(store, app)
    for number in range(POSTS):
        await posted(store, app, message=f"m{number}")
    assert await unread_of(store, app, "ann") == POSTS
    assert await remembered(executor, app) == list(range(POSTS - HISTORY + 1, POSTS + 1))
    await refused(
        store,
        app,
        MessageUnknown,
        store.reading.mark_read(app=app, room="r", user="ann", message=f"m{POSTS - HISTORY - 1}"),
    )
    assert (
        await store.reading.mark_read(app=app, room="r", user="ann", message=f"m{POSTS - HISTORY}")
    ).unread == HISTORY - 1


async def test_a_member_whose_last_read_message_is_forgotten_keeps_the_cursor(store: RedisStore, app: str) -> None:
    """The position stays; only the id is no longer known.

    A later reading of something older changes nothing.
    """
    await a_room(store, app)
    await posted(store, app, message="first", sender="ann")
    for _ in range(POSTS):
        await posted(store, app)
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (1, POSTS, None)


@pytest.mark.parametrize(("messages", "kept"), [(60, 10), (200, 0)])
async def test_holes_that_everybody_has_passed_are_forgotten_with_their_messages(
    store: RedisStore, executor: Executor, app: str, messages: int, kept: int
) -> None:
    """They can change no count any more, not even one that is set by hand: it goes back no further
    than messages are remembered.
    """
    await a_room(store, app, members=["ann"])
    for number in range(10):
        await posted(store, app, message=f"m{number}")
        await store.messages.delete_message(app=app, room="r", message=f"m{number}")
    await posted(store, app, message="x", sender="ann")
    for _ in range(messages):
        await posted(store, app)
    key = Keys.room(app, "r")
    assert await executor.command("ZCARD", f"{key}:h", key=key) == kept
    assert await unread_of(store, app, "ann") == messages


async def test_what_has_gathered_is_forgotten_some_at_a_time(store: RedisStore, executor: Executor, app: str) -> None:
    """Holes, when the last member has passed them, and who joined before the oldest remembered
    message: else a post could take long.
    """
    await a_room(store, app, members=["ann"])
    await posted(store, app, message="m")
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    await store.messages.delete_message(app=app, room="r", message="m")
    key = Keys.room(app, "r")
    for suffix in "hb":
        await executor.command(
            "ZADD", f"{key}:{suffix}", *(part for low in range(-15_000, 0) for part in (low, low)), key=key
        )
    for _ in range(62):
        await posted(store, app)
    await posted(store, app, message="kept")
    await store.messages.delete_message(app=app, room="r", message="kept")
    await store.rooms.add_members(app=app, room="r", members=["cid"])
    left = []
    for posts in (1, 64, 64):
        for _ in range(posts):
            await posted(store, app, sender="ann")
        left.append([await executor.command("ZCARD", f"{key}:{suffix}", key=key) for suffix in "hb"])
    assert left == [[5002, 15_002], [1, 5002], [1, 0]]
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_holes_that_somebody_has_not_passed_are_kept(store: RedisStore, app: str) -> None:
    """Else they would count again."""
    await a_room(store, app)
    for number in range(10):
        await posted(store, app, message=f"m{number}")
        await store.messages.delete_message(app=app, room="r", message=f"m{number}")
    for _ in range(60):
        await posted(store, app, sender="ann")
    assert await unread_of(store, app, "bob") == 60

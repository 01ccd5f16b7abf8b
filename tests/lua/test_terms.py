"""lib/terms.lua: the first message after a failover or a restart jumps in the seqs, which nothing
else notices.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Server, short_directory

APP = "t"
JUMP = 1024
HISTORY = 64


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that is started again and again: each time is another term."""
    with short_directory() as directory:
        server = Server(Path(directory) / "server")
        server.start()
        yield server
        server.kill()


@pytest_asyncio.fixture
async def executor(server: Server, lua_dir: Path | None) -> AsyncIterator[Executor]:
    with server.client() as client:
        client.flushall()
    executor = await connect(server.url, lua=lua_dir)
    yield executor
    await executor.close()


@pytest_asyncio.fixture
async def store(executor: Executor) -> AsyncIterator[RedisStore]:
    """A store in which an audit finds nothing at the end."""
    store = redis_store(executor, message_history=HISTORY)
    yield store
    assert await store.audit.audit_all() == []


async def posts(store: RedisStore, *names: str, **more: Any) -> list[int]:
    """Messages of these names, and their seqs."""
    return [(await posted(store, APP, message=name, **more)).seq for name in names]


async def count(store: RedisStore) -> int:
    """How many messages there are, by the room."""
    return await store.messages.count_messages(app=APP, room="r")


async def test_each_term_leaves_a_gap_and_within_one_there_is_none(server: Server, store: RedisStore) -> None:
    """Behind the last message, and up to where a chunk begins."""
    await a_room(store, APP)
    assert await posts(store, "a", "b") == [1, 2]
    server.restart()
    first, second = await posts(store, "c", "d")
    assert (first, second) == (128 + JUMP + 1, 128 + JUMP + 2)
    server.restart()
    assert (await posts(store, "e"))[0] == 128 * 10 + JUMP + 1


async def test_a_room_without_messages_may_have_lost_some(server: Server, store: RedisStore) -> None:
    """It was made, and then its first message was lost."""
    await a_room(store, APP)
    server.restart()
    assert await posts(store, "a") == [JUMP + 1]
    assert await count(store) == 1


async def test_a_room_that_is_made_anew_goes_on_behind_a_gap(server: Server, store: RedisStore) -> None:
    """What its earlier members know of it must not be of its messages."""
    await a_room(store, APP)
    await posts(store, "a")
    await store.rooms.delete_room(app=APP, room="r")
    server.restart()
    await a_room(store, APP)
    assert await posts(store, "b") == [128 + JUMP + 1]
    assert await count(store) == 1


async def test_counts_and_positions_are_as_without_a_gap(server: Server, store: RedisStore) -> None:
    """Unread, reading, receipts, what was posted before, deleting up to a message."""
    await a_room(store, APP)
    await posts(store, "a", "b")
    server.restart()
    await posts(store, "c", "d")
    assert await unread_of(store, APP, "ann") == 4
    assert await count(store) == 4
    assert not (await posted(store, APP, message="b")).created
    assert (await store.reading.mark_read(app=APP, room="r", user="ann", message="c")).unread == 1
    assert await store.reading.set_unread(app=APP, room="r", user="ann", count=4) == 4
    (receipt,) = await store.receipts.receipt_counts(app=APP, room="r", messages=["b"])
    assert receipt is not None
    assert receipt.read == 1
    assert (await store.messages.delete_messages(app=APP, room="r", before="c")).count == 2
    assert await count(store) == 2
    assert await unread_of(store, APP, "bob") == 2
    assert (
        await store.messages.delete_messages(
            app=APP,
            room="r",
        )
    ).count == 2
    assert (await count(store), await unread_of(store, APP, "bob")) == (0, 0)


async def test_deleting_what_came_before_a_time_passes_a_gap(server: Server, store: RedisStore) -> None:
    """All of them are of an earlier time."""
    await a_room(store, APP)
    await posts(store, "a", "b")
    server.restart()
    await posts(store, "c")
    assert (await store.messages.delete_messages(app=APP, room="r", before_ms=2**50)).count == 3
    assert await count(store) == 0


async def test_the_last_message_may_be_before_a_gap(server: Server, store: RedisStore) -> None:
    """All that came since are hidden; and what is deleted on both sides is two rows."""
    await a_room(store, APP)
    await posts(store, "a", "b")
    server.restart()
    await posts(store, "c")
    server.restart()
    await posts(store, "d", as_last=False)
    for message in ("c", "b"):
        await store.messages.delete_message(app=APP, room="r", message=message)
    (summary,) = await store.rooms.room_summary_each(app=APP, rooms=["r"], user="ann")
    assert summary is not None
    assert summary.last is not None
    assert summary.last.message == "a"


async def test_a_gap_makes_no_message_be_forgotten(server: Server, store: RedisStore) -> None:
    """As many messages are remembered as without one, and then the jump is forgotten with those
    before it.
    """
    await a_room(store, APP)
    names = [f"m{number}" for number in range(4 * HISTORY)]
    await posts(store, *names[:HISTORY])
    server.restart()
    for number, name in enumerate(names[HISTORY:], HISTORY):
        await posts(store, name)
        kept = await store.receipts.receipt_counts(app=APP, room="r", messages=names[: number + 1][-HISTORY:])
        assert None not in kept
    assert (await store.receipts.receipt_counts(app=APP, room="r", messages=names[:HISTORY])) == [None] * HISTORY
    assert await count(store) == len(names)
    key = f"{{r:{APP}:r}}"
    assert await store.rooms._executor.command("HGET", key + ":l", "g", key=key) is None


async def test_reading_up_to_a_time_finds_the_message_before_a_gap(server: Server, store: RedisStore) -> None:
    """The one behind it is of a later time."""
    await a_room(store, APP)
    await posts(store, "a")
    at_ms = (await store.messages.message(app=APP, room="r", message="a")).at_ms
    server.restart()
    await posts(store, "b")
    read = await store.reading.mark_read_until(app=APP, room="r", user="ann", until_ms=at_ms)
    assert read is not None
    assert (read.message, read.unread) == ("a", 1)

"""lib/log_chunks.lua, log_changes.lua, message_log.lua and message_index.lua: every message that is
remembered is found by its id, with what was said of it, and no other.
"""

import uuid
from collections.abc import Callable

import pytest

from readstate.errors import MessageUnknown
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import a_room, posted, unread_of

HEX = "67a1b2c30000000000000abc"
UUID = "0a1b2c3d-0000-4000-8000-00000000beef"
# Each differs little from another one, or from what is packed
LIKE_OTHERS = [
    "m1",
    "m10",
    "m",
    HEX,
    HEX.upper(),
    HEX[:-1],
    "0x" + HEX[2:],
    " " + HEX[1:],
    "-" + HEX[1:],
    UUID,
    UUID.upper(),
    UUID.replace("-", "0"),
    "0a1b2c3d0-000-4000-8000-00000000beef",
    bytes.fromhex("67a1b2c3303030303030416b").decode("latin-1"),
    "é" * 64,
]
FIRST_MS = 1_700_000_000_000
DAY_MS = 24 * 3600 * 1000


async def test_ids_of_every_form_are_told_apart(store: RedisStore, app: str) -> None:
    """In the newest chunk, and when many chunks stand behind them."""
    await a_room(store, app)
    for message in LIKE_OTHERS:
        await posted(store, app, message=message)
    for more in (0, 60):
        for _ in range(more):
            await posted(store, app)
        for seq, message in enumerate(LIKE_OTHERS, 1):
            found = await store.messages.message(app=app, room="r", message=message)
            assert (found.message, found.seq) == (message, seq)
            again = await posted(store, app, message=message)
            assert (again.seq, again.created) == (seq, False)


@pytest.mark.parametrize("make", [lambda n: f"m{n}", lambda n: f"{n:024x}", lambda n: str(uuid.UUID(int=n))])
async def test_all_that_is_remembered_is_found_and_nothing_else(
    executor: Executor,
    app: str,
    make: Callable[[int], str],
) -> None:
    """While the index grows and the oldest messages are forgotten."""
    store = redis_store(executor, message_history=200)
    await a_room(store, app)
    posts = 4 * 64
    for number in range(1, posts + 1):
        await posted(store, app, message=make(number), sender=("ann", "bob", "stranger")[number % 3])
    for number in range(1, posts + 1):
        asked = store.messages.message(app=app, room="r", message=make(number))
        if number <= posts - 200:
            with pytest.raises(MessageUnknown):
                await asked
        else:
            found = await asked
            assert (found.seq, found.sender) == (number, ("ann", "bob", "stranger")[number % 3])


async def test_a_forgotten_id_may_be_used_again(executor: Executor, app: str) -> None:
    """It is a new message then."""
    store = redis_store(executor, message_history=100)
    await a_room(store, app)
    await posted(store, app, message="again")
    for _ in range(200):
        await posted(store, app)
    assert (await posted(store, app, message="again")).seq == 202
    for _ in range(20):
        await posted(store, app)
    assert (await store.messages.message(app=app, room="r", message="again")).seq == 202


async def test_times_may_lie_far_apart(store: RedisStore, app: str) -> None:
    """Some within what a chunk notes in four bytes, some before and some after it."""
    await a_room(store, app)
    times = [FIRST_MS, *(FIRST_MS + days * DAY_MS for days in (1, -1, 24, -24, 25, -25, 20_000)), 1]
    for number, sent_ms in enumerate(times):
        await posted(store, app, message=f"m{number}", sent_ms=sent_ms)
    await store.messages.delete_message(app=app, room="r", message="m7")
    found = [(await store.messages.message(app=app, room="r", message=f"m{n}")).at_ms for n in range(len(times))]
    assert found == times
    late = sum(sent_ms > FIRST_MS for sent_ms in times) - 1
    assert await store.messages.count_messages(app=app, room="r", since_ms=FIRST_MS) == late


async def test_what_changes_of_one_message_leaves_the_others_alone(store: RedisStore, app: str) -> None:
    """Deleting makes some of them longer."""
    await a_room(store, app)
    names = [f"m{number}" for number in range(40)]
    for number, name in enumerate(names):
        await posted(store, app, message=name, sender=("ann", "bob")[number % 2], sent_ms=FIRST_MS + number)
    for number in (3, 5, 4, 20, 38, 39, 17, 16, 18):
        await store.messages.delete_message(app=app, room="r", message=names[number])
    for number, name in enumerate(names):
        found = await store.messages.message(app=app, room="r", message=name)
        assert (found.seq, found.sender, found.at_ms) == (number + 1, ("ann", "bob")[number % 2], FIRST_MS + number)
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert room.last is not None
    assert room.last.message == "m37"


async def test_a_room_that_is_made_again_remembers_nothing_of_before(store: RedisStore, app: str) -> None:
    """Its places go on, in the middle of a chunk."""
    await a_room(store, app)
    for number in range(20):
        await posted(store, app, message=f"m{number}")
    await store.rooms.delete_room(app=app, room="r")
    await a_room(store, app)
    with pytest.raises(MessageUnknown):
        await store.messages.message(app=app, room="r", message="m19")
    for number in range(40):
        assert (await posted(store, app, message=f"m{number}")).seq == 21 + number
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m2")).seq == 23
    assert await unread_of(store, app, "ann") == 37


async def test_a_place_that_was_left_out_hides_no_message(store: RedisStore, executor: Executor, app: str) -> None:
    """As after a failover that lost the newest messages: their places are not given out again."""
    await a_room(store, app)
    for number in range(10):
        await posted(store, app, message=f"a{number}")
    key = Keys.room(app, "r")
    head = bytearray(await executor.command("HGET", key, "", key=key))
    head[15:20] = (10 + 40).to_bytes(5, "big")
    await executor.command("HSET", key, "", bytes(head), key=key)
    for number in range(30):
        assert (await posted(store, app, message=f"b{number}")).seq == 51 + number
    for number in range(10):
        assert (await store.messages.message(app=app, room="r", message=f"a{number}")).seq == number + 1
    for number in range(30):
        assert (await store.messages.message(app=app, room="r", message=f"b{number}")).seq == 51 + number


async def test_messages_share_their_chunks_and_senders(executor: Executor, app: str) -> None:
    """A message takes few bytes: the names of its senders stand there once."""
    store = redis_store(executor, message_history=1000)
    await a_room(store, app)
    for number in range(128):
        await posted(store, app, message=f"{number:024x}", sender=("ann", "bob")[number % 2])
    key = Keys.room(app, "r")
    flat = await executor.command("HGETALL", f"{key}:l", key=key)
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    index = [fields.pop(name) for name in list(fields) if name.startswith(b"i")]
    log = list(fields.values())
    assert len(log) == 128 / 16 + 1
    assert sum(map(len, log)) == 128 * (2 + 8 + 12) + 8 * 12 + 2 * (6 + 3)
    assert sum(map(len, index)) == 128 * 7

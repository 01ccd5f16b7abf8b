"""lib/journal.lua: since when somebody has read a message, told from the moves of their cursor."""

import asyncio

import pytest

from readstate.domain.messages import Posted
from readstate.domain.receipts import Receipt
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted

CHUNK = 16  # moves that are kept or forgotten together


async def a_dialogue(store: RedisStore, app: str, turns: int) -> tuple[list[Posted], list[Posted]]:
    """Ann posts, bob answers, and so on: by his n-th post, whose time is known, bob has read ann's
    n-th. Returns hers and his.
    """
    await a_room(store, app)
    both: tuple[list[Posted], list[Posted]] = ([], [])
    for turn in range(2 * turns):
        both[turn % 2].append(await posted(store, app, sender=("ann", "bob")[turn % 2]))
    return both


async def receipt_of(store: RedisStore, app: str, message: str, member: str = "bob") -> Receipt:
    """The one receipt that `member` has given for the message."""
    (found,) = [receipt for receipt in (await whole_list(store, app, "r", message)).readers if receipt.member == member]
    return found


@pytest.mark.parametrize("turns", [1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 6 * CHUNK + 3])
async def test_every_receipt_has_the_time_of_the_move_that_reached_the_message(
    store: RedisStore, app: str, turns: int
) -> None:
    """To the millisecond, however many moves have followed, whether they are put away in chunks or
    not.
    """
    hers, his = await a_dialogue(store, app, turns)
    remembered = 48  # of each; the store of these tests remembers a hundred messages
    for question, answer in list(zip(hers, his, strict=True))[-remembered:]:
        assert await receipt_of(store, app, question.message) == Receipt("bob", answer.at_ms, exact=True, left=False)


async def test_a_move_that_ends_a_chunk_is_found_as_exactly_as_any(store: RedisStore, app: str) -> None:
    """Every message is read by itself, so each chunk ends at one."""
    await a_room(store, app)
    messages = [(await posted(store, app)).message for _ in range(4 * CHUNK)]
    for message in messages:
        await store.reading.mark_read(app=app, room="r", user="bob", message=message)
    assert [message for message in messages if not (await receipt_of(store, app, message)).exact] == []


async def test_a_move_gives_the_same_time_to_all_messages_that_it_passed(store: RedisStore, app: str) -> None:
    """And a later one takes none of them back."""
    await a_room(store, app)
    passed = [await posted(store, app, sender="ann") for _ in range(5)]
    answer = await posted(store, app, sender="bob")
    await asyncio.sleep(0.003)
    await posted(store, app, sender="bob")
    times = {(await receipt_of(store, app, message.message)).at_ms for message in passed}
    assert times == {answer.at_ms}


async def test_reading_is_noted_with_the_servers_clock(store: RedisStore, executor: Executor, app: str) -> None:
    """A read has no time of its own in its answer; it lies between two looks at the clock."""
    await a_room(store, app)
    message = (await posted(store, app, sender="ann")).message
    before = await server_ms(executor, app)
    await store.reading.mark_read(app=app, room="r", user="bob", message=message)
    assert before <= (await receipt_of(store, app, message)).at_ms <= await server_ms(executor, app)


@pytest.mark.parametrize("fanout_limit", [1, 256])
async def test_reading_again_or_something_older_is_no_move(store: RedisStore, app: str) -> None:
    """The first time stands, also in a room above the fan-out limit."""
    await a_room(store, app)
    message = (await posted(store, app, sender="ann")).message
    await store.reading.mark_read(app=app, room="r", user="bob", message=message)
    first = await receipt_of(store, app, message)
    await asyncio.sleep(0.003)
    await store.reading.mark_read(app=app, room="r", user="bob", message=message)
    await store.reading.mark_read_until(app=app, room="r", user="bob", until_ms=0)
    assert await receipt_of(store, app, message) == first


@pytest.mark.parametrize("kept", [CHUNK, 2 * CHUNK])
async def test_past_the_trim_a_receipt_says_at_the_latest(executor: Executor, app: str, kept: int) -> None:
    """What the journal no longer holds is said to be inexact, and is never earlier than the truth;
    the newest moves are exact.
    """
    store = redis_store(executor, journal_moves=kept)
    hers, his = await a_dialogue(store, app, 6 * CHUNK + 5)
    told = [await receipt_of(store, app, question.message) for question in hers]
    assert all(receipt.at_ms >= answer.at_ms for receipt, answer in zip(told, his, strict=True))
    assert all(receipt.at_ms == answer.at_ms for receipt, answer in zip(told, his, strict=True) if receipt.exact)
    exact = [receipt.exact for receipt in told]
    assert exact == sorted(exact), "something older is known better than something newer"
    assert kept <= sum(exact) < kept + 2 * CHUNK
    oldest_known = min(receipt.at_ms for receipt in told if receipt.exact)
    assert {receipt.at_ms for receipt in told if not receipt.exact} != set()
    assert all(receipt.at_ms <= oldest_known for receipt in told if not receipt.exact)


async def test_moves_are_forgotten_by_age_as_well(executor: Executor, app: str) -> None:
    """Here after no time at all, but for the moves that are not put away yet and the last chunk."""
    store = redis_store(executor, journal_days=0)
    hers, his = await a_dialogue(store, app, 2 * CHUNK)
    await asyncio.sleep(0.01)
    for _ in range(CHUNK):
        await posted(store, app, sender="bob")
    assert not (await receipt_of(store, app, hers[0].message)).exact
    assert (await receipt_of(store, app, hers[0].message)).at_ms >= his[0].at_ms


async def test_a_journal_does_not_grow_beyond_its_setting(executor: Executor, app: str) -> None:
    """However much somebody reads."""
    store, key = redis_store(executor, journal_moves=CHUNK), Keys.room(app, "r")
    for _ in range(3):
        await a_dialogue(store, app, 5 * CHUNK)
        assert await executor.command("HLEN", f"{key}:j", key=key) <= 2 * 3, (
            "of two members, what is kept and what is on its way out"
        )
        assert await executor.command("HSTRLEN", key, "ann", key=key) < 400


async def test_a_move_takes_at_most_24_bytes(executor: Executor, app: str) -> None:
    """As the server counts them, everything included."""
    store, key = redis_store(executor), Keys.room(app, "r")
    await a_room(store, app, members=["ann"])
    moves = 960
    for _ in range(moves):
        await posted(store, app, sender="ann")
    used = [await executor.command("MEMORY", "USAGE", f"{key}:{suffix}", "SAMPLES", 0, key=key) for suffix in "jp"]
    assert sum(size or 0 for size in used) / moves <= 24


async def test_a_shorter_setting_takes_effect_step_by_step(executor: Executor, app: str) -> None:
    """Two chunks go for each that comes, until there are as few as wanted."""
    await a_dialogue(redis_store(executor), app, 10 * CHUNK)
    store, key = redis_store(executor, journal_moves=CHUNK), Keys.room(app, "r")
    for _ in range(12 * CHUNK):
        await posted(store, app, sender="bob")
    assert await executor.command("HLEN", f"{key}:j", key=key) <= 10 + 3


async def test_the_journal_of_a_deleted_room_is_gone(executor: Executor, app: str) -> None:
    """Whoever creates the room again begins afresh."""
    store, key = redis_store(executor), Keys.room(app, "r")
    await a_dialogue(store, app, 2 * CHUNK)
    await store.rooms.delete_room(app=app, room="r")
    assert await executor.command("EXISTS", f"{key}:j", key=key) == 0


async def server_ms(executor: Executor, app: str) -> int:
    seconds, rest = await executor.command("TIME", key=Keys.room(app, "r"))
    return int(seconds) * 1000 + int(rest) // 1000

"""Failovers one after the other, each with the newest writes lost; the truth is kept outside."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from readstate.errors import MessageUnknown
from readstate.tasks import cancel_and_wait
from tests.support.failover import APP, LosingPair, losing_pair, names
from tests.support.rooms import a_room, posted
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[LosingPair]:
    async with losing_pair() as pair:
        yield pair


@pytest.mark.timeout(3600)
async def test_one_failover_after_the_other(pair: LosingPair, full: bool) -> None:
    """Every time the newest posts and reads are lost. All badges are right within ten seconds, no
    receipt names a reader who had not read so far, and what was read of what is left stays read.
    """
    chance = random.Random(50)
    rooms, others = names(True, "room", 8), names(False, "user", 4)
    users = [*others, *names(True, "user", 4)]
    store = pair.store
    posts: dict[str, list[str]] = {room: [] for room in rooms}
    # Room, user -> how many of the posts they have read at most; and what was acknowledged.
    reads: dict[tuple[str, str], int] = {}
    known: dict[tuple[str, str], int] = {}
    for room in rooms:
        await a_room(store, APP, room, members=users)

    async def live(rounds: int, where: Sequence[str]) -> None:
        for _ in range(rounds):
            room, user = chance.choice(where), chance.choice(users)
            if chance.random() < 0.6:
                posts[room].append(f"m{len(posts[room]):06}")
                await posted(store, APP, room, message=posts[room][-1])
            elif posts[room]:
                reads[room, user] = len(posts[room])
                with contextlib.suppress(MessageUnknown):  # it may be lost
                    await store.reading.mark_read(app=APP, room=room, user=user, message=posts[room][-1])
                    known[room, user] = len(posts[room])

    background = asyncio.create_task(pair.failovers.keep_reconciling())
    try:
        for _ in range(50 if full else 2):
            await live(30, rooms)
            await pair.cut_off()
            await live(30, rooms)
            await pair.fail_over()
            began_s = time.monotonic()
            await live(10, rooms[:4])  # some rooms go on at once, others rest
            await wait_until(pair.all_agree(rooms, users), "every badge to be right", timeout_s=10)
            assert time.monotonic() - began_s < 10
            for room in rooms:
                messages = posts[room][-90:]
                counts = await store.receipts.receipt_counts(app=APP, room=room, messages=messages)
                left = {place: count for place, count in enumerate(counts, len(posts[room]) - len(counts) + 1) if count}
                for place, count in left.items():
                    assert count.read <= sum(reads.get((room, user), 0) >= place for user in users)
                for user in others:
                    me = (await store.rooms.room(app=APP, room=room, user=user)).me
                    read = max((place for place in left if place <= known.get((room, user), 0)), default=0)
                    assert me is not None
                    assert read == 0 or (me.last_read or "m-1") >= f"m{read - 1:06}"
            await pair.come_back()
    finally:
        await cancel_and_wait(background)
    await pair.agree(rooms, users)

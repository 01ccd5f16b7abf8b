"""Failovers one after the other: with the newest writes lost, and under load with what was answered
at the level `replicated`. The truth is kept outside.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from itertools import islice

import pytest
import pytest_asyncio

from readstate.batches import in_batches
from readstate.domain.durability import Durability
from readstate.errors import Fault, MessageUnknown
from readstate.store.confirming import RedisConfirmation
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.tasks import cancel_and_wait
from tests.support.drills import Drill, Found
from tests.support.failover import APP, FIRST_SHARE, LosingPair, losing_pair, names, wait_for_replica
from tests.support.rooms import a_room, posted
from tests.support.traffic import Traffic, users_of
from tests.support.waiting import wait_until

FAILOVERS, OF_ANOTHER_SERVER = 50, 10
NODE_TIMEOUT_MS = 2000
# What clients see when a primary dies, at that time-out. Some servers take longer to elect another
# one: then clients may see that, and little more.
OUTAGE_P50_S, OUTAGE_MAX_S = 3.0, 6.0
AFTER_ELECTION_S = 0.5


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[LosingPair]:
    async with losing_pair() as pair:
        yield pair


@pytest.mark.timeout(900)
async def test_one_failover_after_the_other(pair: LosingPair, drill: Drill) -> None:
    """Every time the newest posts and reads are lost. All badges are right within ten seconds, no
    receipt names a reader who had not read so far, and what was read of what is left stays read.
    """
    found, chance = Found(), random.Random(50)
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
                found.count("posts")
            elif posts[room]:
                reads[room, user] = len(posts[room])
                with contextlib.suppress(MessageUnknown):  # it may be lost
                    await store.reading.mark_read(app=APP, room=room, user=user, message=posts[room][-1])
                    known[room, user] = len(posts[room])
                    found.count("reads")

    background = asyncio.create_task(pair.failovers.keep_reconciling())
    try:
        for _ in range(FAILOVERS if drill.long else 2):
            await live(30, rooms)
            await pair.cut_off()
            await live(30, rooms)
            await pair.fail_over()
            found.count("failovers")
            began_s = time.monotonic()
            await live(10, rooms[:4])  # some rooms go on at once, others rest
            await wait_until(pair.all_agree(rooms, users), "every badge to be right", timeout_s=10)
            assert time.monotonic() - began_s < 10
            for room in rooms:
                counts = await store.receipts.receipt_counts(app=APP, room=room, messages=posts[room][-90:])
                left = {place: count for place, count in enumerate(counts, len(posts[room]) - len(counts) + 1) if count}
                for place, count in left.items():
                    most = sum(reads.get((room, user), 0) >= place for user in users)
                    if count.read > most:
                        found.wrong.append(f"{room} m{place - 1:06}: {count.read} readers of {most}")
                for user in others:
                    me = (await store.rooms.room(app=APP, room=room, user=user)).me
                    read = max((place for place in left if place <= known.get((room, user), 0)), default=0)
                    assert me is not None
                    if read and (me.last_read or "m-1") < f"m{read - 1:06}":
                        found.back.append(f"{user} in {room} at {me.last_read} after m{read - 1:06}")
            await pair.come_back()
    finally:
        await cancel_and_wait(background)
    await pair.agree(rooms, users)
    found.allowed_to_be_lost = await lost_of(store, posts)
    drill.report("failovers that lose the newest writes", found)


async def lost_of(store: RedisStore, posts: Mapping[str, Sequence[str]]) -> int:
    """How many of the posts that were answered are in no room."""
    lost = 0
    for room, messages in posts.items():
        for batch in in_batches(messages, 100):
            counts = await store.receipts.receipt_counts(app=APP, room=room, messages=batch)
            lost += counts.count(None)
    return lost


class Client:
    """Repeats a read of a room as fast as it is answered, and knows when it was."""

    def __init__(self, store: RedisStore, room: str) -> None:
        self._store, self._room = store, room
        self._answered_at_s = time.monotonic()
        self._longest_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        _, bo = users_of(self._room)
        while True:
            with contextlib.suppress(Fault):
                await self._store.reading.mark_read(app=APP, room=self._room, user=bo, message="m0")
                now_s = time.monotonic()
                self._longest_s = max(self._longest_s, now_s - self._answered_at_s)
                self._answered_at_s = now_s
            await asyncio.sleep(0.01)

    async def outage_s(self) -> float:
        """The longest time without an answer since this was last asked, once there is one again."""
        asked_at_s = time.monotonic()

        async def is_answered() -> bool:
            return self._answered_at_s > asked_at_s

        await wait_until(is_answered, "an answer", timeout_s=60)
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s


def rooms_on_the_first_node(number: int) -> list[str]:
    """Rooms that lie there with all that a post writes: users, and the list of rooms with pending
    updates.
    """

    def is_there(room: str) -> bool:
        users = [Keys.user(APP, user) for user in users_of(room)]
        keys = [Keys.room(APP, room), Keys.pending_rooms_of(Keys.room(APP, room)), *users]
        return all(Keys.slot(key) < FIRST_SHARE for key in keys)

    return list(islice(filter(is_there, map(str, range(100_000))), number))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", [None, "redis-server"])
async def test_replicas_take_over_by_themselves(drill: Drill, server: str | None) -> None:
    """Primaries are killed under load. What was answered at `replicated` is there afterwards, and
    clients wait no longer than for the time-out of the nodes and an election.
    """
    times = (OF_ANOTHER_SERVER if server else FAILOVERS) if drill.long else 1
    async with losing_pair(drill.server(server), NODE_TIMEOUT_MS) as pair:
        confirmation = RedisConfirmation(pair.executor, Durability.REPLICATED, within_ms=1000)
        rooms = rooms_on_the_first_node(4)
        traffic = Traffic(
            [pair.store], APP, rooms, pause_s=0.05, confirm=partial(confirmation.confirmed, Durability.REPLICATED)
        )
        await traffic.prepare()
        await posted(pair.store, APP, rooms[0], message="m0")
        wait_for_replica(pair.first)
        found, client = traffic.found, Client(pair.store, rooms[0])
        elections_s: list[float] = []

        async def failovers() -> None:
            for _ in range(times):
                await client.outage_s()
                died_at_s = time.monotonic()
                await pair.die()
                elections_s.append(time.monotonic() - died_at_s)
                found.outages_s.append(await client.outage_s())
                await pair.come_back()
                found.count("failovers")
                await more_posts(traffic)

        background = [asyncio.create_task(run) for run in (client.run(), pair.failovers.keep_reconciling())]
        try:
            await traffic.run(failovers())
        finally:
            for task in background:
                await cancel_and_wait(task)
        await pair.failovers.reconcile()
        await traffic.check()
    elected_s = statistics.median(elections_s)
    most_s = max(OUTAGE_P50_S, elected_s + AFTER_ELECTION_S if server else 0.0)
    if drill.long and (statistics.median(found.outages_s) > most_s or max(found.outages_s) > OUTAGE_MAX_S):
        found.errors.append(f"outages of {found.outage}, elections of {elected_s:.1f} s")
    drill.report("primaries killed, answers at `replicated`", found)


async def more_posts(traffic: Traffic) -> None:
    """Wait until each room has got another message, or nearly so."""
    before = traffic.found.done["posts"]

    async def have_come() -> bool:
        return traffic.found.done["posts"] > before + 8

    await wait_until(have_come, "more posts to be confirmed", timeout_s=60)

"""The scripts of webhooks: what waits is the newest event of each pair, and nothing is lost on the
way.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from readstate.domain.events import Dead, DeadLetter, Delivered, Postponed, ReadEvent
from readstate.domain.notices import MessageDeleted, encode_notice
from readstate.store.events import ENTRIES_AT_ONCE, RedisEvents
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from tests.support.events import an_event, cleared, shard_of, write, written
from tests.support.waiting import wait_until

LEASE_S = 0.4


@pytest_asyncio.fixture
async def events(executor: Executor) -> AsyncIterator[RedisEvents]:
    """A deliverer's side, on shards that are empty."""
    await cleared(executor)
    yield RedisEvents(executor, lease_s=LEASE_S)


async def taken(events: RedisEvents, shard: int, limit: int = 10) -> list[ReadEvent]:
    batch = await events.claim_shard(shard, limit=limit)
    assert batch.held
    return [due.event for due in batch.due]


async def dead_letters(events: RedisEvents) -> list[DeadLetter]:
    return [letter async for letter in events.dead_letters()]


async def state(executor: Executor, shard: int) -> dict[str, Any]:
    """How many of everything there is in a shard."""
    key = Keys.events(shard)
    counts = {"stream": ("XLEN", key), "q": ("HLEN", f"{key}:q"), "t": ("ZCARD", f"{key}:t"), "x": ("HLEN", f"{key}:x")}
    return {name: await executor.command(*command, key=key) for name, command in counts.items()}


EMPTY = {"stream": 0, "q": 0, "t": 0, "x": 0}


async def test_an_event_is_handed_out_as_it_was_written(events: RedisEvents, executor: Executor, app: str) -> None:
    event = an_event(app, seq=7, before=3, unread=2)
    await written(executor, event)
    assert await taken(events, shard_of(event)) == [event]


@pytest.mark.parametrize("order", [(4, 5, 6), (6, 5, 4), (5, 6, 4), (6, 4, 6), (4, 6, 5)])
async def test_of_a_pair_only_the_newest_goes_out_and_covers_the_others(
    events: RedisEvents, executor: Executor, app: str, order: tuple[int, ...]
) -> None:
    """In whatever order they come; a repeated one changes nothing."""
    several = {seq: an_event(app, seq=seq, revision=10**15 + seq) for seq in order}
    await written(executor, *(several[seq] for seq in order))
    (event,) = await taken(events, shard_of(several[6]))
    assert (event.seq, event.before, event.id) == (6, 3, several[6].id)


async def test_pairs_do_not_stand_for_each_other(events: RedisEvents, executor: Executor, app: str) -> None:
    """The same member in two rooms, two members of a room: colons in ids make no pair of two."""
    several = [
        an_event(app, "ann", "r"),
        an_event(app, "bob", "r"),
        an_event(app, "a:b", "r:c"),
        an_event(app, "c", "r"),
    ]
    await written(executor, *several)
    out = [event for shard in {shard_of(event) for event in several} for event in await taken(events, shard)]
    assert sorted(event.id for event in out) == sorted(event.id for event in several)


async def test_what_is_handed_out_is_not_handed_out_again_for_a_while(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    """Then it is: the deliverer that had it died."""
    event = an_event(app)
    await written(executor, event)
    assert await taken(events, shard_of(event)) == [event]
    assert await taken(events, shard_of(event)) == []
    await asyncio.sleep(LEASE_S)
    assert await taken(events, shard_of(event)) == [event]


async def test_what_was_delivered_is_gone(events: RedisEvents, executor: Executor, app: str) -> None:
    event = an_event(app)
    await written(executor, event)
    await taken(events, shard_of(event))
    await events.record_outcomes(shard_of(event), [Delivered(event)])
    assert await state(executor, shard_of(event)) == EMPTY


async def test_what_is_older_than_what_was_delivered_is_dropped(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    """The same event again, too: on a cluster events may be repeated and late."""
    old, new = an_event(app, seq=1, revision=10**15), an_event(app, seq=2, revision=10**15 + 1)
    await written(executor, new)
    await taken(events, shard_of(new))
    await events.record_outcomes(shard_of(new), [Delivered(new)])
    await written(executor, old, new)
    assert await taken(events, shard_of(new)) == []
    assert await state(executor, shard_of(new)) == EMPTY


async def test_what_comes_while_one_is_under_way_goes_out_after_it(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    """It need not cover again what the first one told."""
    first, second = an_event(app, seq=5, before=2, revision=10**15), an_event(app, seq=9, before=5, revision=10**15 + 1)
    await written(executor, first)
    await taken(events, shard_of(first))
    await written(executor, second)
    assert await taken(events, shard_of(first)) == []
    await events.record_outcomes(shard_of(first), [Delivered(first)])
    assert [(event.id, event.before) for event in await taken(events, shard_of(first))] == [(second.id, 5)]


async def test_what_comes_while_one_fails_covers_it(events: RedisEvents, executor: Executor, app: str) -> None:
    """And it waits as long as the failed one had to: a receiver in trouble is not asked sooner."""
    first, second = an_event(app, seq=5, before=2, revision=10**15), an_event(app, seq=9, before=5, revision=10**15 + 1)
    await written(executor, first)
    await taken(events, shard_of(first))
    await events.record_outcomes(shard_of(first), [Postponed(first, 300, 1)])
    await written(executor, second)
    assert await taken(events, shard_of(first)) == []
    await asyncio.sleep(0.3)
    (due,) = (await events.claim_shard(shard_of(first), limit=10)).due
    assert (due.event.id, due.event.before, due.attempts, due.failing_since_ms, due.sent) == (second.id, 2, 1, 0, 0)


async def test_an_event_that_fails_keeps_count(events: RedisEvents, executor: Executor, app: str) -> None:
    """Of its attempts, of when the first one failed, and of the forms that were accepted."""
    event = an_event(app)
    shard = shard_of(event)
    await written(executor, event)
    began_ms = (await events.claim_shard(shard, limit=10)).now_ms
    await events.record_outcomes(shard, [Postponed(event, 0, 1)])
    (once,) = (await events.claim_shard(shard, limit=10)).due
    await asyncio.sleep(0.01)
    await events.record_outcomes(shard, [Postponed(event, 0, 1)])
    (twice,) = (await events.claim_shard(shard, limit=10)).due
    assert (once.attempts, twice.attempts, twice.sent) == (1, 2, 1)
    assert began_ms <= once.failing_since_ms == twice.failing_since_ms


async def test_a_dead_letter_is_listed_and_delivered_again_when_replayed(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    event, other = an_event(app, "ann"), an_event(app, "bob")
    await written(executor, event, other)
    await taken(events, shard_of(event))
    await events.record_outcomes(shard_of(event), [Dead(event, "status 500"), Dead(other, "status 500")])
    letters = await dead_letters(events)
    assert {(letter.event.id, letter.attempts, letter.reason) for letter in letters} == {
        (one.id, 1, "status 500") for one in (event, other)
    }
    assert await taken(events, shard_of(event)) == []
    assert await events.replay(["read_nobody_1"]) == 0
    assert await events.replay([event.id]) == 1
    assert await taken(events, shard_of(event)) == [event]
    assert await events.replay() == 1
    assert await dead_letters(events) == []


async def test_a_newer_event_covers_a_dead_letter(events: RedisEvents, executor: Executor, app: str) -> None:
    """So that replaying later would not tell something old."""
    first, second = an_event(app, seq=5, before=0, revision=10**15), an_event(app, seq=6, before=5, revision=10**15 + 1)
    await written(executor, first)
    await taken(events, shard_of(first))
    await events.record_outcomes(shard_of(first), [Dead(first, "status 500")])
    await written(executor, second)
    assert [(event.id, event.before) for event in await taken(events, shard_of(first))] == [(second.id, 0)]
    assert await dead_letters(events) == []


async def test_an_event_is_not_given_up_when_a_newer_one_waits(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    first, second = an_event(app, seq=5, revision=10**15), an_event(app, seq=6, revision=10**15 + 1)
    await written(executor, first)
    await taken(events, shard_of(first))
    await written(executor, second)
    await taken(events, shard_of(first))
    await events.record_outcomes(shard_of(first), [Dead(first, "status 500")])
    assert await dead_letters(events) == []
    await asyncio.sleep(LEASE_S)
    assert [(event.id, event.before) for event in await taken(events, shard_of(first))] == [(second.id, 4)]


async def test_a_shard_is_held_by_one_until_it_leaves_or_dies(events: RedisEvents, executor: Executor) -> None:
    other = RedisEvents(executor, lease_s=LEASE_S)
    assert (await events.claim_shard(3, limit=1)).held
    assert not (await other.claim_shard(3, limit=1)).held
    await other.release_shard(3)
    assert not (await other.claim_shard(3, limit=1)).held
    await events.release_shard(3)
    assert (await other.claim_shard(3, limit=1)).held

    async def inherited() -> bool:
        return (await events.claim_shard(3, limit=1)).held

    await wait_until(inherited, "the lease to end", timeout_s=5 * LEASE_S)


async def test_a_refused_holder_takes_nothing(events: RedisEvents, executor: Executor, app: str) -> None:
    event = an_event(app)
    await events.claim_shard(shard_of(event), limit=1)
    await written(executor, event)
    other = RedisEvents(executor, lease_s=LEASE_S)
    assert (await other.claim_shard(shard_of(event), limit=1)).due == ()
    assert (await state(executor, shard_of(event)))["stream"] == 1


async def test_a_stream_is_taken_in_portions_and_handed_out_up_to_the_limit(
    events: RedisEvents, executor: Executor, app: str
) -> None:
    """`more` says when it is worth coming back at once."""
    several = [an_event(app, f"u{number}") for number in range(ENTRIES_AT_ONCE + 10)]
    await written(executor, *several)
    first = await events.claim_shard(shard_of(several[0]), limit=5)
    assert (len(first.due), first.waiting, first.more) == (5, ENTRIES_AT_ONCE, True)
    second = await events.claim_shard(shard_of(several[0]), limit=1000)
    assert (len(second.due), second.waiting, second.more) == (len(several) - 5, len(several), False)
    assert (await events.claim_shard(shard_of(several[0]), limit=0)).due == ()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"rubbish",
        b"\xc1",
        b"\x90",
        encode_notice(["read"] + ["a"] * 4) + bytes(17),
        encode_notice([1] * 5) + bytes(17),
        encode_notice(["read", "r", "ann", "m1", 1]),
        encode_notice(["read", "r", "ann", "m1", 1]) + bytes(16),
        encode_notice(["read", "r", "ann", "m1", 1]) + bytes(18),
        encode_notice(["seen", "r", "ann", "m1", 1]) + bytes(17),
        encode_notice(MessageDeleted("r", "m1")) + bytes(17),
    ],
)
async def test_an_entry_that_is_no_event_is_counted_and_holds_nothing_up(
    events: RedisEvents, executor: Executor, app: str, entry: bytes
) -> None:
    event = an_event(app)
    await write(executor, shard_of(event), entry, app)
    await written(executor, event)
    batch = await events.claim_shard(shard_of(event), limit=10)
    assert (batch.broken, [due.event for due in batch.due]) == (1, [event])


async def test_nothing_is_ever_pending_in_the_group(events: RedisEvents, executor: Executor, app: str) -> None:
    """Entries are read, acknowledged and deleted in one step, so none is left for another
    process to take over.
    """
    event = an_event(app)
    await written(executor, event)
    await taken(events, shard_of(event))
    (group,) = await executor.command("XINFO", "GROUPS", Keys.events(shard_of(event)), key=Keys.events(shard_of(event)))
    facts = dict(zip(group[::2], group[1::2], strict=True))
    assert (facts[b"name"], facts[b"pending"], facts[b"lag"]) == (b"deliverers", 0, 0)


async def test_deliverers_count_each_other_while_they_live(events: RedisEvents, executor: Executor) -> None:
    other = RedisEvents(executor, lease_s=LEASE_S)
    assert await events.share() == (1, None)
    assert await other.share() == (2, None)
    await other.depart()
    assert await events.share() == (1, None)
    await other.share()
    await asyncio.sleep(LEASE_S)
    assert await events.share() == (1, None)


async def test_a_target_that_wants_no_more_is_remembered_until_a_replay(events: RedisEvents) -> None:
    await events.refuse("digest")
    assert await events.share() == (1, "digest")
    await events.replay()
    assert await events.share() == (1, None)


async def test_deliveries_are_not_remembered_without_end(events: RedisEvents, executor: Executor, app: str) -> None:
    """The newest 20,000 pairs of a shard."""
    for begin in range(0, 21_000, 3000):
        several = [an_event(app, f"u{number}", revision=10**15 + number) for number in range(begin, begin + 3000)]
        await events.record_outcomes(5, [Delivered(event) for event in several])
    key = f"{Keys.events(5)}:d"
    assert await executor.command("ZCARD", key, key=key) == 20_000
    assert await executor.command("ZRANGE", key, 0, 0, key=key) == [f"{app}\x1fr\x1fu1000".encode()]

"""Deliverers between a real store and a real receiver: order, merging, retries, dead letters.

No room blocks another one.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from readstate.domain.events import DeadLetter, ReadEvent
from readstate.errors import Unavailable
from readstate.store.connect import connect
from readstate.store.events import RedisEvents
from readstate.store.executor import Executor
from readstate.store.keys import EVENT_SHARDS, Keys
from readstate.store.redis_store import redis_store
from readstate.webhooks import deliverer as deliverer_module
from readstate.webhooks.deliverer import Deliverer, wait_s
from readstate.webhooks.forms import Choice, Form, WebhookRequest
from readstate.webhooks.sender import MAX_CONNECTIONS, Sender
from readstate.webhooks.standard import Signer, Standard
from tests.support.events import an_event, cleared, shard_of, written
from tests.support.receiver import CUT, HANG, OK, RESET, STREAM, Receiver, Reply
from tests.support.waiting import wait_until

STANDARD = Standard(Signer("token-of-the-operator").headers)
TARGET = "digest-of-the-url"
Running = Callable[..., Any]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits take milliseconds instead of seconds."""
    monkeypatch.setattr(deliverer_module, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(deliverer_module, "LONGEST_WAIT_S", 0.2)
    monkeypatch.setattr(deliverer_module, "SHARE_S", 0.05)
    monkeypatch.setattr(deliverer_module, "OUR_FAULT_WAIT_S", 0.05)


@pytest_asyncio.fixture
async def executor(plan_url: str) -> AsyncIterator[Executor]:
    executor = await connect(plan_url)
    await cleared(executor)
    yield executor
    await cleared(executor)
    await executor.close()


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def natively(event: ReadEvent) -> Sequence[Form]:
    return [STANDARD]


@pytest.fixture
def delivering(executor: Executor, receiver: Receiver) -> Running:
    """`async with delivering(...)`: a deliverer that runs inside the block."""

    @asynccontextmanager
    async def delivering(
        *, choose: Choice = natively, retry_s: float = 3600, lease_s: float = 4.0
    ) -> AsyncIterator[Deliverer]:
        stop = asyncio.Event()
        async with Sender(receiver.url, allow_private=True, tls=ssl.create_default_context()) as sender:
            deliverer = Deliverer(
                RedisEvents(executor, lease_s=lease_s), choose, sender, target=TARGET, retry_s=retry_s
            )
            running = asyncio.create_task(deliverer.run(stop))
            try:
                yield deliverer
            finally:
                stop.set()
                await running

    return delivering


@pytest.fixture
def dead_letters(executor: Executor) -> Callable[[], Awaitable[list[DeadLetter]]]:
    async def dead_letters() -> list[DeadLetter]:
        return [request async for request in RedisEvents(executor).dead_letters()]

    return dead_letters


async def called(receiver: Receiver, count: int) -> None:
    async def enough() -> bool:
        return len(receiver.calls) >= count

    await wait_until(enough, f"{count} calls", timeout_s=30)


async def nothing_waits(executor: Executor) -> None:
    """Every event was delivered, superseded or given up."""

    async def none() -> bool:
        looks = [
            await executor.command(*command, key=key)
            for shard in range(EVENT_SHARDS)
            for key, command in _lengths(shard)
        ]
        return not any(looks)

    await wait_until(none, "nothing to wait any more", timeout_s=30)


def _lengths(shard: int) -> list[tuple[str, tuple[str, str]]]:
    key = f"{{w:{shard}}}"
    return [(key, ("XLEN", key)), (key, ("HLEN", f"{key}:q")), (key, ("ZCARD", f"{key}:t"))]


async def test_an_event_reaches_the_receiver_and_is_done_with(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    event = an_event(app, seq=7, before=3)
    async with delivering():
        await written(executor, event)
        await called(receiver, 1)
        await nothing_waits(executor)
    (call,) = receiver.calls
    assert (call.id, call.json["data"]["seq"], call.json["data"]["before"]) == (event.id, 7, 3)


async def test_the_events_of_a_pair_arrive_in_order(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """With two deliverers and a receiver that fails one time in three.

    Each membership ends at its newest event, and every event is covered.
    """
    receiver.answer = lambda call: Reply(500) if hash(call.headers["webhook-signature"]) % 3 == 0 else OK
    pairs = [(member, room) for member in ("ann", "bob", "cid") for room in ("r1", "r2", "r3", "r4")]
    async with delivering(), delivering():
        for seq in range(1, 31):
            await written(executor, *(an_event(app, member, room, seq=seq) for member, room in pairs))
            await asyncio.sleep(0.01)
        await nothing_waits(executor)
    for member, room in pairs:
        seqs = [call.json["data"]["seq"] for call in receiver.of(member, room)]
        assert seqs == sorted(seqs)
        assert seqs[-1] == 30


async def test_while_a_receiver_is_behind_only_the_newest_waits(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """It covers all events that were not sent."""
    receiver.answer = lambda call: Reply(500)
    async with delivering():
        await written(executor, an_event(app, seq=1))
        await called(receiver, 1)
        for seq in range(2, 101):
            await written(executor, an_event(app, seq=seq))
        await called(receiver, 3)
        receiver.answer = lambda call: OK
        await nothing_waits(executor)
    last = receiver.calls[-1].json["data"]
    assert (last["seq"], last["before"]) == (100, 0)
    assert len(receiver.calls) < 50


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(how=RESET), Reply(302, {"Location": "/"}), Reply(404), Reply(429)], ids=str
)
async def test_an_event_that_failed_is_tried_again(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, reply: Reply
) -> None:
    """Under the same id, signed anew."""
    receiver.answer = lambda call: reply if len(receiver.calls) < 4 else OK
    async with delivering():
        await written(executor, an_event(app))
        await called(receiver, 4)
        await nothing_waits(executor)
    assert len({call.id for call in receiver.calls}) == 1
    assert len(receiver.calls) == 4


@pytest.mark.parametrize("how", [HANG, RESET, STREAM, CUT])
async def test_a_room_that_makes_the_receiver_fail_holds_up_no_other(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, how: str
) -> None:
    """Not even in its own shard: events of other rooms arrive during its retries."""
    receiver.answer = lambda call: Reply(500, how=how) if call.json["data"]["member"].startswith("bad") else OK
    async with delivering():
        await written(executor, *(an_event(app, f"bad{number}") for number in range(20)))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await written(executor, *(an_event(app, f"good{number}") for number in range(50)))

        async def all_good() -> bool:
            return len([call for call in receiver.calls if call.json["data"]["member"].startswith("good")]) >= 50

        await wait_until(all_good, "the good ones to arrive", timeout_s=5)
        assert time.monotonic() - began < 3


async def test_what_a_deliverer_holds_is_bounded(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """A hanging receiver gets a bounded number of requests at once."""
    receiver.answer = lambda call: Reply(how=HANG)
    async with delivering():
        await written(executor, *(an_event(app, f"u{number}", f"r{number % 40}") for number in range(1000)))

        async def all_hang() -> bool:
            return len(receiver.calls) >= MAX_CONNECTIONS

        await wait_until(all_hang, "as many requests as there may be")
        await asyncio.sleep(1.5)
        assert len(receiver.calls) == receiver.connections == MAX_CONNECTIONS
        receiver.answer = lambda call: OK
        await nothing_waits(executor)


async def test_after_its_time_an_event_becomes_a_dead_letter(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, dead_letters: Any
) -> None:
    """A replayed one is sent again, any number of times."""
    receiver.answer = lambda call: Reply(500)
    event = an_event(app)
    async with delivering(retry_s=0.3):
        await written(executor, event)
        await nothing_waits(executor)
        (request,) = await dead_letters()
        assert (request.event, request.attempts, request.reason) == (event, len(receiver.calls), "status 500")
        assert request.attempts > 1
        receiver.answer = lambda call: OK
        assert await RedisEvents(executor).replay([event.id]) == 1
        await nothing_waits(executor)
    assert await dead_letters() == []
    assert {call.id for call in receiver.calls} == {event.id}


async def test_without_retries_the_first_failure_is_the_last(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, dead_letters: Any
) -> None:
    receiver.answer = lambda call: Reply(500)
    async with delivering(retry_s=0):
        await written(executor, an_event(app))
        await nothing_waits(executor)
    assert (len(receiver.calls), len(await dead_letters())) == (1, 1)


async def test_after_410_nothing_more_is_sent_until_a_replay(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, dead_letters: Any
) -> None:
    """As Standard Webhooks says.

    Events from meanwhile become dead letters and are not lost.
    """
    receiver.answer = lambda call: Reply(410)
    async with delivering():
        await written(executor, an_event(app, "ann"))
        await nothing_waits(executor)
        await written(executor, an_event(app, "bob"), an_event(app, "cid", "elsewhere"))
        await nothing_waits(executor)
        assert (len(receiver.calls), len(await dead_letters())) == (1, 3)
        receiver.answer = lambda call: OK
        async with delivering():  # one that starts later knows it as well
            await written(executor, an_event(app, "dan"))
            await nothing_waits(executor)
        assert len(receiver.calls) == 1
        assert await RedisEvents(executor).replay() == 4

        async def all_told() -> bool:
            return {call.json["data"]["member"] for call in receiver.calls[1:]} == {"ann", "bob", "cid", "dan"}

        await wait_until(all_told, "all four to be told")
    assert await dead_letters() == []


async def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """All events wait, not only the refused ones."""
    receiver.answer = lambda call: Reply(429, {"Retry-After": "1"}) if len(receiver.calls) == 1 else OK
    async with delivering():
        await written(executor, an_event(app, "ann"))
        await called(receiver, 1)
        began = time.monotonic()
        await asyncio.sleep(0.05)
        await written(executor, *(an_event(app, f"u{number}", f"r{number}") for number in range(20)))
        await called(receiver, 2)
        assert 0.8 < time.monotonic() - began < 3
        await called(receiver, 22)


async def test_every_shard_has_its_turn(delivering: Running, executor: Executor, receiver: Receiver, app: str) -> None:
    """Many deliverers looking at once share the requests."""
    receiver.answer = lambda call: Reply(500) if len(receiver.of("ann", call.json["data"]["room"])) < 3 else OK
    began = time.monotonic()
    async with delivering():
        await written(executor, *(an_event(app, "ann", f"r{number}") for number in range(64)))
        await nothing_waits(executor)
    assert time.monotonic() - began < 10
    assert len(receiver.calls) == 3 * 64


async def test_reads_of_every_kind_are_told(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """From the operations to the receiver, on one server and on a cluster.

    A read that moves no cursor sends nothing.
    """
    read_state = redis_store(executor, events=True)
    for room in ("r1", "r2", "r3"):
        await read_state.rooms.create_room(app=app, room=room, members=["ann", "bob"])
        for number in range(3):
            await read_state.messages.post(app=app, room=room, sender="bob", message=f"m{number}")
    async with delivering():
        await read_state.reading.mark_read(app=app, room="r1", user="ann", message="m1")
        await read_state.reading.mark_read_many(app=app, user="ann", items=[("r2", "m0"), ("r1", "m0")])
        await read_state.reading.mark_read_until(app=app, room="r3", user="ann")
        await called(receiver, 3)
        await nothing_waits(executor)
    told = sorted((call.json["data"] for call in receiver.calls), key=lambda data: data["room"])
    facts = [(one["room"], one["member"], one["message"], one["before"], one["seq"], one["unread"]) for one in told]
    assert facts == [("r1", "ann", "m1", 0, 2, 1), ("r2", "ann", "m0", 0, 1, 2), ("r3", "ann", "m2", 0, 3, 0)]


async def test_a_form_that_was_accepted_is_not_sent_again(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """When an event is sent in two forms and one of them fails."""

    class Second:
        name = "tencent"

        async def request(self, event: ReadEvent, now_s: int) -> WebhookRequest | None:
            return WebhookRequest(b"{}", {"webhook-id": "second"})

    async def twice(event: ReadEvent) -> Sequence[Form]:
        return [STANDARD, Second()]

    receiver.answer = lambda call: Reply(500) if call.id == "second" and len(receiver.calls) < 5 else OK
    event = an_event(app)
    async with delivering(choose=twice):
        await written(executor, event)
        await nothing_waits(executor)
    assert [call.id for call in receiver.calls] == [event.id, *["second"] * 4]


async def test_several_deliverers_share_the_shards(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """One that stops leaves its share to the others at once."""
    events = [an_event(app, f"u{number}", f"r{number}") for number in range(64)]
    async with AsyncExitStack() as stack:
        several = [await stack.enter_async_context(delivering()) for _ in range(3)]

        async def shared() -> bool:
            held = [set(one._held) for one in several]
            return max(map(len, held)) <= 6 and sum(map(len, held)) == len(set.union(*held)) == EVENT_SHARDS

        await wait_until(shared, "the shards to be shared")
        async with delivering():
            await asyncio.sleep(0.2)
        await written(executor, *events)
        await nothing_waits(executor)
    assert sorted(call.id for call in receiver.calls) == sorted(event.id for event in events)


async def test_what_is_another_deliverers_by_now_is_left_to_it(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """Also when the shard was lost during preparation: the other deliverer may have sent a newer
    event.
    """

    class Slow:
        name = "standard"

        async def request(self, event: ReadEvent, now_s: int) -> WebhookRequest | None:
            key, shard = Keys.events(shard_of(event)), deliverer._held[shard_of(event)]
            await executor.command("SET", f"{key}:h", "another", key=key)
            await wait_until(is_lost(shard), "the shard to be known as lost")
            made.append(event)
            return await STANDARD.request(event, now_s)

    def is_lost(shard: Any) -> Callable[[], Awaitable[bool]]:
        async def is_lost() -> bool:
            return not shard.is_held

        return is_lost

    async def slowly(event: ReadEvent) -> Sequence[Form]:
        return [Slow()]

    async def prepared() -> bool:
        return bool(made)

    made: list[ReadEvent] = []
    async with delivering(choose=slowly) as deliverer:
        await written(executor, an_event(app))
        await wait_until(prepared, "the request to be made")
        await asyncio.sleep(0.5)
    assert receiver.calls == []


async def test_a_stop_finishes_what_is_on_the_way(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    """Nothing is sent twice or left out, and the shards are free at once."""
    events = [an_event(app, f"u{number}") for number in range(200)]
    async with delivering():
        await written(executor, *events)
        await called(receiver, 10)
    other = RedisEvents(executor)
    assert all([(await other.claim_shard(shard, limit=0)).held for shard in range(other.shards)])
    for shard in range(other.shards):
        await other.release_shard(shard)
    async with delivering():
        await nothing_waits(executor)
    assert sorted(call.id for call in receiver.calls) == sorted(event.id for event in events)


async def test_a_store_that_is_away_for_a_moment_costs_nothing(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes that could not be written are written later.

    An event that could not be prepared is tried again.
    """
    away = {"record_outcomes": 3, "choose": 3}
    record_outcomes = RedisEvents.record_outcomes

    async def failing(self: RedisEvents, *args: Any) -> None:
        if away["record_outcomes"]:
            away["record_outcomes"] -= 1
            raise Unavailable("not now")
        await record_outcomes(self, *args)

    async def choose(event: ReadEvent) -> Sequence[Form]:
        if away["choose"]:
            away["choose"] -= 1
            raise Unavailable("not now")
        return [STANDARD]

    monkeypatch.setattr(RedisEvents, "record_outcomes", failing)
    async with delivering(choose=choose):
        await written(executor, an_event(app, "ann"), an_event(app, "bob"))
        await nothing_waits(executor)
    assert (away, len(receiver.calls)) == ({"record_outcomes": 0, "choose": 0}, 2)


async def test_an_event_that_we_stumble_over_is_put_aside(
    delivering: Running, executor: Executor, receiver: Receiver, app: str, dead_letters: Any
) -> None:
    """A fault in one event does not stop the others, and does not repeat forever."""

    async def choose(event: ReadEvent) -> Sequence[Form]:
        if event.member == "ann":
            raise ZeroDivisionError
        return [STANDARD]

    async with delivering(choose=choose):
        await written(executor, an_event(app, "ann"), an_event(app, "bob"))
        await nothing_waits(executor)
    assert [request.event.member for request in await dead_letters()] == ["ann"]
    assert [call.json["data"]["member"] for call in receiver.calls] == ["bob"]


async def test_a_shard_with_foreign_data_leaves_the_others_alone(
    delivering: Running, executor: Executor, receiver: Receiver, app: str
) -> None:
    events = [an_event(app, f"u{number}", f"r{number}") for number in range(40)]
    await executor.command("SET", "{w:3}:q", "foreign", key="{w:3}")
    await executor.command("XADD", "{w:3}", "*", "e", "rubbish", key="{w:3}")
    async with delivering():
        await written(executor, *events)
        await called(receiver, 30)
    await executor.command("DEL", "{w:3}:q", key="{w:3}")


def test_waits_grow_with_jitter_and_are_never_shorter_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a second to ten minutes."""
    monkeypatch.undo()
    assert all(0.5 <= wait_s(0) <= 1 for _ in range(100))
    assert all(16 <= wait_s(5) <= 32 for _ in range(100))
    assert all(300 <= wait_s(attempts) <= 600 for attempts in (10, 50, 10**6))
    assert len({wait_s(3) for _ in range(100)}) > 50
    assert wait_s(0, 77.0) == 77.0

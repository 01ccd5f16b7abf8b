"""Deliverers that are killed again and again.

Every event is delivered or superseded, in order, and twice only under the same id.
"""

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from readstate.domain.events import ReadEvent
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import EVENT_SHARDS, Keys
from readstate.webhooks.standard import Signer, Standard
from tests.support.events import an_event, written
from tests.support.processes import clean_environ
from tests.support.receiver import OK, Call, Receiver, Reply
from tests.support.servers import Server
from tests.support.waiting import wait_until

APP = "default"
KILL_EVERY_S = 2.0
DELIVERERS = 3
AT_ONCE = 100


class Deliverers:
    """`readstate deliver`, several times.

    `kill_one` ends one as a crash does, and another replaces it.
    """

    def __init__(self, server: Server, receiver: Receiver, data_dir: Path, count: int = DELIVERERS) -> None:
        self._environ = clean_environ(
            {
                "redis_url": server.url,
                "data_dir": data_dir,
                "webhook_url": receiver.url,
                "webhook_token": "token-of-the-operator",
                "webhook_allow_private": "true",
                "log_level": "error",
            }
        )
        self._running = [self._start() for _ in range(count)]
        self.killed = 0

    def kill_one(self) -> None:
        victim = self._running.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.killed += 1
        self._running.append(self._start())

    async def kill_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(KILL_EVERY_S)
            self.kill_one()

    def stop(self) -> list[int]:
        """Stop all in an orderly way; their exit codes."""
        for process in self._running:
            process.terminate()
        return [process.wait(20) for process in self._running]

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", "readstate", "deliver"], env=self._environ)


@pytest_asyncio.fixture
async def executor(own_server: Server) -> AsyncIterator[Executor]:
    executor = await connect(own_server.url)
    yield executor
    await executor.close()


def reads(count: int) -> Iterator[ReadEvent]:
    """`count` events of a fifth as many pairs, each of which reads on message by message."""
    last: dict[int, int] = defaultdict(int)
    dice = random.Random(7)
    for _ in range(count):
        pair = dice.randrange(max(1, count // 5))
        last[pair] += 1
        yield an_event(APP, f"u{pair}", f"r{pair % 500}", seq=last[pair])


async def write_steadily(executor: Executor, events: list[ReadEvent], lasting_s: float) -> None:
    began = time.monotonic()
    for begin in range(0, len(events), AT_ONCE):
        await written(executor, *events[begin : begin + AT_ONCE])
        await asyncio.sleep(max(0.0, began + lasting_s * begin / len(events) - time.monotonic()))


async def is_settled(executor: Executor) -> bool:
    """Whether nothing waits in any shard."""
    keys = [Keys.events(shard) for shard in range(EVENT_SHARDS)]
    return not any(
        [
            await executor.command("XLEN", key, key=key) + await executor.command("HLEN", f"{key}:q", key=key)
            for key in keys
        ]
    )


def check(events: list[ReadEvent], receiver: Receiver) -> None:
    """What the receiver got, held against what was written."""
    newest = {(event.room, event.member): event for event in events}
    ids = {event.id: event for event in events}
    got: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for call in receiver.calls:
        data, event = call.json["data"], ids[call.id]
        assert (data["room"], data["member"], data["seq"]) == (event.room, event.member, event.seq), (
            "an id that means two things"
        )
        if receiver.answer(call) is OK:
            got[data["room"], data["member"]].append((data["before"], data["seq"]))
    missing = [pair for pair, event in newest.items() if not got[pair] or got[pair][-1][1] != event.seq]
    assert missing == [], f"{len(missing)} pairs do not end at their newest event"
    for pair, intervals in got.items():
        assert all(one[1] <= other[1] for one, other in itertools.pairwise(intervals)), f"{pair} went back: {intervals}"
        covered = {seq for before, seq_to in intervals for seq in range(before + 1, seq_to + 1)}
        assert covered == set(range(1, newest[pair].seq + 1)), f"{pair} has events that nothing stood for: {intervals}"


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=[pytest.mark.full, pytest.mark.timeout(1200)])])
@pytest.mark.parametrize("fails", [0.0, 0.1])
async def test_no_event_is_lost_while_deliverers_are_killed(
    executor: Executor, own_server: Server, tmp_path: Path, count: int, fails: float
) -> None:
    """One of three is killed every two seconds.

    The receiver answers always, or fails one time in ten.
    """
    failing = Reply(500)
    events = list(reads(count))

    def answer(call: Call) -> Reply:
        return failing if zlib.crc32(call.headers["webhook-signature"].encode()) % 100 < 100 * fails else OK

    async with Receiver(answer) as receiver:
        deliverers = Deliverers(own_server, receiver, tmp_path)
        killing = asyncio.create_task(deliverers.kill_again_and_again())
        began = time.monotonic()
        await write_steadily(executor, events, lasting_s=max(8.0, count / 1600))
        killing.cancel()
        await wait_until(lambda: is_settled(executor), "everything to be delivered", timeout_s=60 + count / 500)
        took_s = time.monotonic() - began
        assert deliverers.stop() == [0] * DELIVERERS
    print(f"{count} events, {len(receiver.calls)} requests, {deliverers.killed} kills, {took_s:.1f} s")
    assert deliverers.killed >= 3
    check(events, receiver)


async def test_no_event_is_lost_when_the_store_dies(own_server: Server, tmp_path: Path) -> None:
    """Killed while deliverers are at work; they find it again by themselves."""
    events = list(reads(2000))
    async with Receiver() as receiver:
        deliverers = Deliverers(own_server, receiver, tmp_path)
        for half in (events[:1000], events[1000:]):
            executor = await connect(own_server.url)
            await write_steadily(executor, half, lasting_s=2.0)
            await executor.close()
            await asyncio.to_thread(own_server.kill)
            await asyncio.to_thread(own_server.start)
        executor = await connect(own_server.url)
        await wait_until(lambda: is_settled(executor), "everything to be delivered", timeout_s=60)
        await executor.close()
        assert deliverers.stop() == [0] * DELIVERERS
    check(events, receiver)


@pytest.mark.full
async def test_one_deliverer_brings_two_thousand_events_a_second(
    executor: Executor, own_server: Server, tmp_path: Path
) -> None:
    """To a receiver on the same machine, once it has started."""
    events = [an_event(APP, f"u{number}", f"r{number % 500}") for number in range(20_000)]
    for begin in range(0, len(events), 500):
        await written(executor, *events[begin : begin + 500])
    async with Receiver() as receiver:
        deliverers = Deliverers(own_server, receiver, tmp_path, count=1)

        async def has_begun() -> bool:
            return bool(receiver.calls)

        await wait_until(has_begun, "the first event", timeout_s=30)
        began = time.monotonic()
        await wait_until(lambda: is_settled(executor), "all to be delivered", timeout_s=60)
        per_s = len(events) / (time.monotonic() - began)
        assert deliverers.stop() == [0]
    print(f"{per_s:.0f} events/s")
    assert len(receiver.calls) == len({call.id for call in receiver.calls}) == len(events)
    assert per_s >= 2000


async def test_the_check_would_notice(executor: Executor) -> None:
    """A missing end, a step back, a gap and an id for two events each fail."""
    events = [an_event(APP, "ann", seq=seq) for seq in (1, 2, 3)]
    whole = [(0, 1, 0), (1, 2, 1), (2, 3, 2)]
    for calls, right in [
        (whole, True),
        ([(0, 3, 2)], True),
        ([*whole, whole[-1]], True),
        (whole[:2], False),
        ([whole[1], whole[0], whole[2]], False),
        ([whole[0], whole[2]], False),
        ([(0, 1, 1), *whole], False),
    ]:
        async with Receiver() as receiver:
            for before, seq, number in calls:
                request = await Standard(Signer("token-of-the-operator").headers).request(
                    an_event(APP, "ann", seq=seq, before=before, revision=events[number].revision), 1
                )
                assert request is not None
                receiver.calls.append(Call("/hook", request.headers, request.body))
            if right:
                check(events, receiver)
            else:
                with pytest.raises(AssertionError):
                    check(events, receiver)

"""The small queue and event behave as asyncio's."""

import asyncio
import contextlib
import random
import sys
from typing import Any

import pytest

from readstate.process.waiting import Gate, SingleReaderQueue


@pytest.mark.parametrize("seed", range(50))
async def test_the_queue_hands_on_what_asyncios_would(seed: int) -> None:
    """In the same order, also when the reader is cancelled now and then."""
    chance = random.Random(seed)
    got: list[list[int]] = []
    for queue in (SingleReaderQueue[int](), asyncio.Queue[int]()):
        chance.seed(seed)
        taken: list[int] = []
        reader = asyncio.create_task(read(queue, taken))
        for number in range(40):
            if chance.random() < 0.7:
                queue.put_nowait(number)
            if chance.random() < 0.2:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reader
                reader = asyncio.create_task(read(queue, taken))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        reader.cancel()
        assert queue.empty()
        got.append(taken)
    assert got[0] == got[1]
    assert got[0]


async def read(queue: Any, taken: list[int]) -> None:
    while True:
        taken.append(await queue.get())


async def test_a_reader_that_was_cancelled_takes_nothing_from_the_next_one() -> None:
    queue = SingleReaderQueue[int]()
    first = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    second = asyncio.create_task(queue.get())
    first.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    queue.put_nowait(1)
    async with asyncio.timeout(1):
        assert await second == 1


async def test_the_gate_lets_all_pass_that_wait_and_holds_those_that_come_later() -> None:
    gate = Gate()
    await gate.wait()
    gate.clear()
    gate.clear()
    first, second = (asyncio.create_task(gate.wait()) for _ in range(2))
    await asyncio.sleep(0.001)
    assert (gate.is_set(), first.done(), second.done()) == (False, False, False)
    gate.set()
    gate.clear()
    third = asyncio.create_task(gate.wait())
    await asyncio.sleep(0.001)
    assert (first.done(), second.done(), third.done()) == (True, True, False)
    gate.set()
    await third
    assert gate.is_set()


def test_they_are_small() -> None:
    """That is what they are for."""
    small: list[object] = [Gate(), SingleReaderQueue[int]()]
    assert all(not hasattr(one, "__dict__") and sys.getsizeof(one) < 64 for one in small)

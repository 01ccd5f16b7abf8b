"""Rooms take turns, no place is lost, and a call that hangs holds up no others."""

import asyncio
import random
from functools import partial

import pytest

from readstate.dialects.imkit.sockets import turns as turns_module
from readstate.dialects.imkit.sockets.turns import BEGUN_AT_ONCE, CALLS_AT_ONCE, FairTurns, PacedTasks


async def test_a_busy_room_does_not_hold_up_another() -> None:
    """A call in a quiet room is among the next ones, whatever came before it."""
    turns, began = FairTurns(), list[str]()

    async def call(room: str) -> None:
        turn = await turns.begin(room)
        began.append(room)
        await asyncio.sleep(0)
        turns.end(turn)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(1_000):
            tasks.create_task(call("busy"))
        tasks.create_task(call("quiet"))
    assert len(began) == 1_001
    assert began.index("quiet") <= CALLS_AT_ONCE + 1


async def test_those_of_one_room_keep_their_order() -> None:
    turns, began = FairTurns(), list[int]()

    async def call(number: int) -> None:
        turn = await turns.begin("room")
        began.append(number)
        await asyncio.sleep(0)
        turns.end(turn)

    async with asyncio.TaskGroup() as tasks:
        for number in range(200):
            tasks.create_task(call(number))
    assert began == list(range(200))


async def test_calls_that_hang_hold_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away: each call ends at its own deadline, not at that of those before it."""
    monkeypatch.setattr(turns_module, "LONGEST_S", 0.001)
    turns = FairTurns()
    async with asyncio.timeout(10):
        hanging = await asyncio.gather(*(turns.begin("room") for _ in range(20 * CALLS_AT_ONCE)))
        # Their late ends give no places to the rounds after theirs.
        for turn in hanging:
            turns.end(turn)
        again = [asyncio.create_task(turns.begin("room")) for _ in range(CALLS_AT_ONCE + 1)]
        await asyncio.sleep(0)
        assert sum(task.done() for task in again) == CALLS_AT_ONCE
        await asyncio.gather(*again)


@pytest.mark.parametrize("seed", range(50))
async def test_who_gives_up_leaves_no_place_taken(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order of calls, cancellations and ends, at most so many run at once."""
    monkeypatch.setattr(turns_module, "LONGEST_S", 60.0)
    chance, turns, running = random.Random(seed), FairTurns(), 0

    async def call() -> None:
        nonlocal running
        turn = await turns.begin(chance.randrange(5))
        running += 1
        assert running <= CALLS_AT_ONCE
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            running -= 1
            turns.end(turn)

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(call()))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not [task for task in tasks if not task.cancelled() and task.exception()]
    async with asyncio.timeout(5):
        for _ in range(CALLS_AT_ONCE):
            await turns.begin("room")


@pytest.mark.parametrize("count", [1, BEGUN_AT_ONCE, BEGUN_AT_ONCE + 1, 10 * BEGUN_AT_ONCE])
async def test_so_many_tasks_begin_in_one_turn(count: int) -> None:
    """In order, and the first ones at once, each time."""
    tasks = PacedTasks()
    for _ in range(3):
        order = await begun(tasks, count)
        assert [number for number, _ in order] == list(range(count))
        turns = [turn for _, turn in order]
        assert max(turns.count(turn) for turn in set(turns)) <= BEGUN_AT_ONCE
        assert turns[-1] <= 2 + count // BEGUN_AT_ONCE
        await asyncio.sleep(0)
    await tasks.stop()
    assert not tasks


async def begun(tasks: PacedTasks, count: int) -> list[tuple[int, int]]:
    """The numbers of tasks in the order in which they begin, each with its turn."""
    order: list[tuple[int, int]] = []
    now = 0

    async def work(number: int) -> None:
        order.append((number, now))
        await asyncio.Event().wait()

    for number in range(count):
        tasks.start_in_turn(partial(work, number))
    while len(order) < count:
        await asyncio.sleep(0)
        now += 1
    return order


async def test_what_has_not_begun_when_tasks_are_stopped_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "BEGUN_AT_ONCE", 1)
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(60)

    tasks = PacedTasks()
    for number in range(3):
        tasks.start_in_turn(partial(work, number))
    await tasks.stop()
    await asyncio.sleep(0.01)
    assert (begun, len(tasks)) == ([], 0)

"""Timeouts for many keys with one timer."""

import asyncio

from readstate.dialects.imkit.sockets.timers import Timeouts


async def test_a_started_key_is_due_once_in_order_unless_it_was_cancelled() -> None:
    due: list[str] = []
    timeouts = Timeouts(0.1, due.append)
    for key in ("a", "b", "c", "a"):
        timeouts.start(key)
    timeouts.cancel("b")
    await asyncio.sleep(0.02)
    timeouts.start("d")
    assert due == []
    await asyncio.sleep(0.3)
    assert (due, len(timeouts)) == (["a", "c", "d"], 0)
    timeouts.start("a")
    await asyncio.sleep(0.3)
    assert due == ["a", "c", "d", "a"]


async def test_many_keys_need_one_timer() -> None:
    timeouts = Timeouts(60.0, print)
    loop = asyncio.get_running_loop()
    before = len(loop._scheduled)  # type: ignore[attr-defined]
    for key in range(1_000):
        timeouts.start(key)
    assert len(loop._scheduled) <= before + 1  # type: ignore[attr-defined]
    timeouts.stop()
    assert len(timeouts) == 0


async def test_the_call_for_one_key_may_cancel_another() -> None:
    due: list[str] = []

    def act(key: str) -> None:
        due.append(key)
        timeouts.cancel("b")
        timeouts.start("a") if len(due) == 1 else None

    timeouts = Timeouts(0.05, act)
    timeouts.start("a")
    timeouts.start("b")
    await asyncio.sleep(0.4)
    assert due == ["a", "a"]

"""Work that several callers wait for together."""

import asyncio
import gc
from typing import Any

import pytest

from readstate.errors import Unavailable
from readstate.tasks import Shared, leave


class Work:
    """Ends when it is told to, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def do(self, key: str) -> str:
        self.begun += 1
        return key + await self.end


async def test_who_wants_the_same_waits_for_the_same() -> None:
    """What has ended is begun anew."""
    shared, work = Shared[str, str](), Work()
    waiting = [asyncio.create_task(shared.result(key, work.do)) for key in "aab"]
    await asyncio.sleep(0)
    work.end.set_result("!")
    assert await asyncio.gather(*waiting) == ["a!", "a!", "b!"]
    assert work.begun == 2
    assert await shared.result("a", work.do) == "a!"
    assert work.begun == 3


async def test_a_caller_who_goes_away_ends_it_for_no_other() -> None:
    shared, work = Shared[str, str](), Work()
    leaving, staying = (asyncio.create_task(shared.result("a", work.do)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    work.end.set_result("!")
    assert await staying == "a!"


async def test_callers_of_what_is_stopped_are_told() -> None:
    """They were not called off themselves."""
    shared, work = Shared[str, str](), Work()
    waiting = asyncio.create_task(shared.result("a", work.do))
    await asyncio.sleep(0)
    await shared.stop()
    with pytest.raises(Unavailable):
        await waiting


async def test_a_failure_reaches_those_who_wait_and_is_logged_for_no_other() -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    shared, work = Shared[str, str](), Work()
    leaving, staying = (asyncio.create_task(shared.result("a", work.do)) for _ in range(2))
    alone = asyncio.create_task(shared.result("b", work.do))
    await asyncio.sleep(0)
    leaving.cancel()
    alone.cancel()
    await asyncio.sleep(0)
    work.end.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await staying
    del leaving, staying, alone, work
    gc.collect()
    await asyncio.sleep(0)
    assert heard == []


async def test_what_futures_end_in_concerns_no_one_who_has_left_them() -> None:
    """Those that have ended already, and those that have not."""
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    futures: list[asyncio.Future[str]] = [loop.create_future() for _ in range(3)]
    futures[0].set_exception(ValueError("no"))
    futures[1].set_result("yes")
    leave(futures)
    assert futures[2].cancelled()
    futures.clear()
    gc.collect()
    assert heard == []

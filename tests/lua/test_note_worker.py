"""note_worker.lua: which workers run, by the store's clock."""

import asyncio

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from tests.lua.conftest import Run


async def test_workers_see_each_other_until_one_is_silent(run: Run, executor: Executor) -> None:
    await executor.command("DEL", Keys.workers, key=Keys.workers)
    assert await run("note_worker", Keys.workers, life_ms=60_000, note=b"one") == [b"one"]
    assert await run("note_worker", Keys.workers, life_ms=60_000, note=b"two") == [b"one", b"two"]
    await asyncio.sleep(0.2)
    assert await run("note_worker", Keys.workers, life_ms=100, note=b"two") == [b"two"]
    assert 0 < await executor.command("PTTL", Keys.workers, key=Keys.workers) <= 100

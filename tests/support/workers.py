"""Workers in the loop of the test, of this release and of another one."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.scripts import lua_dir
from readstate.store.workers import Workers


def other_release(directory: Path) -> Path:
    """The scripts of another release with the same layout, in `directory`."""
    shutil.copytree(lua_dir(), directory / "lua")
    with (directory / "lua" / "mark_read.lua").open("a") as script:
        script.write("-- of another release\n")
    return directory / "lua"


@asynccontextmanager
async def worker(url: str, lua: Path | None) -> AsyncIterator[tuple[Executor, RedisStore]]:
    """What a worker does at its start and at its end."""
    async with AsyncExitStack() as stack:
        executor = await connect(url, lua=lua)
        stack.push_async_callback(executor.close)
        workers = Workers(executor, {})
        await workers.begin()
        stack.push_async_callback(workers.withdraw)
        store = redis_store(executor)
        store.outbox.start()
        stack.push_async_callback(store.outbox.close)
        yield executor, store

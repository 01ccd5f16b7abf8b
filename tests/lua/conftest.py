"""What the tests of single scripts share: the caller of the plan that runs, and scripts by name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from readstate.store import lua
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.script_calls import Call
from tests.support.calls import plain_call

Run = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture
async def executor(plan_url: str, lua_dir: Path | None) -> AsyncIterator[Executor]:
    """The way to the server that the plan wants."""
    executor = await connect(plan_url, lua=lua_dir)
    yield executor
    await executor.close()


@pytest_asyncio.fixture
async def store(executor: Executor, fanout_limit: int) -> AsyncIterator[RedisStore]:
    """A store on that executor; all updates are acknowledged before the executor closes."""
    store = redis_store(executor, fanout_limit=fanout_limit, attention_posts=2, message_history=100)
    yield store
    await store.outbox.idle()


@pytest.fixture
def run(executor: Executor) -> Run:
    """`await run("apply", key, room="r", ...)`: one script, as it answers."""

    async def run(script: str, key: str, **arguments: Any) -> Any:
        call: Call[Any] = getattr(lua, script)(**arguments)
        return await executor.call(plain_call(script, *call.args), key)

    return run

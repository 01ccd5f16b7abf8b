"""ack.lua: members whose updates were pushed are pending no more, unless a newer one is."""

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from tests.lua.conftest import Run


async def test_only_what_was_pushed_is_acknowledged(run: Run, executor: Executor, app: str) -> None:
    """An operation that came later has an update of its own pending."""
    key = Keys.room(app, "r")
    await executor.command("HSET", f"{key}:o", "ann", 100, "bob", 101, "cid", 99, key=key)
    assert await run("ack", key, revision=100, members=["ann", "bob", "zoe"]) == 2
    assert sorted(await executor.command("HKEYS", f"{key}:o", key=key)) == [b"bob", b"cid"]


async def test_nothing_is_left_of_a_list_that_is_empty(run: Run, executor: Executor, app: str) -> None:
    """The key itself goes."""
    key = Keys.room(app, "r")
    await executor.command("HSET", f"{key}:o", "ann", 100, key=key)
    assert await run("ack", key, revision=100, members=["ann"]) == 0
    assert await executor.command("EXISTS", f"{key}:o", key=key) == 0

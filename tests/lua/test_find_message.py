"""The room of a message, for dialects that name messages alone."""

from typing import Any

import pytest

from readstate.errors import MessageUnknown, Unavailable
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.script_calls import Part
from tests.support.rooms import a_room, posted


class Half:
    """A caller who reaches every node but the one where the rooms of messages are noted."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        if key.startswith("{m:"):
            raise Unavailable("that node is down")
        return await self._executor.command(*parts, key=key, repeatable=repeatable)


async def test_a_message_is_found_by_members_only(store: RedisStore, app: str) -> None:
    """Others get the answer of a message that does not exist."""
    await a_room(store, app)
    message = (await posted(store, app)).message
    assert await store.messages.find_message(app=app, user="ann", message=message) == "r"
    for user in ("zoe", ""):
        with pytest.raises(MessageUnknown):
            await store.messages.find_message(app=app, user=user, message=message)


async def test_an_unknown_message_costs_what_one_of_strangers_costs(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Else the time of the answer would tell which ids there are."""
    await a_room(store, app)
    await a_room(store, app, "zoes", members=["zoe"])
    message = (await posted(store, app)).message
    await store.outbox.idle()  # what is struck out later is not of the calls that are counted
    spent = []
    for wanted in (message, "never posted"):
        before = executor.round_trips
        with pytest.raises(MessageUnknown):
            await store.messages.find_message(app=app, user="zoe", message=wanted)
        spent.append(executor.round_trips - before)
    assert spent[0] == spent[1]


async def test_of_several_rooms_the_users_own_is_answered(store: RedisStore, app: str) -> None:
    """Whichever was posted into last."""
    await a_room(store, app, "r1", members=["ann"])
    await a_room(store, app, "r2", members=["bob"])
    for room in ("r1", "r2", "r1"):
        await posted(store, app, room, "m")
    assert await store.messages.find_message(app=app, user="ann", message="m") == "r1"
    assert await store.messages.find_message(app=app, user="bob", message="m") == "r2"


@pytest.mark.parametrize("fanout_limit", [1, 256])
async def test_the_users_own_rooms_are_searched_without_limit_of_time(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Where a message is, is noted for a day."""
    await a_room(store, app)
    message = (await posted(store, app)).message
    key = Keys.message(app, message)
    assert 0 < await executor.command("TTL", key, key=key) <= 24 * 3600
    await executor.command("DEL", key, key=key)
    assert await store.messages.find_message(app=app, user="ann", message=message) == "r"


@pytest.mark.parametrize("user", ["ann", "zoe"])
async def test_an_unknown_message_is_refused(store: RedisStore, app: str, user: str) -> None:
    """As is one of another app."""
    await a_room(store, app)
    await posted(store, app, message="m")
    for where, message in ((app, "other"), (f"{app}-2", "m")):
        with pytest.raises(MessageUnknown):
            await store.messages.find_message(app=where, user=user, message=message)


@pytest.mark.parametrize("user", ["ann", "zoe"])
async def test_a_message_goes_with_its_room(store: RedisStore, app: str, user: str) -> None:
    """Also when the room is there again."""
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.rooms.delete_room(app=app, room="r")
    with pytest.raises(MessageUnknown):
        await store.messages.find_message(app=app, user=user, message="m")
    await a_room(store, app)
    with pytest.raises(MessageUnknown):
        await store.messages.find_message(app=app, user=user, message="m")


async def test_a_post_is_a_post_although_its_room_cannot_be_noted(executor: Executor, app: str) -> None:
    """It has happened. A poster who heard otherwise would post it again.

    Members find it all the same.
    """
    store = redis_store(Half(executor))
    await a_room(store, app)
    sent = await posted(store, app)
    assert sent.created
    await store.outbox.idle()
    assert await redis_store(executor).messages.find_message(app=app, user="ann", message=sent.message) == "r"

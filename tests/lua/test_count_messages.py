"""count_messages.lua: how many messages of a room are of a later time."""

import random

import pytest

from readstate.errors import RoomUnknown
from readstate.store import messages
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room

T = 1_700_000_000_000


async def sent(store: RedisStore, app: str, message: str, at_ms: int) -> None:
    """A message of that time."""
    await store.messages.post(
        app=app,
        room="r",
        sender="",
        message=message,
        countable=True,
        body="{}",
        sender_must_be_member=False,
        sent_ms=at_ms,
    )


@pytest.mark.parametrize("at_once", [1, 7, 500])
async def test_the_count_is_that_of_a_list_whatever_was_deleted_and_in_whatever_order_they_were_sent(
    store: RedisStore, app: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MESSAGES_COUNTED_AT_ONCE", at_once)
    chance = random.Random(at_once)
    await a_room(store, app, members=["ann", "bob", "cy"])
    there: dict[str, tuple[int, int]] = {}  # message -> seq, time
    for step in range(80):
        if chance.random() < 0.7 or not there:
            at_ms = T + chance.randrange(50)
            await sent(store, app, f"m{step}", at_ms)
            room = await store.rooms.room(app=app, room="r", user="")
            there[f"m{step}"] = (room.seq, at_ms)
        else:
            victim = chance.choice(list(there))
            del there[victim]
            await store.messages.delete_message(app=app, room="r", message=victim)
    for since_ms in (0, T - 1, T, T + 25, T + 60):
        for after in (0, 20):
            expected = sum(seq > after and at_ms > since_ms for seq, at_ms in there.values())
            assert await store.messages.count_messages(app=app, room="r", since_ms=since_ms, after=after) == expected, (
                since_ms,
                after,
            )


async def test_forgotten_messages_count_only_without_a_time(store: RedisStore, app: str) -> None:
    """The store of these tests remembers 100, and forgets in lots."""
    await a_room(store, app)
    for number in range(300):
        await sent(store, app, f"m{number}", T + number)
    assert await store.messages.count_messages(app=app, room="r", since_ms=0, after=0) == 300
    assert 100 <= await store.messages.count_messages(app=app, room="r", since_ms=1, after=0) < 200
    assert await store.messages.count_messages(app=app, room="r", since_ms=T + 290, after=0) == 9


async def test_an_empty_room_and_one_that_is_not_there(store: RedisStore, app: str) -> None:
    await a_room(store, app)
    for since_ms in (0, 1):
        assert await store.messages.count_messages(app=app, room="r", since_ms=since_ms, after=0) == 0
    with pytest.raises(RoomUnknown):
        await store.messages.count_messages(app=app, room="none", since_ms=0, after=0)
    await store.rooms.delete_room(app=app, room="r")
    with pytest.raises(RoomUnknown):
        await store.messages.count_messages(app=app, room="r", since_ms=0, after=0)

"""subscriptions.lua: which of a user's rooms changed for them since they last asked."""

import asyncio
from typing import Any

import pytest

from readstate.domain.rooms import Status
from readstate.store.redis_store import RedisStore
from tests.support.nouns import operation_of
from tests.support.rooms import a_room, posted


async def asked(
    store: RedisStore, app: str, since_ms: int = 0, user: str = "ann"
) -> tuple[dict[str, int], dict[str, int]]:
    """Room -> when, of the changed ones and of those that are gone."""
    found = await store.rooms.subscriptions(app=app, user=user, since_ms=since_ms)
    return dict(found.changed), dict(found.removed)


async def latest(store: RedisStore, app: str, room: str) -> int:
    """When the room last changed for ann; what is done after this returns is later by a millisecond
    at least.
    """
    changed, removed = await asked(store, app)
    await asyncio.sleep(0.003)
    return (changed | removed)[room]


async def test_without_a_time_all_rooms_are_answered(store: RedisStore, app: str) -> None:
    """Frozen ones included."""
    for room in ("r1", "r2", "r3"):
        await a_room(store, app, room)
    await store.rooms.set_status(app=app, room="r2", status=Status.FROZEN)
    changed, removed = await asked(store, app)
    assert (sorted(changed), removed) == (["r1", "r2", "r3"], {})
    assert await asked(store, app, user="zoe") == ({}, {})


async def test_only_what_changed_afterwards_is_answered(store: RedisStore, app: str) -> None:
    """A change of the very millisecond that is named is not after it."""
    for room in ("r1", "r2"):
        await a_room(store, app, room)
    since = await latest(store, app, "r2")
    assert await asked(store, app, since) == ({}, {})
    sent = await posted(store, app, "r1", sender="bob")
    changed, _ = await asked(store, app, since)
    assert changed == {"r1": sent.at_ms}
    assert await asked(store, app, sent.at_ms) == ({}, {})
    assert (await asked(store, app, sent.at_ms - 1))[0] == {"r1": sent.at_ms}


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a message": (
        "post",
        {
            "sender": "bob",
            "message": "n",
            "countable": True,
            "body": "{}",
            "sender_must_be_member": False,
            "sent_ms": 0,
        },
    ),
    "one of their own": (
        "post",
        {
            "sender": "ann",
            "message": "n",
            "countable": True,
            "body": "{}",
            "sender_must_be_member": False,
            "sent_ms": 0,
        },
    ),
    "a read": ("mark_read", {"user": "ann", "message": "m"}),
    "a read up to a time": ("mark_read_until", {"user": "ann", "until_ms": 0}),
    "a count set by hand": ("set_unread", {"user": "ann", "count": 0}),
    "a deletion": ("delete_message", {"message": "m"}),
    "emptying": ("delete_messages", {}),
    "tags": ("set_tags", {"tags": ["x"]}),
    "freezing": ("set_status", {"status": Status.FROZEN}),
    "a mark": ("mark_unread", {"user": "ann", "message": ""}),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_whatever_changes_for_the_user_is_a_change(store: RedisStore, app: str, what: str) -> None:
    """A client that asks since its last answer misses nothing."""
    await a_room(store, app)
    await posted(store, app, message="m", sender="bob")
    since = await latest(store, app, "r")
    method, arguments = CHANGES[what]
    await operation_of(store, method)(app=app, room="r", **arguments)
    assert list((await asked(store, app, since))[0]) == ["r"]


async def test_joining_is_a_change(store: RedisStore, app: str) -> None:
    """For the one who joins."""
    await a_room(store, app, "r1")
    since = await latest(store, app, "r1")
    await a_room(store, app, "r2", members=["bob"])
    await store.rooms.add_members(app=app, room="r2", members=["ann"])
    assert list((await asked(store, app, since))[0]) == ["r2"]


@pytest.mark.parametrize("how", ["leaving", "deleting"])
async def test_rooms_that_were_left_or_deleted_are_removed(store: RedisStore, app: str, how: str) -> None:
    """Only for those who ask since before it."""
    for room in ("r1", "r2"):
        await a_room(store, app, room)
    since = await latest(store, app, "r2")
    if how == "leaving":
        await store.rooms.remove_members(app=app, room="r1", members=["ann"])
    else:
        await store.rooms.delete_room(app=app, room="r1")
    changed, removed = await asked(store, app, since)
    assert (changed, list(removed)) == ({}, ["r1"])
    assert await asked(store, app, removed["r1"]) == ({}, {})


async def test_coming_back_is_a_change_and_no_removal(store: RedisStore, app: str) -> None:
    """The present counts."""
    await a_room(store, app)
    since = await latest(store, app, "r")
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    changed, removed = await asked(store, app, since)
    assert (list(changed), removed) == (["r"], {})


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_room_above_the_fan_out_limit_is_always_among_the_changed(store: RedisStore, app: str) -> None:
    """Its members are not told of each message."""
    await a_room(store, app)
    await posted(store, app)
    assert list((await asked(store, app, await latest(store, app, "r")))[0]) == ["r"]


@pytest.mark.parametrize("fanout_limit", [1])
async def test_a_large_room_that_was_deleted_is_not_among_the_changed(store: RedisStore, app: str) -> None:
    """Its members were not updated; one who asks hears of it."""
    await a_room(store, app)
    await store.rooms.delete_room(app=app, room="r")
    changed, _ = await asked(store, app)
    assert changed == {}

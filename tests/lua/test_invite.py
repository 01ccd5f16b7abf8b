"""invite.lua: who is awaited in a room may join it by themselves, and is no member until then."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from readstate.domain.client_rules import Made
from readstate.domain.rooms import Status
from readstate.errors import LimitReached, RoomUnknown
from readstate.store.redis_store import RedisStore
from readstate.store.rooms import MAX_INVITATIONS
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted


async def is_invited(store: RedisStore, app: str, user: str) -> bool:
    return (await store.rooms.room(app=app, room="r", user=user)).invited


async def full(store: RedisStore, app: str, users: list[str]) -> None:
    """Nobody more is invited: neither of `users`."""
    with pytest.raises(LimitReached):
        await store.rooms.invite(app=app, room="r", users=users)
    assert not any([await is_invited(store, app, user) for user in users])


async def test_the_invited_are_no_members(store: RedisStore, app: str) -> None:
    """Nothing is unread for them. Members are passed over, and so is who is invited already."""
    await a_room(store, app, members=["ann"])
    assert await store.rooms.invite(app=app, room="r", users=["bob", "ann", "cid", "bob"]) == ["bob", "cid"]
    assert await store.rooms.invite(app=app, room="r", users=["cid", "dan"]) == ["dan"]
    await posted(store, app)
    assert await store.badges.badge(app=app, user="bob", tags=[]) == 0
    assert [user for user in ("ann", "bob", "cid", "dan", "eve") if await is_invited(store, app, user)] == [
        "bob",
        "cid",
        "dan",
    ]
    assert (await store.rooms.room(app=app, room="r", user="ann")).member_count == 1


async def test_an_invitation_ends_when_it_is_followed(store: RedisStore, app: str) -> None:
    """Who leaves again is invited no more."""
    await a_room(store, app, members=["ann"])
    await store.rooms.invite(app=app, room="r", users=["bob", "cid"])
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    assert not await is_invited(store, app, "bob")
    assert await is_invited(store, app, "cid")


async def test_an_invitation_is_taken_back(store: RedisStore, app: str) -> None:
    """By removing a user who is no member yet. Nothing else changes, and no notice is sent."""
    await a_room(store, app, members=["ann"])
    before = await contents(store, app)
    await store.rooms.invite(app=app, room="r", users=["bob"])
    assert await store.rooms.remove_members(app=app, room="r", members=["bob"]) == []
    assert await contents(store, app) == before


async def test_invitations_go_with_the_room(store: RedisStore, app: str) -> None:
    """Nothing of them is left."""
    await a_room(store, app, members=["ann"])
    await store.rooms.invite(app=app, room="r", users=["bob"])
    await store.rooms.delete_room(app=app, room="r")
    assert f"{{r:{app}:r}}:n".encode() not in await contents(store, app)
    await a_room(store, app, members=["ann"])
    assert not await is_invited(store, app, "bob")


async def test_a_room_keeps_a_limited_number_of_invitations(store: RedisStore, app: str) -> None:
    """One beyond is refused whole; one that is open already, or that has ended, takes no place."""
    await a_room(store, app, members=["ann"])
    await store.rooms.invite(app=app, room="r", users=[f"u{number}" for number in range(MAX_INVITATIONS - 1)])
    await full(store, app, ["bob", "cid"])
    assert await store.rooms.invite(app=app, room="r", users=["bob", "u1", "ann"]) == ["bob"]
    await full(store, app, ["cid"])
    assert await store.rooms.invite(app=app, room="r", users=["bob"]) == []
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    assert await store.rooms.invite(app=app, room="r", users=["cid"]) == ["cid"]


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.rooms.invite(app=app, room="r", users=["ann"]))


Change = Callable[..., Awaitable[Any]]


@pytest.mark.parametrize("by_client", [True, False])
async def test_a_change_finds_no_room_that_is_in_other_hands_than_was_seen(
    store: RedisStore, app: str, by_client: bool
) -> None:
    """Who had a right in a client's room has none when a backend took it over meanwhile."""
    await store.rooms.create_room(
        app=app, room="r", tags=["a"], profile={}, members=["ann", "bob"], by_client=by_client
    )
    other, same = (Made.NOT_BY_CLIENT, Made.BY_CLIENT) if by_client else (Made.BY_CLIENT, Made.NOT_BY_CLIENT)
    posting = {"sender": "ann", "message": "m", "countable": True, "body": "{}", "sender_must_be_member": True}
    changes: list[tuple[Change, dict[str, Any]]] = [
        (store.rooms.add_members, {"members": ["eve"]}),
        (store.rooms.invite, {"users": ["mal"]}),
        (store.rooms.remove_members, {"members": ["bob"]}),
        (store.rooms.set_tags, {"tags": ["b"]}),
        (store.rooms.set_status, {"status": Status.FROZEN}),
        (store.rooms.set_profile, {"profile": {"opening": b"1"}}),
        (store.messages.post, posting),
    ]
    for change, arguments in changes:
        await refused(store, app, RoomUnknown, change(app=app, room="r", made=other, **arguments))
        await change(app=app, room="r", made=same, **arguments)
    before = await contents(store, app)
    assert not await store.rooms.delete_room(app=app, room="r", made=other)
    assert await contents(store, app) == before
    assert await store.rooms.delete_room(app=app, room="r", made=same)

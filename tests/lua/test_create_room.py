"""create_room.lua: a room comes into being once; later calls only add members.

What a client made, a backend takes over.
"""

import pytest

from service.domain.types import Made, Status
from service.store.connect import Caller
from service.store.redis_store import RedisStore
from tests.support.contents import contents
from tests.support.rooms import a_room, posted, unread_of


async def test_a_new_room_has_its_tags_profile_and_members(store: RedisStore, app: str) -> None:
    """The reply says that it is new."""
    assert await store.create_room(app=app, room="r", tags=["a", "b"], profile={"name": b'"x"'}, members=["ann"])
    room = await store.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a", "b"), {"name": b'"x"'}, 1, 0)
    assert await store.rooms(app=app, user="ann") == ["r"]


async def test_creating_a_room_again_adds_members_and_changes_nothing_else(store: RedisStore, app: str) -> None:
    """Tags, profile, messages and cursors stay."""
    await a_room(store, app, members=["ann"], tags=["a"])
    await posted(store, app)
    assert not await store.create_room(app=app, room="r", tags=["z"], profile={"name": b"1"}, members=["ann", "bob"])
    room = await store.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a",), {}, 2, 1)
    assert (await unread_of(store, app, "ann"), await unread_of(store, app, "bob")) == (1, 0)


async def test_a_room_created_again_after_deletion_starts_empty_but_counts_on(store: RedisStore, app: str) -> None:
    """Its position goes on from where it was, so nobody's cursor goes back; its old messages are unknown."""
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="old")
    await store.delete_room(app=app, room="r")
    assert await store.create_room(app=app, room="r", tags=["b"], profile={}, members=["ann"])
    assert (await store.room(app=app, room="r", user="ann")).last is None
    assert (await posted(store, app, message="old")).seq == 2
    assert await store.badge(app=app, user="ann", tags=["b"]) == 1
    assert await store.badge(app=app, user="bob", tags=[]) == 0


async def made_by_a_client(store: RedisStore, app: str, *members: str) -> None:
    await store.create_room(app=app, room="r", tags=["mine"], profile={"owner": b'"eve"', "x": b"1"}, members=members, by_client=True)


async def taken_over(store: RedisStore, app: str, *members: str) -> bool:
    """Made by a backend; whether it is new."""
    return await store.create_room(app=app, room="r", tags=["a", "b"], profile={"owner": b'"ann"'}, members=members)


async def test_a_client_changes_nothing_of_a_room_that_exists(store: RedisStore, app: str) -> None:
    """Not even who is in it."""
    await a_room(store, app, members=["ann"])
    before = await contents(store, app)
    assert not await store.create_room(app=app, room="r", tags=["z"], profile={"x": b"1"}, members=["eve"], by_client=True)
    assert await contents(store, app) == before


async def test_a_backend_gets_the_room_that_a_client_made(store: RedisStore, app: str) -> None:
    """Tags, profile, status and members are as it says; messages stay, and cursors of those who stay."""
    await made_by_a_client(store, app, "eve", "bob", "cid")
    await posted(store, app, message="m1")
    await store.mark_read(app=app, room="r", user="bob", message="m1")
    await posted(store, app, message="m2")
    await store.set_status(app=app, room="r", status=Status.FROZEN)
    assert not await taken_over(store, app, "ann", "bob")
    room = await store.room(app=app, room="r", user="bob")
    assert (room.tags, room.profile, room.status, room.member_count) == (("a", "b"), {"owner": b'"ann"'}, Status.ACTIVE, 2)
    assert room.me is not None
    assert (room.me.last_read, room.me.unread, room.seq, room.by_client) == ("m1", 1, 2, False)
    assert {member.member for member in await store.members(app=app, room="r", limit=9)} == {"ann", "bob"}
    for user, badge in {"ann": 0, "bob": 1, "eve": 0, "cid": 0}.items():
        for tags in ([], ["a"], ["a", "b"]):
            assert await store.badge(app=app, user=user, tags=tags) == badge
        assert await store.badge(app=app, user=user, tags=["mine"]) == 0
    assert await store.rooms(app=app, user="eve") == []
    await store.outbox.idle()
    assert await store.audit_room(app=app, room="r", repair=False) == []
    for user in ("ann", "bob", "eve", "cid"):
        assert await store.audit_user(app=app, user=user, repair=False) == []


async def test_what_a_backend_made_is_not_taken_over_again(store: RedisStore, app: str) -> None:
    """Neither when it made the room itself, nor after it took it over."""
    await made_by_a_client(store, app, "eve")
    await taken_over(store, app, "ann", "bob")
    assert not await store.create_room(app=app, room="r", tags=["z"], profile={}, members=["cid"])
    room = await store.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count) == (("a", "b"), {"owner": b'"ann"'}, 3)


@pytest.mark.parametrize("fanout_limit", [4, 256, 1000])
@pytest.mark.parametrize("squatters", [249, 250, 251, 700])
async def test_a_large_room_is_taken_over_in_steps(store: RedisStore, caller: Caller, app: str, squatters: int) -> None:
    """At most 250 leave at once. The mark goes last: a repeat goes on where a crash ended it."""
    await made_by_a_client(store, app, "ann", *(f"eve{number}" for number in range(squatters)))
    await posted(store, app)
    key = f"{{r:{app}:r}}"
    args = [app, "a", store._limit, store._journal, 0, 0, "ann", "bob"]
    reply = await store.outbox.change("create_room", app, "r", args)
    room = await store.room(app=app, room="r", user="ann")
    assert (room.by_client, reply) == ((True, 2) if squatters >= 250 else (False, 0))
    assert room.member_count == 2 + max(0, squatters - 250)
    assert not await store.create_room(app=app, room="r", tags=["a"], profile={}, members=["ann", "bob"])
    await store.outbox.idle()
    room = await store.room(app=app, room="r", user="ann")
    assert (room.by_client, room.member_count, await caller.command("HLEN", key, key=key)) == (False, 2, 3)
    assert await store.badge(app=app, user="ann", tags=["a"]) == 1
    assert await store.badge(app=app, user=f"eve{squatters - 1}", tags=[]) == 0
    assert await store.audit_room(app=app, room="r", repair=False) == []


async def test_invitations_of_a_client_end_when_a_backend_takes_the_room(store: RedisStore, app: str) -> None:
    """Else its friends would come in later."""
    await made_by_a_client(store, app, "eve")
    await store.invite(app=app, room="r", users=["mal"])
    await taken_over(store, app, "ann")
    assert not (await store.room(app=app, room="r", user="mal")).invited


async def test_a_deleted_room_does_not_remember_who_had_made_it(store: RedisStore, app: str) -> None:
    """The next maker counts."""
    await made_by_a_client(store, app, "eve")
    await store.delete_room(app=app, room="r")
    assert await taken_over(store, app, "ann")
    assert (await store.room(app=app, room="r", user="ann")).made is Made.NOT_BY_CLIENT
    await store.delete_room(app=app, room="r")
    await made_by_a_client(store, app, "eve")
    assert (await store.room(app=app, room="r", user="eve")).made is Made.BY_CLIENT

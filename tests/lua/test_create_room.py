"""create_room.lua: a room comes into being once; later calls only add members.

What a client made, a backend takes over.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from readstate.domain.client_rules import Made
from readstate.domain.notices import Joined, Left, RoomChanged, decode_notice
from readstate.domain.rooms import Status
from readstate.store import lua
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.rooms import MEMBERS_AT_ONCE
from tests.support.calls import plain_call
from tests.support.contents import contents
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Server


async def test_a_new_room_has_its_tags_profile_and_members(store: RedisStore, app: str) -> None:
    """The reply says that it is new."""
    assert await store.rooms.create_room(app=app, room="r", tags=["a", "b"], profile={"name": b'"x"'}, members=["ann"])
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a", "b"), {"name": b'"x"'}, 1, 0)
    assert await store.rooms.rooms_of(app=app, user="ann") == ["r"]


async def test_creating_a_room_again_adds_members_and_changes_nothing_else(store: RedisStore, app: str) -> None:
    """Tags, profile, messages and cursors stay."""
    await a_room(store, app, members=["ann"], tags=["a"])
    await posted(store, app)
    assert not await store.rooms.create_room(
        app=app, room="r", tags=["z"], profile={"name": b"1"}, members=["ann", "bob"]
    )
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count, room.seq) == (("a",), {}, 2, 1)
    assert (await unread_of(store, app, "ann"), await unread_of(store, app, "bob")) == (1, 0)


async def test_a_room_created_again_after_deletion_starts_empty_but_counts_on(store: RedisStore, app: str) -> None:
    """Its position goes on from where it was, so no cursor goes back; its old messages are
    unknown.
    """
    await a_room(store, app, tags=["a"])
    await posted(store, app, message="old")
    await store.rooms.delete_room(app=app, room="r")
    assert await store.rooms.create_room(app=app, room="r", tags=["b"], profile={}, members=["ann"])
    assert (await store.rooms.room(app=app, room="r", user="ann")).last is None
    assert (await posted(store, app, message="old")).seq == 2
    assert await store.badges.badge(app=app, user="ann", tags=["b"]) == 1
    assert await store.badges.badge(app=app, user="bob", tags=[]) == 0


async def made_by_a_client(store: RedisStore, app: str, *members: str) -> None:
    await store.rooms.create_room(
        app=app, room="r", tags=["mine"], profile={"owner": b'"eve"', "x": b"1"}, members=members, by_client=True
    )


async def taken_over(store: RedisStore, app: str, *members: str) -> bool:
    """Made by a backend; whether it is new."""
    return await store.rooms.create_room(
        app=app, room="r", tags=["a", "b"], profile={"owner": b'"ann"'}, members=members
    )


async def test_a_client_changes_nothing_of_a_room_that_exists(store: RedisStore, app: str) -> None:
    """Not even who is in it."""
    await a_room(store, app, members=["ann"])
    before = await contents(store, app)
    assert not await store.rooms.create_room(
        app=app, room="r", tags=["z"], profile={"x": b"1"}, members=["eve"], by_client=True
    )
    assert await contents(store, app) == before


async def test_a_backend_gets_the_room_that_a_client_made(store: RedisStore, app: str) -> None:
    """Tags, profile, status and members are as it says; messages stay, and cursors of those who
    stay.
    """
    await made_by_a_client(store, app, "eve", "bob", "cid")
    await posted(store, app, message="m1")
    await store.reading.mark_read(app=app, room="r", user="bob", message="m1")
    await posted(store, app, message="m2")
    await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    assert not await taken_over(store, app, "ann", "bob")
    room = await store.rooms.room(app=app, room="r", user="bob")
    assert (room.tags, room.profile, room.status, room.member_count) == (
        ("a", "b"),
        {"owner": b'"ann"'},
        Status.ACTIVE,
        2,
    )
    assert room.me is not None
    assert (room.me.last_read, room.me.unread, room.seq, room.by_client) == ("m1", 1, 2, False)
    assert {member.member for member in await store.rooms.members(app=app, room="r", limit=9)} == {"ann", "bob"}
    for user, badge in {"ann": 0, "bob": 1, "eve": 0, "cid": 0}.items():
        for tags in ([], ["a"], ["a", "b"]):
            assert await store.badges.badge(app=app, user=user, tags=tags) == badge
        assert await store.badges.badge(app=app, user=user, tags=["mine"]) == 0
    assert await store.rooms.rooms_of(app=app, user="eve") == []
    await store.outbox.idle()
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []
    for user in ("ann", "bob", "eve", "cid"):
        assert await store.audit.audit_user(app=app, user=user, repair=False) == []


async def test_what_a_backend_made_is_not_taken_over_again(store: RedisStore, app: str) -> None:
    """Neither when it made the room itself, nor after it took it over."""
    await made_by_a_client(store, app, "eve")
    await taken_over(store, app, "ann", "bob")
    assert not await store.rooms.create_room(app=app, room="r", tags=["z"], profile={}, members=["cid"])
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert (room.tags, room.profile, room.member_count) == (("a", "b"), {"owner": b'"ann"'}, 3)


async def is_taken_over_by(store: RedisStore, app: str, members: Sequence[str], gone: Sequence[str]) -> None:
    """One message was posted before: those who have been in the room since then have it unread."""
    await store.outbox.idle()
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert (room.by_client, room.tags, room.profile) == (False, ("a", "b"), {"owner": b'"ann"'})
    assert {member.member for member in await store.rooms.members(app=app, room="r", limit=1000)} == set(members)
    assert room.member_count == len(members)
    assert await store.badges.badge(app=app, user="ann", tags=["a", "b"]) == 1
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []
    for user in (members[0], members[-1], *gone):
        assert await store.audit.audit_user(app=app, user=user, repair=False) == []
    for user in (gone[0], gone[-1]):
        assert (
            await store.rooms.rooms_of(app=app, user=user),
            await store.badges.badge(app=app, user=user, tags=[]),
        ) == ([], 0)


async def first_script(store: RedisStore, executor: Executor, app: str, members: Sequence[str]) -> object:
    """The script of `taken_over` alone, after which the service dies: on the split plan its
    updates reach no member.
    """
    call = lua.create_room(
        app=app,
        tags=("a", "b"),
        settings=store.rooms._settings,
        by_client=False,
        profile=[("owner", b'"ann"')],
        joining=members[:MEMBERS_AT_ONCE],
        others=members[MEMBERS_AT_ONCE:],
    )
    reply = await executor.call(plain_call(call.script, *call.args), Keys.room(app, "r"))
    return reply if executor.plan == "atomic" else reply[0]


@pytest.mark.parametrize("fanout_limit", [4, 256, 1000])
@pytest.mark.parametrize("others", [99, 100, 101, 300])
async def test_a_large_room_is_taken_over_in_steps(
    store: RedisStore, executor: Executor, app: str, others: int
) -> None:
    """At most 100 leave at once. The mark goes last: a repeat goes on where a crash ended it."""
    leaving = [f"eve{number}" for number in range(others)]
    await made_by_a_client(store, app, "ann", *leaving)
    await posted(store, app)
    reply = await first_script(store, executor, app, ["ann", "bob"])
    room = await store.rooms.room(app=app, room="r", user="ann")
    assert (room.by_client, reply) == ((True, 2) if others >= 100 else (False, 0))
    assert room.member_count == 2 + max(0, others - 100)
    assert not await taken_over(store, app, "ann", "bob")
    await is_taken_over_by(store, app, ["ann", "bob"], leaving)


@pytest.mark.parametrize("fanout_limit", [4, 256, 1000])
@pytest.mark.parametrize("scripts_done", [0, 1, 2])
async def test_a_take_over_with_many_members_goes_on_after_a_crash(
    store: RedisStore, executor: Executor, app: str, scripts_done: int
) -> None:
    """150 are named, of whom 41 have been in the room before, with 150 others."""
    leaving = [f"eve{number}" for number in range(150)]
    named = ["ann", *(f"member{number:03}" for number in range(149))]
    await made_by_a_client(store, app, "ann", *leaving, *named[109:])
    await posted(store, app)
    for done in range(scripts_done):
        assert await first_script(store, executor, app, named) == (2 if done == 0 else 0)
    assert not await taken_over(store, app, *named)
    await is_taken_over_by(store, app, named, leaving)
    assert await unread_of(store, app, "member148") == 1
    assert await unread_of(store, app, "member000") == 0


@pytest.mark.parametrize("fanout_limit", [4, 120, 256, 1000])
async def test_members_beyond_the_first_lot_come_in_after_a_crash(
    store: RedisStore, executor: Executor, app: str, fanout_limit: int
) -> None:
    """Of a new room, and of one that was taken over: the next call adds them, and tells them and
    the others.
    """
    named = ["ann", *(f"member{number:03}" for number in range(249))]
    await made_by_a_client(store, app, "ann", "eve")
    await posted(store, app)
    assert await first_script(store, executor, app, named) == 0
    call = lua.add_members(
        app=app,
        settings=store.rooms._settings,
        made=Made.ANYHOW,
        members=named[100:200],
    )
    await executor.call(plain_call(call.script, *call.args), Keys.room(app, "r"))
    assert not await taken_over(store, app, *named)
    await is_taken_over_by(store, app, named, ["eve"])
    await store.rooms.delete_room(app=app, room="r")
    assert await first_script(store, executor, app, named) == 1
    await posted(store, app)
    assert not await taken_over(store, app, *named)
    await is_taken_over_by(store, app, named, ["eve"])


async def test_a_take_over_is_announced(server: Server, app: str, lua_dir: Path | None) -> None:
    """To those who leave, so that they get nothing that follows; to those who come, and that the
    room has changed.
    """
    executor = await connect(server.url, lua=lua_dir)
    store = redis_store(executor)
    await made_by_a_client(store, app, "eve", "bob")
    with server.client() as client, client.pubsub() as ear:
        ear.ssubscribe(Keys.room(app, "r"))
        assert ear.get_message(timeout=10)["type"] == "ssubscribe"
        await taken_over(store, app, "ann", "bob")
        heard = [decode_notice(ear.get_message(timeout=10)["data"]) for _ in range(3)]
    await executor.close()
    assert heard == [Left("r", ["eve"]), Joined("r", ["ann"]), RoomChanged("r")]


async def test_invitations_of_a_client_end_when_a_backend_takes_the_room(store: RedisStore, app: str) -> None:
    """Else its friends would come in later."""
    await made_by_a_client(store, app, "eve")
    await store.rooms.invite(app=app, room="r", users=["mal"])
    await taken_over(store, app, "ann")
    assert not (await store.rooms.room(app=app, room="r", user="mal")).invited


async def test_a_deleted_room_does_not_remember_who_had_made_it(store: RedisStore, app: str) -> None:
    """The next maker counts."""
    await made_by_a_client(store, app, "eve")
    await store.rooms.delete_room(app=app, room="r")
    assert await taken_over(store, app, "ann")
    assert (await store.rooms.room(app=app, room="r", user="ann")).made is Made.NOT_BY_CLIENT
    await store.rooms.delete_room(app=app, room="r")
    await made_by_a_client(store, app, "eve")
    assert (await store.rooms.room(app=app, room="r", user="eve")).made is Made.BY_CLIENT


async def test_a_room_of_a_client_counts_like_any_other(store: RedisStore, app: str) -> None:
    """The mark changes no count."""
    await made_by_a_client(store, app, "ann", "bob")
    await posted(store, app, message="m1")
    await posted(store, app, sender="bob")
    for tags in ([], ["mine"]):
        assert await store.badges.badge(app=app, user="ann", tags=tags) == 2
        assert await store.badges.badge(app=app, user="bob", tags=tags) == 0
    await store.outbox.idle()
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []
    copies = await store.rooms._executor.command("HKEYS", f"{{u:{app}:ann}}", key=f"{{u:{app}:ann}}")
    assert b"tmine" in copies, "a small room is counted on the user's side"

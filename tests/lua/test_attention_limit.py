"""Attention in large rooms: who has a place among those who are told; derived rooms."""

from typing import Any

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import update
from tests.support.rooms import a_room, posted, unread_of
from tests.support.sides import attentive, is_sound, with_news

SIX = ("ann", "bob", "cid", "dan", "eve", "fay")


def limited(executor: Executor, limit: int = 4, attention: int = 2) -> RedisStore:
    return redis_store(executor, fanout_limit=limit, attention_posts=attention)


async def is_derived(executor: Executor, app: str, user: str) -> bool:
    key = Keys.user(app, user)
    return bool(await executor.command("SISMEMBER", key + ":d", "r", key=key))


async def full_room(store: RedisStore, app: str) -> None:
    """Room r, of which as many members are told as may be; fay came last. One message is in it."""
    await a_room(store, app, members=SIX[:4], tags=["a"])
    await posted(store, app)
    await store.rooms.add_members(app=app, room="r", members=["eve"])
    await store.rooms.add_members(app=app, room="r", members=["fay"])


async def test_a_room_whose_limit_is_full_gives_others_a_derived_copy(executor: Executor, app: str) -> None:
    """They ask the room, and it counts for the others as ever; when one leaves there is place."""
    store = limited(executor, attention=9)
    await full_room(store, app)
    assert await attentive(executor, app) == {name.encode() for name in SIX[:5]}
    assert [await is_derived(executor, app, user) for user in SIX] == [False] * 5 + [True]
    assert await store.rooms.rooms_of(app=app, user="fay") == ["r"]
    await is_sound(store, app, *SIX)
    await store.reading.set_unread(app=app, room="r", user="fay", count=1)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in SIX] == [1, 1, 1, 1, 0, 1]
    assert [await is_derived(executor, app, user) for user in SIX] == [False] * 5 + [True]
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    assert await attentive(executor, app) == {name.encode() for name in SIX[1:5]}
    assert await store.badges.badge(app=app, user="fay", tags=["a"]) == 1
    assert not await is_derived(executor, app, "fay")
    assert await attentive(executor, app) == {name.encode() for name in SIX[1:]}
    await is_sound(store, app, *SIX)


@pytest.mark.parametrize("asks", ["badge", "one tag", "all tags"])
async def test_a_higher_limit_lets_a_member_in_without_a_post(executor: Executor, app: str, asks: str) -> None:
    """The room's revision is that of the derived copy."""
    store, higher = limited(executor, attention=9), limited(executor, limit=256)
    await full_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="fay", count=1)
    assert await is_derived(executor, app, "fay")
    for _ in range(2):
        if asks == "all tags":
            found = await higher.badges.badges_by_tags(app=app, user="fay", tags=[])
            assert (found.total, found.counts) == (1, {"a": 1})
        else:
            tags = ["a"] if asks == "one tag" else []
            assert await higher.badges.badge(app=app, user="fay", tags=tags) == 1
        assert not await is_derived(executor, app, "fay")
    await is_sound(store, app, *SIX)


@pytest.mark.parametrize("limit", [4, 5])
async def test_a_derived_room_comes_back_when_few_pay_attention(executor: Executor, app: str, limit: int) -> None:
    """Its members ask once more, and are told again."""
    store = limited(executor, limit=limit)
    await a_room(store, app, members=SIX, tags=["a"])
    await posted(store, app)
    assert [await is_derived(executor, app, user) for user in SIX] == [True] * 6
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in SIX] == [1] * 6
    await posted(store, app)
    assert await attentive(executor, app) == set()
    for user in SIX[:3]:
        assert await store.badges.badge(app=app, user=user, tags=["a"]) == 2
    assert [await is_derived(executor, app, user) for user in SIX] == [False] * 3 + [True] * 3
    await posted(store, app)
    copies = await store.audit._copies(app, "ann", ("r",))
    assert (copies["r"].state, copies["r"].unread) == (State.ACTIVE, 3)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in SIX] == [3] * 6
    await is_sound(store, app, *SIX)


async def test_a_room_that_is_derived_and_has_news_is_counted_once(executor: Executor, run: Run, app: str) -> None:
    """The post that ended the user's attention came while the room was not derived."""
    store = limited(executor, attention=9)
    await a_room(store, app, members=SIX, tags=["a"])
    await posted(store, app)
    await store.outbox.idle()
    key = Keys.user(app, "ann")
    for ask in range(2):
        await run("apply", key, **update("r", 2**52 + ask, 1, "a", 0, 0, State.NEWS_ONLY))
        assert (await is_derived(executor, app, "ann"), await with_news(executor, app)) == (True, [b"r"])
        if ask == 0:
            assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 1
        else:
            assert (await store.badges.badges_by_tags(app=app, user="ann", tags=[])).counts == {"a": 1}
        if executor.plan == "atomic":
            assert await with_news(executor, app) == []


async def test_a_takeover_that_makes_the_room_derived_tells_those_who_stay(executor: Executor, app: str) -> None:
    """Also when it changes no tags: the next post tells no member."""
    store = limited(executor, attention=9)
    room: dict[str, Any] = {"app": app, "room": "r", "tags": ["a"], "profile": {}}
    await store.rooms.create_room(**room, members=SIX[:4], by_client=True)
    await posted(store, app)
    await store.rooms.create_room(**room, members=SIX)
    assert [await is_derived(executor, app, user) for user in SIX] == [True] * 6
    await posted(store, app)
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in SIX] == [2] * 4 + [1] * 2
    await is_sound(store, app, *SIX)


async def test_who_reads_in_a_derived_room_is_noted_and_goes_out_again(executor: Executor, app: str) -> None:
    """So the number of those who pay attention decides when the room comes back."""
    store = limited(executor)
    names = [f"m{number:03}" for number in range(300)]
    await store.rooms.create_room(app=app, room="r", tags=[], profile={}, members=names)
    message = (await posted(store, app)).message
    for name in names:
        assert (await store.reading.mark_read(app=app, room="r", user=name, message=message)).badge == 0
        assert await is_derived(executor, app, name)
    await posted(store, app)
    assert await attentive(executor, app) == {name.encode() for name in names}
    await posted(store, app)
    assert await attentive(executor, app) == set()
    for name in (names[0], names[150], names[299]):
        assert await store.badges.badge(app=app, user=name, tags=[]) == 2
        assert not await is_derived(executor, app, name)
    await is_sound(store, app, names[0], names[299])


@pytest.mark.parametrize("members", [20, 200])
async def test_badges_stay_exact_when_the_limit_is_set_otherwise(executor: Executor, app: str, members: int) -> None:
    """Up and down, whether or not the room is large for its members."""
    names = [f"m{number:03}" for number in range(members)]
    stores = [limited(executor, limit) for limit in (256, 10, 256, 3, 12, 256)]
    await a_room(stores[0], app, members=names, tags=["a"])
    total = 0
    for store in stores:
        for _ in range(3):
            await posted(store, app)
            total += 1
            for name in names[:6]:
                assert await store.badges.badge(app=app, user=name, tags=["a"]) == total
        assert await store.badges.badge(app=app, user=names[-1], tags=[]) == total
        await is_sound(store, app, names[0], names[-1])


async def test_a_room_that_becomes_large_notes_those_who_pay_attention(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Above 128 members; and forgets them when it is small again. Who leaves goes out."""
    await a_room(store, app, members=["ann", "bob"])
    for _ in range(2):
        await posted(store, app)
    assert await store.badges.badge(app=app, user="bob", tags=[]) == 2
    names = [f"m{number:03}" for number in range(127)]
    await store.rooms.add_members(app=app, room="r", members=names[:126])
    assert await attentive(executor, app) == set()
    await store.rooms.add_members(app=app, room="r", members=names[126:])
    assert await attentive(executor, app) == {b"bob", *(name.encode() for name in names)}
    await store.rooms.remove_members(app=app, room="r", members=["bob", *names[:2]])
    assert await attentive(executor, app) == {name.encode() for name in names[2:]}
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 2
    assert await attentive(executor, app) == {b"ann", *(name.encode() for name in names[2:])}
    await is_sound(store, app, "ann", "bob", names[-1])
    await store.rooms.remove_members(app=app, room="r", members=names[:90])
    assert await attentive(executor, app) == set()
    await posted(store, app)
    assert [await store.badges.badge(app=app, user=user, tags=[]) for user in ("ann", names[-1])] == [3, 1]
    await is_sound(store, app, "ann", names[-1])


async def test_a_large_room_takes_out_those_whose_attention_has_ended(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """With the post that ends it; reading on writes there only when attention begins anew."""
    names = [f"m{number:03}" for number in range(150)]
    await a_room(store, app, members=names)
    await posted(store, app, message="m1")
    assert len(await attentive(executor, app)) == 150
    await store.reading.mark_read(app=app, room="r", user=names[0], message="m1")
    await posted(store, app, message="m2", sender=names[1])
    assert await attentive(executor, app) == {names[0].encode(), names[1].encode()}
    await posted(store, app, message="m3")
    assert await attentive(executor, app) == {names[1].encode()}
    expected = {names[0]: 2, names[1]: 1, names[2]: 3}
    assert {name: await unread_of(store, app, name) for name in expected} == expected
    assert {name: await store.badges.badge(app=app, user=name, tags=[]) for name in expected} == expected
    await is_sound(store, app, *expected)

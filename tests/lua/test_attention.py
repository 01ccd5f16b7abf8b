"""lib/attention.lua: members who pay attention are told; the others find the room on their list of
rooms with news, and every way to ask answers exactly.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import permutations
from typing import Any

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import State
from tests.lua.conftest import Run
from tests.support.calls import update
from tests.support.rooms import a_room, posted
from tests.support.sides import asleep, is_sound, side_of, with_news


@pytest.mark.parametrize("attention", [1, 2, 4])
async def test_the_post_that_ends_attention_puts_the_room_on_the_list_and_no_other_writes(
    executor: Executor, app: str, attention: int
) -> None:
    """Those before it are told; later ones change nothing at the member's side."""
    store = redis_store(executor, attention_posts=attention)
    await a_room(store, app, tags=["a"])
    for number in range(attention - 1):
        await posted(store, app)
        copy = await store.audit._copies(app, "ann", ("r",))
        assert (copy["r"].unread, copy["r"].news) == (number + 1, False)
    before = copy["r"] if attention > 1 else (await store.audit._copies(app, "ann", ("r",)))["r"]
    await posted(store, app)
    after = (await store.audit._copies(app, "ann", ("r",)))["r"]
    assert (after.unread, after.news) == (attention - 1, True)
    assert (after.revision, after.tags) == (before.revision, before.tags)
    assert await with_news(executor, app) == [b"r"]
    side = await side_of(store, app)
    for _ in range(5):
        await posted(store, app)
    assert await side_of(store, app) == side
    for tags in ([], ["a"]):
        assert await store.badges.badge(app=app, user="ann", tags=tags) == attention + 5
    assert await with_news(executor, app) == []
    await is_sound(store, app)


@pytest.mark.parametrize("attention", [1, 2, 4])
async def test_asking_after_any_number_of_posts_is_exact(executor: Executor, app: str, attention: int) -> None:
    """And begins a new time of attention."""
    store = redis_store(executor, attention_posts=attention)
    await a_room(store, app, tags=["a"])
    total = 0
    for posts in (1, 0, 2, 3, 1, 5, 4, 1):
        for _ in range(posts):
            await posted(store, app)
        total += posts
        assert await store.badges.badge(app=app, user="ann", tags=["a"]) == total
        assert await with_news(executor, app) == []
    await is_sound(store, app)


@pytest.mark.parametrize(("late", "told"), [(0, 8), (1, 2)])
async def test_who_comes_back_at_once_is_told_for_longer(executor: Executor, app: str, late: int, told: int) -> None:
    """Before another post than the one that ended their attention. No read makes that shorter, but
    a setting does.
    """
    store, less = (redis_store(executor, attention_posts=posts) for posts in (2, 1))
    await a_room(store, app)
    for _ in range(2 + late):
        await posted(store, app)
    await store.badges.badge(app=app, user="ann", tags=[])
    newest = await posted(store, app)
    assert await with_news(executor, app) == []
    await store.reading.mark_read(app=app, room="r", user="ann", message=newest.message)
    ahead = max(told - 1, 2)
    for _ in range(ahead - 1):
        await posted(store, app)
        assert await with_news(executor, app) == []
    newest = await posted(store, app)
    assert await with_news(executor, app) == [b"r"]
    await store.badges.badge(app=app, user="ann", tags=[])
    await less.reading.mark_read(app=app, room="r", user="ann", message=newest.message)
    for number in range(4):
        assert await with_news(executor, app) == [], number
        await posted(store, app)
    assert await with_news(executor, app) == [b"r"]
    await is_sound(store, app)


async def badge_of(store: RedisStore, app: str, *tags: str) -> int:
    return await store.badges.badge(app=app, user="ann", tags=tags)


async def counts_of(store: RedisStore, app: str, *tags: str) -> tuple[int, dict[str, int]]:
    found = await store.badges.badges_by_tags(app=app, user="ann", tags=tags)
    return found.total, dict(found.counts)


async def read_in(store: RedisStore, app: str, room: str) -> int | None:
    """Ann reads the last message of a room: the badge in the answer."""
    return (await store.reading.mark_read(app=app, room=room, user="ann", message=f"{room}-4")).badge


async def read_until_in(store: RedisStore, app: str, room: str) -> int | None:
    found = await store.reading.mark_read_until(app=app, room=room, user="ann")
    return found.badge if found else None


async def read_many(store: RedisStore, app: str) -> int:
    items = [("r1", "r1-4"), ("r2", "r2-4")]
    return (await store.reading.mark_read_many(app=app, user="ann", items=items))[1]


async def badge_each(store: RedisStore, app: str) -> list[int]:
    return await store.badges.badge_each(app=app, users=["ann", "bob", "zoe"])


async def badges_after(store: RedisStore, app: str) -> dict[str, int]:
    return await store.badges.badges_after(app=app, room="r1", users=["ann", "bob"])


# In r1 (tag a), r2 (a, b) and r3 (b) there are five messages each, and ann was told of one each.
WAYS: dict[str, tuple[Callable[[RedisStore, str], Awaitable[Any]], Any]] = {
    "the total": (lambda store, app: badge_of(store, app), 15),
    "one tag": (lambda store, app: badge_of(store, app, "a"), 10),
    "every one of two tags": (lambda store, app: badge_of(store, app, "a", "b"), 5),
    "any of some tags": (lambda store, app: counts_of(store, app, "b", "x"), (10, {"b": 10, "x": 0})),
    "all tags": (lambda store, app: counts_of(store, app), (15, {"a": 10, "b": 10})),
    "a read": (lambda store, app: read_in(store, app, "r1"), 10),
    "a read up to a time": (lambda store, app: read_until_in(store, app, "r1"), 10),
    "many reads": (read_many, 5),
    "several users": (badge_each, [15, 0, 0]),
    "users after a notice": (badges_after, {"ann": 15, "bob": 0}),
}


@pytest.mark.parametrize("attention", [1, 2, 4])
@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_ask_is_exact(executor: Executor, app: str, way: str, attention: int) -> None:
    """And leaves no room on the list."""
    store = redis_store(executor, attention_posts=attention)
    for room, tags in (("r1", ["a"]), ("r2", ["a", "b"]), ("r3", ["b"])):
        await asleep(store, app, room, tags=tags)
    await store.outbox.idle()
    assert await with_news(executor, app) == [b"r1", b"r2", b"r3"]
    ask, expected = WAYS[way]
    assert await ask(store, app) == expected
    assert await with_news(executor, app) == []
    await store.outbox.idle()
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


async def test_subscriptions_name_a_room_whose_news_the_user_was_not_told(store: RedisStore, app: str) -> None:
    """At the time of the change, as if they had been told."""
    await asleep(store, app, "r1", "r2")
    await asyncio.sleep(0.003)
    newest = await posted(store, app, "r1")
    found = await store.rooms.subscriptions(app=app, user="ann", since_ms=newest.at_ms - 1)
    assert dict(found.changed) == {"r1": newest.at_ms}


async def test_a_number_of_posts_that_was_set_otherwise_counts_from_the_next_time(executor: Executor, app: str) -> None:
    """Workers may have different settings while the service is started again."""
    one, four = redis_store(executor, attention_posts=1), redis_store(executor, attention_posts=4)
    await a_room(four, app)
    total = 0
    for asking, posting, posts in (
        (four, one, 3),
        (one, four, 1),
        (one, one, 2),
        (four, four, 4),
        (one, four, 6),
        (four, one, 2),
    ):
        for _ in range(posts):
            await posted(posting, app)
        total += posts
        assert await asking.badges.badge(app=app, user="ann", tags=[]) == total
    await is_sound(one, app)
    await posted(one, app)
    assert (await four.audit._copies(app, "ann", ("r",)))["r"].unread == total + 1, "four posts are told"


async def test_a_read_with_its_badge_is_one_call_on_one_server(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when other rooms have news."""
    await asleep(store, app, "r1", "r2", "r3")
    await a_room(store, app, "r4")
    await posted(store, app, "r4", message="m")
    await store.outbox.idle()
    calls: list[str] = []
    call = executor.call

    async def noting(one: Any, key: str, **more: Any) -> Any:
        calls.append(one.script)
        return await call(one, key, **more)

    monkeypatch.setattr(executor, "call", noting)
    assert (await store.reading.mark_read(app=app, room="r4", user="ann", message="m")).badge == 15
    if executor.plan == "atomic":
        assert calls == ["mark_read"]


@pytest.mark.parametrize("by_reading", [False, True])
async def test_more_rooms_with_news_than_one_script_visits(
    store: RedisStore, executor: Executor, app: str, monkeypatch: pytest.MonkeyPatch, *, by_reading: bool
) -> None:
    """The answer is exact, and the next one takes a single call."""
    for number in range(600):
        room = f"r{number}"
        await a_room(store, app, room, members=["ann"], tags=["even" if number % 2 == 0 else "odd"])
        for _ in range(2):
            await posted(store, app, room)
    await a_room(store, app, "other", members=["ann"])
    await posted(store, app, "other", message="m")
    calls: list[str] = []
    call = executor.call

    async def noting(one: Any, key: str, **more: Any) -> Any:
        calls.append(one.script)
        return await call(one, key, **more)

    monkeypatch.setattr(executor, "call", noting)
    if by_reading:
        assert (await store.reading.mark_read(app=app, room="other", user="ann", message="m")).badge == 1200
    else:
        assert await store.badges.badge(app=app, user="ann", tags=["odd"]) == 600
    assert len(calls) > 1
    assert await with_news(executor, app) == []
    await store.outbox.idle()
    calls.clear()
    assert await store.badges.badge(app=app, user="ann", tags=[]) == (1200 if by_reading else 1201)
    assert calls == ["badge"]


async def test_rooms_with_news_that_have_many_tags_are_visited_by_fewer_at_once(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """Each of them moves many counters. All the same the answer is exact."""
    tags = [f"t{number:02}" for number in range(90)]
    for number in range(60):
        await a_room(store, app, f"r{number}", members=["ann"], tags=tags)
        for _ in range(3):
            await posted(store, app, f"r{number}")
    assert await store.badges.badge(app=app, user="ann", tags=tags[:2]) == 180
    assert await with_news(executor, app) == []
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 180


TAGS = "a\x1fb"
# Updates of a room by name: revision, unread, state.
UPDATES = {
    "told 100": (100, 1, State.ACTIVE),
    "news 101": (101, 0, State.NEWS_ONLY),
    "visit 101": (101, 2, State.ACTIVE),
    "visit 102": (102, 3, State.ACTIVE),
    "news 103": (103, 0, State.NEWS_ONLY),
    "gone 104": (104, 0, State.GONE),
    "refused 102": (102, 0, State.DERIVED),
}


@pytest.mark.parametrize(
    ("names", "copy", "news"),
    [
        (("told 100", "news 101", "visit 101"), (101, 2, State.ACTIVE), []),
        (("told 100", "news 101", "visit 102"), (102, 3, State.ACTIVE), []),
        (("told 100", "visit 102", "news 103"), (102, 3, State.ACTIVE), [b"r"]),
        (("news 101", "visit 102", "news 103"), (102, 3, State.ACTIVE), [b"r"]),
        (("news 101", "visit 101", "news 103"), (101, 2, State.ACTIVE), [b"r"]),
        (("news 101", "told 100", "news 103"), (100, 1, State.ACTIVE), [b"r"]),
        (("news 101", "visit 102", "gone 104"), (104, 0, State.GONE), []),
        (("news 101", "news 103", "gone 104"), (104, 0, State.GONE), []),
        (("refused 102", "visit 102", "news 101"), (102, 3, State.ACTIVE), []),
        (("refused 102", "news 101", "news 103"), (102, 0, State.DERIVED), [b"r"]),
    ],
)
async def test_in_whatever_order_updates_come_the_side_ends_equal(
    run: Run, executor: Executor, app: str, names: tuple[str, ...], copy: tuple[int, int, State], news: list[bytes]
) -> None:
    """On a cluster each comes by itself, and any may be late or come twice."""
    for number, order in enumerate(permutations([*names, names[0]])):
        user = f"ann{number}"
        key = Keys.user(app, user)
        await run("apply", key, **update("r", 50, 1, TAGS, 0, 0, State.ACTIVE))
        for name in order:
            revision, unread, state = UPDATES[name]
            await run("apply", key, **update("r", revision, 1, TAGS, 0, unread, state))
        _, revision, _, unread, state, _, listed = await run("copies", key, rooms=["r"])
        assert (revision, unread, state) == copy, order
        assert await with_news(executor, app, user) == news, order
        assert listed == len(news)
        sums = await executor.command("HGET", key, "", key=key)
        active = copy[1] if copy[2] == State.ACTIVE else 0
        assert (int.from_bytes(sums[6:12]), sums[12], int.from_bytes(sums[13:16])) == (
            active,
            len(news),
            int(copy[2] == State.DERIVED),
        ), order


async def test_a_user_who_was_never_told_of_the_room_asks_it(store: RedisStore, run: Run, app: str) -> None:
    """The update of their joining is late, and posts have ended their attention before it."""
    await a_room(store, app, members=["bob", "ann"], tags=["a"])
    for _ in range(3):
        await posted(store, app)
    key, later = Keys.user(app, "ann"), time.time_ns() // 1000 + 10_000_000
    executor = store.rooms._executor
    await executor.command("DEL", *(key + part for part in ("", ":s", ":k", ":n")), key=key)
    await run("apply", key, **update("r", later, 1, "", 0, 0, State.NEWS_ONLY))
    assert await store.rooms.rooms_of(app=app, user="ann") == ["r"]
    (copy,) = (await store.audit._copies(app, "ann", ("r",))).values()
    assert copy.state == State.DERIVED
    await run("refresh_members", Keys.room(app, "r"), app=app, at_least=later + 1, users=[])
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 3
    await is_sound(store, app)


async def test_an_entry_that_was_lost_is_found_and_mended(store: RedisStore, executor: Executor, app: str) -> None:
    """Without it the user would not ask, and the room would not tell them."""
    await asleep(store, app, "r", tags=["a"])
    key = Keys.user(app, "ann")
    await executor.command("ZREM", key + ":n", "r", key=key)
    await executor.command("HSET", key, "", (await executor.command("HGET", key, "", key=key))[:12] + bytes(4), key=key)
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 1, "not of what came later"
    wrong = {(drift.what, drift.stored, drift.expected) for drift in await store.audit.audit_user(app=app, user="ann")}
    assert ("attention", "told", "not told") in wrong
    for repair in (True, False):
        assert bool(await store.audit.audit_room(app=app, room="r", repair=repair)) == repair
        await store.outbox.idle()
    assert await with_news(executor, app) == [b"r"]
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 5
    await is_sound(store, app)


async def test_an_entry_that_was_lost_alone_is_named_by_the_sums(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """They say that there is one."""
    await asleep(store, app, "r", tags=["a"])
    key = Keys.user(app, "ann")
    await executor.command("ZREM", key + ":n", "r", key=key)
    found = {drift.what for drift in await store.audit.audit_user(app=app, user="ann", repair=True)}
    assert found >= {"attention", "unread"}
    await store.outbox.idle()
    await is_sound(store, app)
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 5


# Members of a room that is large when at most four may be told.

"""What operations cost, counted in commands that the server ran; times are in
docs/benchmarks.md.
"""

import pytest

from readstate.store.executor import Executor
from readstate.store.keys import Keys, OfRoom
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import a_room, posted
from tests.support.servers import Server

COUNTING = {"info", "config|resetstat"}  # what the counting itself runs
WALKED = 128  # members of a room that is not large


@pytest.fixture
def plan_url(server: Server) -> str:
    """One server, where an operation is one script."""
    return server.url


async def commands(executor: Executor) -> dict[str, int]:
    """How often each command ran since the last `forget`, the script's own ones included."""
    lines = (await executor.command("INFO", "commandstats", key="")).decode().splitlines()
    counts = {
        line.partition(":")[0].removeprefix("cmdstat_"): int(line.partition("calls=")[2].partition(",")[0])
        for line in lines
        if ":" in line
    }
    return {name: count for name, count in counts.items() if name not in COUNTING}


async def forget(executor: Executor) -> None:
    await executor.command("CONFIG", "RESETSTAT", key="")


@pytest.mark.parametrize("before_the_newest", [0, 1])
@pytest.mark.parametrize(("members", "messages"), [(2, 2), (200, 2), (2, 300)])
async def test_marking_read_takes_the_same_few_commands_in_every_room(
    executor: Executor, app: str, members: int, messages: int, before_the_newest: int
) -> None:
    """Six inside one script up to the newest message, eight up to another, however many members and
    messages there are; one more in a large room, whose order by cursors follows.
    """
    store = redis_store(executor, attention_posts=1000)
    await a_room(store, app, members=["ann", *(f"m{number}" for number in range(members - 1))], tags=["a", "b"])
    recent = Keys.room(app, "r") + OfRoom.RECENT  # of those who have joined; it ends by itself
    await executor.command("DEL", recent, key=recent)
    for number in range(messages):
        await posted(store, app, message=f"m{number}")
    await forget(executor)
    assert (
        await store.reading.mark_read(app=app, room="r", user="ann", message=f"m{messages - 1 - before_the_newest}")
    ).moved
    assert await commands(executor) == {"fcall": 1, "hmget": 2, "time": 1, "hset": 2, "spublish": 1} | (
        {"hget": 2} if before_the_newest else {}
    ) | ({"zadd": 1} if members > WALKED else {})


@pytest.mark.parametrize("members", [2, 200])
async def test_a_read_that_begins_attention_takes_the_room_off_the_list(
    executor: Executor, app: str, members: int
) -> None:
    """Three commands more; and two to be noted in a large room."""
    store = redis_store(executor, attention_posts=1)
    await a_room(store, app, members=["ann", *(f"m{number}" for number in range(members - 1))], tags=["a", "b"])
    for message in ("m1", "m2"):
        await posted(store, app, message=message)
    await forget(executor)
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m2")).badge == 0
    assert await commands(executor) == {
        "fcall": 1,
        "hmget": 2,
        "time": 1,
        "hset": 2,
        "spublish": 1,
        "rpushx": 1,
        "zscore": 1,
        "zrem": 1,
        "exists": 1,
    } | ({"zadd": 1, "scard": 1, "sadd": 1} if members > WALKED else {})


@pytest.mark.parametrize(("rooms", "ran"), [(1, 5 + 4), (2, 8 + 2 * 2), (100, 8 + 2 * 100)])
async def test_a_badge_takes_two_commands_for_each_room_with_news(
    executor: Executor, app: str, rooms: int, ran: int
) -> None:
    """At the room, when the tags are those that the user's side knows. That is written with two
    commands for all rooms together. None is needed when there is no news.
    """
    store = redis_store(executor, attention_posts=1)
    for number in range(rooms):
        await a_room(store, app, f"r{number}", tags=["a", "b"])
        await posted(store, app, f"r{number}")
    await forget(executor)
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == rooms
    assert sum((await commands(executor)).values()) == ran
    await forget(executor)
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == rooms
    assert await commands(executor) == {"fcall": 1, "hmget": 1}


async def test_a_post_takes_two_commands_a_member(store: RedisStore, executor: Executor, app: str) -> None:
    """One to look at the member's copy and counters, one to move them; tags cost none."""
    counts = []
    for room, size in (("small", 2), ("large", 102)):
        await a_room(store, app, room, members=[f"m{number}" for number in range(size)], tags=["a", "b"])
        await forget(executor)
        await posted(store, app, room, message="x")
        counts.append(sum((await commands(executor)).values()))
    assert counts[1] - counts[0] == 2 * 100


@pytest.mark.parametrize("sizes", [(2, 102), (150, 1000)], ids=["small", "large"])
async def test_a_post_takes_no_command_for_members_who_pay_no_attention(
    executor: Executor, app: str, sizes: tuple[int, int]
) -> None:
    """However many they are."""
    store = redis_store(executor, attention_posts=1)
    counts = []
    for size in sizes:
        room = f"r{size}"
        await a_room(store, app, room, members=[f"m{number}" for number in range(size)], tags=["a", "b"])
        await posted(store, app, room)
        await forget(executor)
        await posted(store, app, room)
        counts.append(await commands(executor))
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) <= 13


async def test_a_post_into_a_room_above_the_limit_touches_no_member(executor: Executor, app: str) -> None:
    """As many commands with 50 members as with 10, once the room is derived."""
    store = redis_store(executor, fanout_limit=5, attention_posts=9)
    counts = []
    for room, size in (("ten", 10), ("fifty", 50)):
        await a_room(store, app, room, members=[f"m{number}" for number in range(size)])
        await posted(store, app, room)
        await forget(executor)
        await posted(store, app, room, message="x")
        counts.append(await commands(executor))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_looking_at_a_room_takes_as_many_commands_however_many_messages_were_deleted(
    store: RedisStore, executor: Executor, app: str, newest_first: bool
) -> None:
    """The newest message that is left is not looked for one by one, and deleting the last of many
    does not do so either.
    """
    await a_room(store, app)
    names = [f"m{number}" for number in range(80)]
    for name in names:
        await posted(store, app, message=name)
    costs = []
    for victim in names[:0:-1] if newest_first else names[1:]:
        await forget(executor)
        await store.messages.delete_message(app=app, room="r", message=victim)
        costs.append(sum((await commands(executor)).values()))
    assert max(costs) <= 30
    await forget(executor)
    assert (await store.rooms.room(app=app, room="r", user="ann")).last.message == "m0"  # type: ignore[union-attr]
    assert sum((await commands(executor)).values()) <= 10

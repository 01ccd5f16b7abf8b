"""The number of the layout: where it is noted, and who is refused because of it."""

import asyncio

import msgspec
import pytest
import redis

from readstate.errors import Unavailable
from readstate.store import audit_scripts, lua
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.functions import load_functions
from readstate.store.keys import SLOTS, Keys
from readstate.store.layout import StoreLayout
from readstate.store.noted_layout import LAYOUT, noted_layouts, without
from readstate.store.redis_store import redis_store
from readstate.store.released import RELEASES, shut_out_releases
from readstate.store.script_calls import Call
from readstate.store.server_check import ServerRefused
from readstate.store.workers import Key, Workers
from tests.support.first_layout import write_room
from tests.support.imkit import in_process
from tests.support.released import released

Client = redis.Redis | redis.RedisCluster
LATER = "the data have layout 3, of a later readstate, and this version reads up to layout 2; install the version"


async def keys_of_numbers(executor: Executor) -> list[str]:
    return [Keys.layout(ranges[0][0]) for ranges in (await executor.slots()).values()]


async def set_numbers(executor: Executor, value: str) -> None:
    for key in await keys_of_numbers(executor):
        await executor.command("SET", key, value, key=key)


async def test_an_empty_store_gets_the_number_on_every_node(executor: Executor) -> None:
    layout = StoreLayout(executor)
    await layout.begin()
    noted = await noted_layouts(executor)
    assert {one.number for one in noted.values()} == {LAYOUT}
    assert sum(last - first + 1 for one in noted.values() for first, last in one.slots) == SLOTS
    assert layout.describe() == "2"


async def test_a_store_with_rooms_of_an_earlier_layout_has_to_be_migrated(executor: Executor) -> None:
    await write_room(executor, "app", "r", members=["ann"])
    layout = StoreLayout(executor)
    await layout.begin()
    assert layout.describe() == "2, migrating"


async def test_a_number_is_never_lowered(executor: Executor) -> None:
    key = (await keys_of_numbers(executor))[0]
    await set_numbers(executor, "3 0-5")
    assert await executor.call(lua.note_layout(number=LAYOUT, slots=""), key) == 3
    assert await executor.command("GET", key, key=key) == b"3 0-5"


async def test_a_later_layout_is_refused_at_start(executor: Executor, url: str) -> None:
    await set_numbers(executor, "3 0-16383")
    with pytest.raises(ServerRefused, match=LATER):
        await connect(url)
    with pytest.raises(ServerRefused, match=LATER):
        await StoreLayout(executor).begin()


async def test_a_later_layout_is_seen_while_the_service_runs(executor: Executor, url: str) -> None:
    async with in_process(released(1).settings_for(url)) as imkit:
        assert (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"
        await set_numbers(executor, "3 0-16383")
        await asyncio.sleep(1.1)  # an answer is reused for a second
        ready = await imkit.call("GET", "/readyz")
        assert (ready.status_code, LATER in ready.text) == (503, True)


async def test_no_scripts_are_loaded_into_a_later_layout(executor: Executor) -> None:
    """They were there before, and the server has lost them."""
    await set_numbers(executor, "3 0-16383")
    await executor.each_node("FUNCTION", "FLUSH")
    with pytest.raises(Unavailable, match=LATER):
        await executor.call(lua.rooms(), Keys.user("app", "ann"))


async def test_a_room_of_a_later_layout_is_left_alone(executor: Executor) -> None:
    key = Keys.room("app", "r")
    await executor.command("HSET", key, "", bytes([128 + 3]) + b"x" * 80, key=key)
    with pytest.raises(Unavailable, match=LATER):
        await executor.call(audit_scripts.audit_head(repair=False), key)
    assert not await executor.call(lua.migrate_room(most=10), key)
    assert (await executor.command("HGET", key, "", key=key))[0] == 128 + 3


async def test_nothing_begins_while_an_earlier_version_is_at_work(executor: Executor) -> None:
    """Workers of layout 1 did not say which layout is theirs."""
    note = msgspec.msgpack.encode(("0123456789abcdef", {"READSTATE_API_KEY": (b"ab", b"")}))
    await executor.call(lua.note_worker(life_ms=120_000, note=note), Keys.workers)
    with pytest.raises(ServerRefused, match=r"1 worker\(s\) of an earlier readstate are at work on these data; stop"):
        await StoreLayout(executor).begin()
    assert {one.number for one in (await noted_layouts(executor)).values()} == {0}
    await executor.command("ZREM", Keys.workers, note, key=Keys.workers)
    await StoreLayout(executor).begin()


async def test_workers_of_this_version_and_crashed_ones_do_not_count(executor: Executor) -> None:
    await Workers(executor, {"READSTATE_API_KEY": Key("a")}).note()
    crashed = msgspec.msgpack.encode(("0123456789abcdef", {}))
    seconds, _ = await executor.command("TIME", key=Keys.workers)
    await executor.command("ZADD", Keys.workers, (int(seconds) - 121) * 1000, crashed, key=Keys.workers)
    await StoreLayout(executor).begin()
    assert {one.number for one in (await noted_layouts(executor)).values()} == {LAYOUT}


async def test_the_scripts_of_earlier_releases_are_refused(executor: Executor, client: Client) -> None:
    """By those names, and with a sentence; they stay when other versions' scripts are removed."""
    digest = RELEASES[0].digests[executor.plan]
    library, function = f"readstate_{executor.plan}_{digest}", f"readstate_post_{digest}"
    text = f"#!lua name={library}\nredis.register_function('{function}', function() return 'written' end)"
    await executor.each_node("FUNCTION", "LOAD", text)
    for _ in range(2):
        await shut_out_releases(executor)
        await load_functions(executor)
    for release in RELEASES:
        for script in release.scripts:
            with pytest.raises(redis.ResponseError, match=r"the data have layout 2 now, which readstate 0\.1\.0"):
                client.fcall(f"readstate_{script}_{release.digests[executor.plan]}", 1, Keys.room("app", "r"))


async def test_a_node_without_a_number_is_looked_through(executor: Executor) -> None:
    """The key has moved away with its slot, or the node is new."""
    layout = StoreLayout(executor)
    await layout.begin()
    await redis_store(executor).rooms.create_room(app="app", room="r", tags=[], profile={}, members=["ann"])
    for key in await keys_of_numbers(executor):
        await executor.command("DEL", key, key=key)
    await layout.begin()
    assert layout.describe() == "2, migrating"
    await layout.migrate(_told)
    assert layout.describe() == "2"


async def test_slots_that_come_from_elsewhere_are_looked_through(executor: Executor) -> None:
    await StoreLayout(executor).begin()
    key = (await keys_of_numbers(executor))[0]
    await executor.command("SET", key, "2 0-100", key=key)
    layout = StoreLayout(executor)
    await layout.look()
    assert layout.describe() == "2, migrating"


def test_what_is_left_of_ranges_without_others() -> None:
    assert without([(0, 10), (20, 30)], [(5, 22), (30, 40)]) == [(0, 4), (23, 29)]
    assert without([(0, 10)], []) == [(0, 10)]
    assert without([(3, 4)], [(0, 10)]) == []


async def test_a_script_that_is_not_there_any_more_is_loaded_again(executor: Executor) -> None:
    await StoreLayout(executor).begin()
    await executor.each_node("FUNCTION", "FLUSH")
    assert await executor.call(Call("rooms", (), lambda reply: reply), Keys.user("app", "ann")) == [[], []]


async def _told(_rooms: int) -> None:
    pass

"""The scan of all keys of a store, in which no key may be missing."""

import asyncio

import pytest

from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.exports import RedisExport
from readstate.store.key_scan import KeyScan
from readstate.store.keys import Keys
from tests.support.moving import Move, owner_of, slot_of
from tests.support.servers import Cluster, Server, short_directory


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyScan, "AT_ONCE", 20)


async def many_keys(executor: Executor, app: str) -> list[str]:
    keys = [Keys.message(app, f"m{number}") for number in range(300)]
    await asyncio.gather(*(executor.command("SET", key, "r", key=key) for key in keys))
    return keys


async def test_no_key_is_missing_when_the_server_is_started_anew(server: Server, app: str) -> None:
    """It names keys in another order then."""
    executor = await connect(server.url)
    keys = await many_keys(executor, app)
    scan = await KeyScan.begin(executor, Keys.message(app, "*"))
    found: list[str] = []
    while len(found) < 100:
        found += await scan.step()
    server.restart()
    while scan.position:
        found += await scan.step()
    await executor.close()
    assert set(found) == set(keys)


async def test_a_scan_that_begins_while_a_node_is_away_waits_for_it(app: str) -> None:
    """It is started again within the deadline of a call."""
    with short_directory() as directory:
        cluster = Cluster(directory)
        try:
            cluster.start()
            executor = await connect(cluster.url)
            keys = await many_keys(executor, app)
            cluster.nodes[1].stop()
            await asyncio.sleep(0.1)  # so that the connection is known to be lost
            beginning = asyncio.create_task(KeyScan.begin(executor, Keys.message(app, "*")))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cluster.nodes[1].start)
            scan, found = await beginning, set[str]()
            while scan.position:
                found.update(await scan.step())
            await executor.close()
        finally:
            cluster.stop()
    assert found == set(keys)


async def test_no_key_is_missing_when_a_slot_moves_to_a_node_that_was_passed(cluster: Cluster, app: str) -> None:
    executor = await connect(cluster.url)
    keys = await many_keys(executor, app)
    scan = await KeyScan.begin(executor, Keys.message(app, "*"))
    found: list[str] = []
    while scan.position and scan.position.slot == 0:
        found += await scan.step()
    slot = next(slot for key in keys if owner_of(cluster, slot := slot_of(key)) is cluster.nodes[2])
    move = Move(cluster, slot, target=cluster.nodes[0])
    move.begin()
    move.move_all(at_once=10)
    move.finish()
    while scan.position:
        found += await scan.step()
    await executor.close()
    assert set(found) == set(keys)


@pytest.mark.parametrize("pattern", ["rooms", "users"])
async def test_an_export_names_all_rooms_and_users(own_server: Server, app: str, pattern: str) -> None:
    """When the server is started anew among them."""
    names = {f"n{number}" for number in range(3000)}
    with own_server.client() as client:
        client.mset(
            {Keys.room(app, name) if pattern == "rooms" else Keys.user_profile(app, name): "" for name in names}
        )
    executor = await connect(own_server.url)
    export = RedisExport(executor, app)
    found: list[str] = []
    async for name in export.rooms() if pattern == "rooms" else export.users():
        found.append(name)
        if len(found) == 1000:
            own_server.restart()
    await executor.close()
    assert set(found) == names

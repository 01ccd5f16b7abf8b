"""Eight busy rooms in one slot that moves there and back, with posts, reads and badges going on."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from readstate.store.connect import connect
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.drills import Drill
from tests.support.moving import Move, id_of, names_in, owner_of
from tests.support.servers import Cluster, short_directory
from tests.support.traffic import Traffic

SLOT = 0  # a tool takes the first slots of a node
ROOMS = 8
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=[None, "redis-server"])
def own_cluster(request: pytest.FixtureRequest, drill: Drill) -> Iterator[Cluster]:
    """A cluster of the bundled Valkey, and one of the Redis that is installed, if any."""
    with short_directory() as directory:
        cluster = Cluster(directory, binary=drill.server(request.param))
        cluster.start()
        yield cluster
        cluster.stop()


@pytest_asyncio.fixture
async def stores(own_cluster: Cluster) -> AsyncIterator[list[RedisStore]]:
    """Two, as two workers have."""
    executors = [await connect(node.url) for node in own_cluster.nodes[:2]]
    yield [redis_store(executor) for executor in executors]
    for executor in executors:
        await executor.close()


async def drill_with(drill: Drill, name: str, stores: list[RedisStore], app: str, move: Callable[[], None]) -> None:
    """Traffic in the rooms of the slot while `move` moves it, in a thread."""
    traffic = Traffic(stores, app, names_in(SLOT, Keys.room(app, "*"), ROOMS))
    await traffic.prepare()
    await traffic.run(asyncio.to_thread(move))
    await traffic.check()
    assert traffic.found.done["posts"] > ROOMS
    drill.report(name, traffic.found)


@pytest.mark.parametrize("at_once", [1, 10])
async def test_a_slot_moves_there_and_back(
    drill: Drill, own_cluster: Cluster, stores: list[RedisStore], app: str, at_once: int
) -> None:
    times = 30 if drill.long else 3

    def move() -> None:
        for _ in range(times):
            there = Move(own_cluster, SLOT)
            for one in (there, Move(own_cluster, SLOT, source=there.target, target=there.source)):
                one.begin()
                one.move_all(at_once)
                one.finish()

    await drill_with(drill, f"slot moved {at_once} keys at once", stores, app, move)


async def test_a_slot_is_left_open(drill: Drill, own_cluster: Cluster, stores: list[RedisStore], app: str) -> None:
    """With half of its keys moved, for longer than a call waits."""

    def move() -> None:
        one = Move(own_cluster, SLOT)
        one.begin()
        keys = one.keys_left()
        one.move(*keys[: len(keys) // 2])
        one.wait(60 if drill.long else 4)
        one.move_all(10)
        one.finish()

    await drill_with(drill, "slot left open", stores, app, move)


async def test_a_tool_moves_a_slot(drill: Drill, own_cluster: Cluster, stores: list[RedisStore], app: str) -> None:
    """`--cluster reshard`, and `--cluster fix` where a move was broken off at its beginning."""
    tool = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if tool is None:
        pytest.skip("neither valkey-cli nor redis-cli is installed")
    times = 10 if drill.long else 1
    node = own_cluster.nodes[1]
    address = f"{node.host}:{node.port}"

    def run(*arguments: str) -> None:
        done = subprocess.run([tool, "--cluster", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def move() -> None:
        for _ in range(times):
            for pipeline in ("1", "10"):
                source = owner_of(own_cluster, SLOT)
                target = next(other for other in own_cluster.nodes if other is not source)
                ends = ("--cluster-from", id_of(source), "--cluster-to", id_of(target))
                run("reshard", address, *ends, "--cluster-slots", "1", "--cluster-pipeline", pipeline, "--cluster-yes")
            Move(own_cluster, SLOT).begin()
            run("fix", address)

    await drill_with(drill, "slot moved by a tool", stores, app, move)

"""A server and a cluster that belong to one test, since a released store has apps of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis

from readstate.store.connect import connect
from readstate.store.executor import Executor
from tests.support.released import Released, released
from tests.support.servers import Cluster, Server, short_directory


@pytest.fixture(scope="session")
def own_cluster() -> Iterator[Cluster]:
    """Three primaries for these tests, each of which empties them."""
    with short_directory() as directory:
        cluster = Cluster(directory)
        cluster.start()
        yield cluster
        cluster.stop()


@pytest.fixture(params=["atomic", "split"])
def client(request: pytest.FixtureRequest) -> Iterator["redis.Redis | redis.RedisCluster"]:
    """An empty server or cluster, without functions."""
    found: redis.Redis | redis.RedisCluster
    if request.param == "atomic":
        server: Server = request.getfixturevalue("own_server")
        found = server.client()
    else:
        cluster: Cluster = request.getfixturevalue("own_cluster")
        found = redis.RedisCluster(host=cluster.nodes[0].host, port=cluster.nodes[0].port)
    found.flushall()
    found.function_flush()
    yield found
    found.close()


@pytest.fixture
def url(request: pytest.FixtureRequest, client: "redis.Redis | redis.RedisCluster") -> str:
    """The URL of that server or cluster."""
    return str(request.getfixturevalue("own_server" if isinstance(client, redis.Redis) else "own_cluster").url)


@pytest.fixture(params=[1])
def store_of(request: pytest.FixtureRequest, client: "redis.Redis | redis.RedisCluster") -> Released:
    """The store of each released layout, on that server or cluster."""
    store = released(request.param)
    store.put_on(client)
    return store


@pytest_asyncio.fixture
async def executor(url: str, lua_dir: Path | None) -> AsyncIterator[Executor]:
    executor = await connect(url, lua=lua_dir)
    yield executor
    await executor.close()

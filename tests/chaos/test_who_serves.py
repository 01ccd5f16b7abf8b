"""Servers that turn replica, refuse, or come back empty: they are left, or told about."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from readstate import metrics
from readstate.errors import Unavailable
from readstate.parts import why_not_ready
from readstate.store.connect import connect
from readstate.store.emptied_nodes import EmptiedNodes, forget_emptied
from readstate.store.executor import Executor
from readstate.store.health import StoreHealth, WriteHealth
from readstate.store.keys import Keys
from readstate.store.layout import StoreLayout
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.processes import own_service, run_command
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Server, free_port, short_directory
from tests.support.waiting import wait_until, wait_until_now

APP = "t"


class Pair:
    """A primary and its replica, and a name that leads to the primary."""

    def __init__(self, directory: Path) -> None:
        self.primary, self.replica = (Server(directory / name) for name in ("one", "two"))
        self._name = directory / "name.sock"
        self._ports = {server: free_port() for server in (self.primary, self.replica)}

    @property
    def url(self) -> str:
        return f"unix://{self._name}"

    def start(self) -> None:
        for server, port in self._ports.items():
            server.start("--port", str(port))
        self._follow(self.replica, self.primary)
        self._move_name()

    def fail_over(self) -> None:
        """The replica takes over, and the name moves. Connections stay open."""
        with self.primary.client() as client:
            client.execute_command("WAIT", 1, 5000)
        self.primary, self.replica = self.replica, self.primary
        with self.primary.client() as client:
            client.replicaof("NO", "ONE")
        self._follow(self.replica, self.primary)
        self._move_name()

    def _follow(self, replica: Server, primary: Server) -> None:
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(self._ports[primary]))
            wait_until_now(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")

    def _move_name(self) -> None:
        fresh = self._name.with_suffix(".new")
        fresh.symlink_to(self.primary.socket)
        fresh.rename(self._name)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with short_directory() as directory:
        pair = Pair(directory)
        pair.start()
        yield pair
        pair.primary.kill()
        pair.replica.kill()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[Executor, RedisStore]]:
    executor = await connect(url)
    yield executor, redis_store(executor)
    await executor.close()


async def reason(executor: Executor) -> str:
    return await why_not_ready(executor, WriteHealth(executor), StoreLayout(executor))


async def test_a_demoted_primary_is_left(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """Its connections are never closed by anyone else. No call fails, and the log says it."""
    caplog.set_level(logging.INFO)
    async with connected(pair.url) as (executor, store):
        await a_room(store, APP)
        for n in range(3):
            await posted(store, APP, message=f"before{n}")
            await asyncio.to_thread(pair.fail_over)
            await asyncio.gather(*(posted(store, APP, message=f"m{n}.{i}") for i in range(40)))
            assert await reason(executor) == ""
            await asyncio.sleep(1.1)  # a server that has just been connected is not left
        assert await unread_of(store, APP, "ann") == 123
    with pair.primary.client() as client:
        assert client.hlen(Keys.room(APP, "r")) == 3
    assert len(told(caplog, "the server takes no writes, as a replica; the connection is made anew")) == 3


async def test_a_name_that_still_leads_to_the_replica_is_told_about(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """No question is answered from it, and the reason is logged once."""
    async with connected(pair.url) as (executor, store):
        await a_room(store, APP)
        await asyncio.sleep(1.1)
        demoted, pair._move_name = pair.primary, lambda: None  # type: ignore[method-assign]
        await asyncio.to_thread(pair.fail_over)
        with pytest.raises(Unavailable):
            await posted(store, APP, message="m")
        assert await reason(executor) == "the store cannot be reached: the server is a replica"
        with pytest.raises(Unavailable):
            await unread_of(store, APP, "ann")
        assert told(caplog, "the server is a replica") == ["the store cannot be reached: the server is a replica"]
        pair._name.unlink()
        pair._name.symlink_to(pair.primary.socket)
        await wait_until(lambda: says_nothing(executor), "the primary to be found")
        assert demoted is pair.replica


async def says_nothing(executor: Executor) -> bool:
    return not await reason(executor)


async def test_a_replica_is_not_connected_at_all(pair: Pair) -> None:
    with pytest.raises(Unavailable, match="replica"):
        await connect(pair.replica.url)


async def test_a_login_that_is_refused_is_logged_once_and_told(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a password was changed: until then connections go on."""
    caplog.set_level(logging.INFO)
    with own_server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">first-password", "+@all", "~*", "&*")
        async with connected(own_server.url.replace("unix://", "unix://app:first-password@")) as (executor, _):
            client.execute_command("ACL", "SETUSER", "app", "resetpass", ">second-password")
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await wait_until(lambda: mentions(executor, "invalid username-password"), "the reason to be told")
            await asyncio.sleep(1.5)
            assert len(told(caplog, "invalid username-password")) == 1
            client.execute_command("ACL", "SETUSER", "app", ">first-password")
            await wait_until(lambda: says_nothing(executor), "it to be ready")
            assert "first-password" not in caplog.text


async def mentions(executor: Executor, word: str) -> bool:
    return word in await reason(executor)


@pytest.mark.parametrize(
    ("word", "option", "value"), [("NOREPLICAS", "min-replicas-to-write", 1), ("OOM", "maxmemory", 1)]
)
async def test_what_a_server_refuses_with_is_counted_and_told(
    own_server: Server, caplog: pytest.LogCaptureFixture, word: str, option: str, value: int
) -> None:
    """In its own words, once, and when it is over."""
    caplog.set_level(logging.INFO)
    with own_server.client() as client:
        async with connected(own_server.url) as (executor, store):
            await a_room(store, APP)
            health = StoreHealth(executor)
            await health.look()
            before = refused(word)
            client.config_set(option, value)
            with pytest.raises(Unavailable):
                await posted(store, APP, message="m")
            assert refused(word) == before + 1
            for _ in range(3):
                await health.look()
            assert len(told(caplog, f"the store refuses writes: {word} ")) == 1
            client.config_set(option, 0)
            await health.look()
            await health.look()
            assert len(told(caplog, "the store takes writes again")) == 1


def refused(word: str) -> float:
    return float(metrics.STORE_REFUSALS.labels(word)._value.get())


def told(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.message for record in caplog.records if text in record.message]


async def test_a_node_that_came_back_empty_is_told_about_until_an_audit_has_mended(
    plan_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By every worker, and by those that start later; one of them logs it."""
    async with connected(plan_url) as (executor, _), connected(plan_url) as (other, _), connected(plan_url) as (new, _):
        await forget_emptied(executor)
        watching = [EmptiedNodes(executor), EmptiedNodes(other)]
        for nodes in watching:
            await nodes.look()
            assert not nodes.warnings()
        counted = metrics.NODES_EMPTIED._value.get()
        key = Keys.data_id(max(ranges[0][0] for ranges in (await executor.slots()).values()))
        await executor.command("DEL", key, key=key)  # of the one node, with all else that it held
        await EmptiedNodes(new).look()  # one that starts now knows of no data id and sets another one
        for nodes in watching:
            await nodes.look()
            await nodes.look()
        started = EmptiedNodes(new)
        await started.look()
        for nodes in (*watching, started):
            (warning,) = nodes.warnings()
            assert warning.startswith("a node of the store came back without its data")
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert metrics.NODES_EMPTIED._value.get() == counted + 1
        await forget_emptied(executor)
        for nodes in watching:
            await nodes.look()
            assert not nodes.warnings()


def test_a_flushed_store_is_told_about_until_it_was_audited(own_server: Server) -> None:
    with own_service(redis_url=own_server.url) as service:
        with own_server.client() as client:
            client.flushall()
        wait_until_now(lambda: b"came back without its data" in service.get("/readyz")[1], "it", timeout_s=30)
        assert service.get("/readyz")[0] == 200
        assert b"readstate_nodes_emptied_total 1.0" in service.get("/metrics")[1]
        audit = run_command("audit", "--repair", settings={"redis_url": own_server.url})
        assert audit.returncode == 0, audit.stderr
        wait_until_now(lambda: b"came back" not in service.get("/readyz")[1], "the end of it", timeout_s=30)

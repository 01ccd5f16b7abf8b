"""A cluster with a replica, which can take over with or without the newest writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from redis.crc import key_slot

from readstate.errors import Fault
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.failovers import Failovers
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import unread_of
from tests.support.servers import NODE_TIMEOUT_MS, Cluster, Server, short_directory
from tests.support.waiting import wait_until, wait_until_now

APP = "t"
FIRST_SHARE = 16384 // 3  # slots of the first node, that dies


@contextmanager
def cluster_with_replica(
    binary: str | None = None, node_timeout_ms: int = NODE_TIMEOUT_MS
) -> Iterator[tuple[Cluster, Server]]:
    """A cluster of its own, and a replica of its first node."""
    with short_directory() as directory:
        cluster = Cluster(directory, binary=binary, node_timeout_ms=node_timeout_ms)
        replica = cluster.another_node(directory / "replica")
        try:
            cluster.start()
            replica.start()
            join_as_replica(cluster, replica)
            yield cluster, replica
        finally:
            replica.kill()
            cluster.stop()


def join_as_replica(cluster: Cluster, replica: Server) -> None:
    """A new node follows the first primary and has what that has. All know it as a replica."""
    primary = cluster.nodes[0]
    with primary.client() as client, replica.client() as follower:
        name = client.execute_command("CLUSTER MYID").decode()
        follower.execute_command("CLUSTER MEET", "127.0.0.1", primary.port, primary._bus_port)
        wait_until_now(
            lambda: name in str(follower.execute_command("CLUSTER NODES")), "the replica to know its primary"
        )
        wait_until_now(lambda: len(follower.execute_command("CLUSTER SLOTS")) == 3, "the replica to know the slots")
        follower.execute_command("CLUSTER REPLICATE", name)
        wait_until_now(lambda: follower.info("replication")["master_link_status"] == "up", "the replica to follow")
    # A node that has not heard of the replica from its primary would never believe it after a
    # takeover: it ignores what strangers say.
    wait_until_now(
        lambda: all(_knows(node, replica) for node in cluster.nodes), "the nodes to know the replica", timeout_s=60
    )


def _knows(node: Server, replica: Server) -> bool:
    with node.client() as client:
        known = client.execute_command("CLUSTER NODES").get(f"{replica.host}:{replica.port}")
    return known is not None and "slave" in known["flags"]


def wait_for_replica(primary: Server) -> None:
    """The replica has all that the primary has."""
    with primary.client() as client:
        assert client.execute_command("WAIT", 1, 5000) == 1


def cut_off(primary: Server) -> None:
    """From now on the replica hears nothing of its primary's writes."""
    wait_for_replica(primary)
    with primary.client() as client:
        client.execute_command("ACL SETUSER", "default", "-psync", "-sync")
        client.execute_command("CLIENT KILL", "TYPE", "replica")


def take_over(primary: Server, replica: Server) -> None:
    """The primary dies, and its replica serves what it has."""
    primary.kill()
    with replica.client() as client:
        client.execute_command("CLUSTER FAILOVER TAKEOVER")
        wait_until_now(lambda: client.info("replication")["role"] == "master", "the replica to take over")


def die(primary: Server, replica: Server) -> None:
    """The primary dies, and its replica takes over when the others have noticed that."""
    primary.kill()
    with replica.client() as client:
        wait_until_now(lambda: client.info("replication")["role"] == "master", "the replica to take over", timeout_s=60)


def give_way(primary: Server, replica: Server) -> None:
    """The primary and its replica change places, as an operator plans it."""
    with replica.client() as client, primary.client() as former:
        client.execute_command("CLUSTER FAILOVER")
        wait_until_now(lambda: client.info("replication")["role"] == "master", "the replica to take over", timeout_s=60)
        wait_until_now(
            lambda: former.info("replication").get("master_link_status") == "up", "the old primary to follow"
        )


def come_back(dead: Server, primary: Server) -> None:
    """The old primary starts again, as the replica of the new one, and has what that has."""
    dead.start()
    with dead.client() as client, primary.client() as leader:
        wait_until_now(
            lambda: client.info("replication").get("master_link_status") == "up", "the old primary to follow"
        )
        wait_until_now(lambda: leader.info("replication")["connected_slaves"] == 1, "the new one to have a replica")


def names(first: bool, key: str, count: int) -> list[str]:
    """So many names whose keys, rooms' or users', lie on the first node, or on another one."""
    lying = Keys.room if key == "room" else Keys.user
    found = (name for name in map(str, range(10_000)) if (key_slot(lying(APP, name).encode()) < FIRST_SHARE) == first)
    return [next(found) for _ in range(count)]


class LosingPair:
    """A store on the cluster, and how its first node dies with what its replica lacks."""

    def __init__(self, pair: tuple[Cluster, Server], executor: Executor) -> None:
        self.executor = executor
        self.url = pair[0].nodes[2].url  # of a node that lives on
        self.store: RedisStore = redis_store(executor)
        self.failovers = Failovers(executor, self.store.outbox)
        self.first, self._replica = pair[0].nodes[0], pair[1]

    async def cut_off(self) -> None:
        """All that was written until now will be there later, and nothing else."""
        await self.store.outbox.idle()
        await self.failovers.reconcile()
        cut_off(self.first)

    async def fail_over(self) -> None:
        await self.store.outbox.idle()
        take_over(self.first, self._replica)

        async def is_served() -> bool:
            with contextlib.suppress(Fault):
                return len(await self.executor.each_node("PING")) == 3
            return False

        await wait_until(is_served, "the new primary to be found")

    async def die(self) -> None:
        """As an unplanned failover goes, while others are served."""
        await asyncio.to_thread(die, self.first, self._replica)

    async def give_way(self) -> None:
        """As a planned failover goes, while others are served."""
        await asyncio.to_thread(give_way, self.first, self._replica)
        self.first, self._replica = self._replica, self.first

    async def come_back(self) -> None:
        """The node that died is the replica now."""
        await asyncio.to_thread(come_back, self.first, self._replica)
        self.first, self._replica = self._replica, self.first

    def all_agree(self, rooms: Sequence[str], users: Sequence[str]) -> Callable[[], Awaitable[bool]]:
        async def agree() -> bool:
            for user in users:
                unread = [await unread_of(self.store, APP, user, room) for room in rooms]
                if await self.store.badges.badge(app=APP, user=user, tags=[]) != sum(unread):
                    return False
            return True

        return agree

    async def agree(self, rooms: Sequence[str], users: Sequence[str]) -> None:
        """Every badge is what the rooms say, and an audit finds nothing."""
        await self.store.outbox.idle()
        for user in users:
            expected = 0
            for room in rooms:
                expected += await unread_of(self.store, APP, user, room)
            assert await self.store.badges.badge(app=APP, user=user, tags=[]) == expected
        assert await self.store.audit.audit_all(app=APP) == []


@asynccontextmanager
async def losing_pair(binary: str | None = None, node_timeout_ms: int = NODE_TIMEOUT_MS) -> AsyncIterator[LosingPair]:
    with cluster_with_replica(binary, node_timeout_ms) as pair:
        executor = await connect(pair[0].nodes[2].url)
        try:
            yield LosingPair(pair, executor)
        finally:
            await executor.close()

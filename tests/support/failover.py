"""A cluster with a replica, which can take over with or without the newest writes."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.servers import Cluster, Server, short_directory
from tests.support.waiting import wait_until_now

FIRST_SHARE = 16384 // 3  # slots of the first node, that dies


@contextmanager
def cluster_with_replica() -> Iterator[tuple[Cluster, Server]]:
    """A cluster of its own, and a replica of its first node."""
    with short_directory() as directory:
        cluster = Cluster(directory)
        cluster.start()
        replica = Server(directory / "replica", clustered=True)
        replica.start()
        join_as_replica(cluster.nodes[0], replica)
        try:
            yield cluster, replica
        finally:
            replica.kill()
            cluster.stop()


def join_as_replica(primary: Server, replica: Server) -> None:
    """A new node follows a primary, and has what that has."""
    with primary.client() as client, replica.client() as follower:
        name = client.execute_command("CLUSTER MYID").decode()
        follower.execute_command("CLUSTER MEET", "127.0.0.1", primary.port, primary._bus_port)
        wait_until_now(
            lambda: name in str(follower.execute_command("CLUSTER NODES")), "the replica to know its primary"
        )
        wait_until_now(lambda: len(follower.execute_command("CLUSTER SLOTS")) == 3, "the replica to know the slots")
        follower.execute_command("CLUSTER REPLICATE", name)
        wait_until_now(lambda: follower.info("replication")["master_link_status"] == "up", "the replica to follow")


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


def come_back(dead: Server, primary: Server) -> None:
    """The old primary starts again, as the replica of the new one, and has what that has."""
    dead.start()
    with dead.client() as client, primary.client() as leader:
        wait_until_now(
            lambda: client.info("replication").get("master_link_status") == "up", "the old primary to follow"
        )
        wait_until_now(lambda: leader.info("replication")["connected_slaves"] == 1, "the new one to have a replica")

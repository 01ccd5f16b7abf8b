"""A slot that moves to another node of the cluster while its rooms are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from readstate.errors import Unavailable, UnknownOutcome
from readstate.store.connect import connect
from readstate.store.keys import Keys
from readstate.store.redis_store import redis_store
from tests.support.servers import Cluster, Server


@contextmanager
def moving(cluster: Cluster, key: str) -> Iterator[None]:
    """The slot of `key` moves: keys that its node lacks are to be looked for on another one."""
    slot = key_slot(key.encode())
    owner = next(node for node in cluster.nodes if has(node, key))
    new = next(node for node in cluster.nodes if node is not owner)
    with owner.client() as old, new.client() as other:
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", other.execute_command("CLUSTER MYID"))
        other.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old.execute_command("CLUSTER MYID"))
        yield
        for client in (old, other):
            client.execute_command("CLUSTER SETSLOT", slot, "STABLE")


def has(node: Server, key: str) -> bool:
    with node.client() as client:
        try:
            return bool(client.exists(key))
        except redis.ResponseError:
            return False


async def test_who_is_stopped_in_the_middle_hears_that_it_may_have_happened(cluster: Cluster, app: str) -> None:
    """A server checks each command of a script: some may be done before one is refused."""
    executor = await connect(cluster.url)
    store = redis_store(executor, fanout_limit=256, message_history=100)
    post: dict[str, Any] = {
        "app": app,
        "room": "r",
        "sender": "ann",
        "countable": True,
        "body": "{}",
        "sender_must_be_member": True,
    }
    await store.rooms.create_room(app=app, room="r", tags=[], profile={}, members=["ann", "bo"])
    await store.messages.post(message="m1", **post)
    await store.outbox.idle()
    with moving(cluster, Keys.room(app, "r")):
        with pytest.raises(UnknownOutcome):
            await store.messages.post(message="m2", **post)
        with pytest.raises(UnknownOutcome):
            await store.reading.mark_read(app=app, room="r", user="bo", message="m1")
        with pytest.raises(Unavailable):
            await store.rooms.room(app=app, room="r", user="bo")
    await store.messages.post(message="m2", **post)
    await executor.close()

"""Slots that move from one node of a cluster to another the classic way: MIGRATE, a few keys at a
time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle

import redis
from redis.crc import key_slot

from tests.support.servers import Cluster, Server

_TIMEOUT_MS = 5000


class Move:
    """One move of a slot, step by step as an operator's tool does it, and as one may be broken off.

    Raises redis.ResponseError where the tool would give up, as with BUSYKEY.
    """

    def __init__(
        self, cluster: Cluster, slot: int, *, source: Server | None = None, target: Server | None = None
    ) -> None:
        self.slot = slot
        self._cluster = cluster
        self.source = source or owner_of(cluster, slot)
        self.target = target or cluster.nodes[(cluster.nodes.index(self.source) + 1) % len(cluster.nodes)]

    def begin(self) -> None:
        _run(self.target, "CLUSTER SETSLOT", self.slot, "IMPORTING", id_of(self.source))
        _run(self.source, "CLUSTER SETSLOT", self.slot, "MIGRATING", id_of(self.target))

    def keys_left(self) -> list[bytes]:
        """Those that are still at the source."""
        with self.source.client() as client:
            found: list[bytes] = client.execute_command("CLUSTER GETKEYSINSLOT", self.slot, 100_000)
        return found

    def move(self, *keys: bytes | str) -> None:
        address = (self.target.host, self.target.port)
        _run(self.source, "MIGRATE", *address, "", 0, _TIMEOUT_MS, "KEYS", *keys)

    def move_all(self, at_once: int) -> None:
        """Every key, `at_once` in one command."""
        while keys := self.keys_left():
            self.move(*keys[:at_once])

    def wait(self, seconds: float) -> None:
        """Leave the slot open."""
        time.sleep(seconds)

    def finish(self) -> None:
        """The slot is the target's."""
        name = id_of(self.target)
        for node in (self.target, self.source, *self._cluster.nodes):
            _run(node, "CLUSTER SETSLOT", self.slot, "NODE", name)
        self._cluster.moved[self.slot] = self._cluster.nodes.index(self.target)

    def give_up(self) -> None:
        """The source says that the slot is the target's, which does not know it yet."""
        _run(self.source, "CLUSTER SETSLOT", self.slot, "NODE", id_of(self.target))

    def call_off(self) -> None:
        """Nothing has moved, and nothing will."""
        for node in (self.target, self.source):
            _run(node, "CLUSTER SETSLOT", self.slot, "STABLE")


def disturbances(cluster: Cluster) -> Callable[[], None]:
    """What restarts a node when it is called, and the next time moves some slots."""
    moves = cycle([False, True])

    def disturb() -> None:
        if not next(moves):
            cluster.restart_one()
            return
        for node in cluster.nodes:
            with node.client() as client:
                keys = {client.randomkey() for _ in range(5)} - {None}
            for slot in {slot_of(key.decode()) for key in keys}:
                move = Move(cluster, slot)
                move.begin()
                move.move_all(at_once=3)
                move.finish()

    return disturb


@contextmanager
def moving(cluster: Cluster, key: str) -> Iterator[Move]:
    """A move of the slot of `key` that has begun. In the end it is finished."""
    move = Move(cluster, slot_of(key))
    move.begin()
    yield move
    move.move_all(at_once=10)
    move.finish()


def slot_of(key: str) -> int:
    return key_slot(key.encode())


def owner_of(cluster: Cluster, slot: int) -> Server:
    """The node that has the slot, as it says itself."""
    for node in cluster.nodes:
        with node.client() as client:
            try:
                client.exists(key_in(slot))
            except redis.ResponseError:
                continue
            return node
    raise LookupError(f"no node has slot {slot}")


def key_in(slot: int) -> str:
    """Some key in the slot."""
    return next(f"{{{number}}}" for number in range(1_000_000) if slot_of(f"{{{number}}}") == slot)


def names_in(slot: int, pattern: str, number: int) -> list[str]:
    """Names n0, n1, ... whose key, `pattern` with the name for the *, is in the slot."""
    names: list[str] = []
    candidate = 0
    while len(names) < number:
        name = f"n{candidate}"
        if slot_of(pattern.replace("*", name)) == slot:
            names.append(name)
        candidate += 1
    return names


def _run(node: Server, *command: object) -> None:
    with node.client() as client:
        client.execute_command(*command)


def id_of(node: Server) -> str:
    """By which the other nodes know it."""
    with node.client() as client:
        return str(client.execute_command("CLUSTER MYID").decode())

"""The arithmetic: from users and their habits to calls, and from calls to machines."""

from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any

from loadtest.capacity import costs as table
from loadtest.capacity.costs import CLUSTER, ONE_SERVER, Costs
from loadtest.peers.contestant import STORE, WORKER
from loadtest.peers.work import Act

GIB = 2**30
DAY_S = 86_400.0
NAMED_USERS = (1e5, 1e6, 1e8, 1e9)


def described(value: Any, what: str) -> Any:
    """A field of Habits that says what it means."""
    return field(default=value, metadata={"what": what})


@dataclass(frozen=True)
class Habits:
    """What is assumed of people, and how full machines may be."""

    rooms_each: int = described(20, "rooms of a user")
    room_size: int = described(20, "members of a room, on the average")
    remembered: int = described(200, "messages of a room that are remembered")
    online: float = described(0.07, "share of the users who are connected at the busiest time")
    devices: float = described(1.2, "sockets of a user who is connected")
    posts_a_day: float = described(40.0, "messages that a user posts in a day")
    peak: float = described(3.0, "posts at the busiest time / on the average")
    read_s: float = described(20.0, "seconds between two reads of a user who is connected")
    ask_s: float = described(60.0, "seconds between two badges of one; half of them are by tags")
    receipts: float = described(0.25, "questions who has read a message, for each read")
    node_gib: float = described(32.0, "memory of a node of the store, GiB")
    node_full: float = described(0.6, "share of it that may be used: a rewrite of the append-only file needs some")
    node_busy: float = described(0.5, "share of a core that a node may use: the rest is for failovers")
    worker_busy: float = described(0.6, "share of a core that a worker may use")

    def described(self) -> list[tuple[str, float, str]]:
        """Name, value and meaning of each."""
        return [(one.name, getattr(self, one.name), one.metadata["what"]) for one in fields(self)]


@dataclass(frozen=True)
class Load:
    """What so many users do at the busiest time, by second."""

    calls: dict[Act, float]
    deliveries: float  # notices written to sockets
    sockets: float

    @property
    def all_calls(self) -> float:
        return sum(self.calls.values())


def load(users: float, habits: Habits) -> Load:
    connected = users * habits.online
    posts = users * habits.posts_a_day / DAY_S * habits.peak
    reads = connected / habits.read_s
    asks = connected / habits.ask_s
    calls = {
        Act.POST: posts,
        Act.READ: reads,
        Act.BADGE: asks / 2,
        Act.TAG_BADGE: asks / 2,
        Act.RECEIPTS: reads * habits.receipts,
    }
    # A post tells of the message and of its sender's cursor, a read of the reader's. The one who
    # did it is connected, and of the others as many as of all users.
    listeners = (1 + (habits.room_size - 1) * habits.online) * habits.devices
    return Load(calls, (2 * posts + reads) * listeners, connected * habits.devices)


@dataclass(frozen=True)
class Plan:
    """What it takes to serve so many users."""

    users: float
    load: Load
    clustered: bool
    store_cores: float  # what the store is busy with
    store_bytes: float
    primaries_by_cpu: int
    primaries_by_memory: int
    worker_cores: float
    workers: int
    workers_bytes: float  # of their sockets
    client_bits: float  # a second, between clients and workers
    store_bits: float  # between workers and store

    @property
    def primaries(self) -> int:
        return max(self.primaries_by_cpu, self.primaries_by_memory)

    @property
    def first(self) -> str:
        """What decides how many primaries there are."""
        if not self.clustered:
            return "nothing yet"
        if self.primaries_by_memory == self.primaries_by_cpu:
            return "a cluster has three"
        return "memory" if self.primaries_by_memory > self.primaries_by_cpu else "the store's CPU"


def plan(users: float, costs: Costs, habits: Habits | None = None) -> Plan:
    """On one server while its core and its memory are enough, otherwise on a cluster."""
    habits = habits or Habits()
    found = load(users, habits)
    store_bytes = _store_bytes(users, found, costs, habits)
    by_memory = ceil(store_bytes / (habits.node_gib * GIB * habits.node_full))
    members = habits.room_size
    clustered = by_memory > 1 or costs.mix(found.calls, members, STORE) > habits.node_busy
    store = CLUSTER if clustered else ONE_SERVER
    store_cores = costs.mix(found.calls, members, STORE, store)
    delivered = found.deliveries * (costs[table.DELIVERY] + costs[table.NOTICE]) / 1e6
    worker_cores = costs.mix(found.calls, members, WORKER, store) + delivered
    least = 3 if clustered else 1
    return Plan(
        users=users,
        load=found,
        clustered=clustered,
        store_cores=store_cores,
        store_bytes=store_bytes,
        primaries_by_cpu=max(least, ceil(store_cores / habits.node_busy)),
        primaries_by_memory=max(least, by_memory),
        worker_cores=worker_cores,
        workers=ceil(worker_cores / habits.worker_busy),
        workers_bytes=found.sockets * costs[table.SOCKET] * 1024,
        client_bits=8 * (found.all_calls * costs[table.REQUEST] + found.deliveries * costs[table.FRAME]),
        store_bits=8 * (found.all_calls + found.deliveries) * costs[table.STORE_CALL],
    )


def _store_bytes(users: float, found: Load, costs: Costs, habits: Habits) -> float:
    states = users * habits.rooms_each
    messages = states / habits.room_size * habits.remembered
    subscriptions = users * habits.online * habits.devices * (habits.rooms_each + 1)
    return states * costs[table.STATE] + messages * costs[table.MESSAGE] + subscriptions * costs[table.SUBSCRIPTION]

"""What things cost, in one table of one file: docs/benchmarks/costs.json.

`make bench-peers` renews the rows that it measures; the other rows name what measures them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from loadtest.peers.contestant import STORE, WORKER
from loadtest.peers.work import Act

FILE = Path("benchmarks", "costs.json")  # in docs/
PARTS = (STORE, WORKER)
ONE_SERVER, CLUSTER = "one server", "cluster of 3"
MEMBER = "post, for each member"
STATE, MESSAGE = "read state", "message"
SUBSCRIPTION, SOCKET = "subscription", "socket"
DELIVERY, NOTICE = "delivery", "notice"
REQUEST, FRAME, STORE_CALL = "request and answer", "frame", "call of the store and reply"


class Row(Struct, frozen=True):
    """One row of the table."""

    name: str
    value: float
    unit: str  # us of CPU, or bytes
    measured_by: str


class Costs:
    """The table. A cost that is missing is a KeyError with its name."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        self._values = {row.name: row.value for row in self.rows}

    @classmethod
    def read(cls, file: Path) -> "Costs":
        return cls(msgspec.json.decode(file.read_bytes(), type=list[Row]))

    def renewed(self, rows: Iterable[Row]) -> "Costs":
        """The table with these rows in the place of those with the same names."""
        new = {row.name: row for row in rows}
        return Costs([*(new.pop(row.name, row) for row in self.rows), *new.values()])

    def write(self, file: Path) -> None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self.rows), indent=2) + b"\n")

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def mix(self, calls: Mapping[Act, float], members: float, part: str, store: str = ONE_SERVER) -> float:
        """Seconds of CPU that so many calls of each kind take of STORE or WORKER.

        `members` of a room that is posted into, on the average; `store`: ONE_SERVER or CLUSTER.
        """
        posted = calls.get(Act.POST, 0.0) * members * self[call_name(MEMBER, part, store)]
        return (posted + sum(count * self[call_name(act.value, part, store)] for act, count in calls.items())) / 1e6


def predicted_name(part: str) -> str:
    return f"checked day: {part}, predicted"


def measured_name(part: str) -> str:
    return f"checked day: {part}, measured"


def call_name(what: str, part: str, store: str) -> str:
    """`what`: the value of an act, or MEMBER."""
    return f"{what}: {part}, {store}"

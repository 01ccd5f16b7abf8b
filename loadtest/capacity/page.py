"""docs/capacity.md, from the table of costs alone."""

from collections.abc import Iterable, Sequence
from textwrap import fill

from loadtest.bench.report import markdown
from loadtest.capacity import costs as table
from loadtest.capacity.costs import Costs
from loadtest.capacity.model import GIB, NAMED_USERS, Habits, Plan, plan

PAGE = "capacity.md"
HEADER = (
    "users",
    "sockets",
    "calls a second",
    "deliveries a second",
    "store, cores busy",
    "store, GiB",
    "primaries",
    "worker cores busy",
    "workers",
    "sockets' memory, GiB",
    "clients, Gbit/s",
    "store, Gbit/s",
    "what decides",
)

INTRO = """\
What so many users need, by arithmetic: what each operation costs, times how often it happens. The
costs are those of one table, `docs/benchmarks/costs.json`, which `make bench` and `make
bench-peers` renew; they were measured on two cores that other work shared, so the figures are
good for the order of magnitude and for what comes first. For other habits, or another number of
users:

```sh
.venv/bin/python -m loadtest.capacity --users 250000 --rooms-each 40 --online 0.15
```"""

HOW = """\
* The busiest moment counts, not the average. Sockets follow the read state, so that a badge is
  asked for at the start and for pushes only.
* A call costs the store and a worker what `make bench-peers` measured over HTTP: on one server,
  or on a cluster of three primaries when one server is not enough.
* A post costs something for each member of its room, which is taken from rooms of two sizes.
  Rooms are of one size here; very large ones tell no member
  ([architecture.md](architecture.md#bounds)).
* A notice is written to each socket of the room's members, also to the sockets of the member who
  caused it. On many workers each of them is on another one, which has to read the notice: so each
  delivery costs both.
* The store has a copy of each room at each of its users, the remembered messages, and the
  channels to which workers subscribe for users with sockets.
* Replicas are not counted: one for each primary doubles the memory, and takes no calls."""

BREAKS = """\
**10^5.** One machine, and nothing on it is full yet. Start one worker more than the table says
(`READSTATE_WORKERS`), so that one may be replaced. Give the store a replica for safety, not for
speed.

**10^6.** The store's core: a server runs its scripts one after the other, so more cores do not
help, and at more than half of it a failover or a rewrite of the append-only file is felt. Make it
a cluster before that: `readstate export` and `readstate import` bring the users over
([export-and-import.md](export-and-import.md)). A call costs more there, so the first cluster
needs more cores than the server had. Workers want several machines behind a balancer
([deploying.md](deploying.md)).

**10^8.** A cluster of many primaries ([operating-a-cluster.md](operating-a-cluster.md)). Rooms
and users spread over it by themselves. What grows faster than users are connections: each worker
keeps one for calls and one for notices to each primary. Then group them: the workers of one
region, with its users, on a cluster of their own.

**10^9.** More than one cluster. Above a thousand nodes the nodes' talk among themselves is too
much, and a failover is something that happens every day. Users have to be divided into
deployments, by region or by customer; an app is in one deployment only, and a room cannot have
members in two. A product whose users all talk to each other needs a layer above that forwards
between deployments, which this service does not have."""

CHECKED = """\
A day of another shape was predicted with the table and then run on the service: fewer and smaller
rooms, three times as many people online, all calls mixed. Other work on the machine moves either
by tens of percent; what a cost depends on but the table does not know is the rest of the error."""


def page(costs: Costs, habits: Habits | None = None) -> str:
    habits = habits or Habits()
    parts = [
        "# Capacity",
        "Written by `make bench-peers` and `make bench`; do not edit.",
        INTRO,
        "## What it takes",
        markdown(HEADER, [_line(plan(users, costs, habits)) for users in NAMED_USERS]),
        "## What is assumed",
        markdown(("", "", ""), [(name, str(value), what) for name, value, what in habits.described()]),
        HOW,
        "## What breaks first, and what to do",
        BREAKS,
        "## Is it right?",
        CHECKED,
        markdown(("CPU", "predicted, s", "measured, s", "measured / predicted"), _checked(costs)),
        _limits(),
        "## What things cost",
        markdown(("", "", "unit", "measured by"), [_cost(row) for row in costs.rows]),
    ]
    return "\n\n".join(parts) + "\n"


def text(plans: Sequence[Plan]) -> str:
    """The first table, turned, for a terminal."""
    columns = [HEADER, *map(_line, plans)]
    return "\n".join(
        f"{cells[0]:24}" + "".join(f"{cell:>16}" for cell in cells[1:]) for cells in zip(*columns, strict=True)
    )


def _line(found: Plan) -> tuple[str, ...]:
    return (
        f"{found.users:,.0f}",
        f"{found.load.sockets:,.0f}",
        f"{found.load.all_calls:,.0f}",
        f"{found.load.deliveries:,.0f}",
        f"{found.store_cores:,.2f}",
        f"{found.store_bytes / GIB:,.1f}",
        f"{found.primaries:,}",
        f"{found.worker_cores:,.1f}",
        f"{found.workers:,}",
        f"{found.workers_bytes / GIB:,.1f}",
        f"{found.client_bits / 1e9:,.2f}",
        f"{found.store_bits / 1e9:,.2f}",
        found.first,
    )


def _checked(costs: Costs) -> Iterable[tuple[str, ...]]:
    for part in table.PARTS:
        predicted, measured = costs[table.predicted_name(part)], costs[table.measured_name(part)]
        yield part, f"{predicted:.2f}", f"{measured:.2f}", f"{measured / predicted:.2f}"


def _limits() -> str:
    return fill(
        "What cannot be checked on one machine: everything from the second machine on. A cluster of three primaries "
        "was measured on one core; that a cluster of hundreds costs as much for each call is an assumption, and so "
        "is that rooms and users are spread evenly over it.",
        100,
    )


def _cost(row: table.Row) -> tuple[str, ...]:
    return row.name, f"{row.value:,.1f}", row.unit, row.measured_by

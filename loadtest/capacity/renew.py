"""What a run of the benchmarks says goes into the table of costs, and the page is written anew."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from loadtest.bench.figures import RowResult
from loadtest.bench.processes import ROOT
from loadtest.capacity import costs as table
from loadtest.capacity import page
from loadtest.capacity.costs import CLUSTER, MEMBER, ONE_SERVER, Costs, Row, call_name
from loadtest.peers.measure import Measured, Run
from loadtest.peers.work import Act, Kind

DOCS = ROOT / "docs"
# Rows of `make bench` whose figure is a cost.
ROWS = {
    "memory_per_state": (table.STATE, "bytes"),
    "message_memory": (table.MESSAGE, "bytes"),
    "delivery_cpu": (table.DELIVERY, "us"),
    "socket_memory": (table.SOCKET, "KiB"),
}
SERVERS = {"http": ONE_SERVER, "http_cluster": CLUSTER}


def from_rows(outcomes: Mapping[str, RowResult]) -> list[Row]:
    """What `make bench` measured."""
    return [
        Row(name, round(outcomes[row].ratio or 0.0, 1), unit, f"`make bench`, row {row}")
        for row, (name, unit) in ROWS.items()
        if row in outcomes and outcomes[row].ratio is not None
    ]


def from_peers(run: Run) -> list[Row]:
    """What `make bench-peers` measured."""
    return [
        Row(call_name(what, part, store), round(value, 1), "us", "`make bench-peers`")
        for peer, store in SERVERS.items()
        if peer in run.found
        for part in table.PARTS
        for what, value in _of_part(run, run.found[peer], part).items()
    ]


def _of_part(run: Run, found: Measured, part: str) -> dict[str, float]:
    """Costs by what is done. That of a post is a line through those of small and large rooms."""
    small, large = Kind.SMALL_POST.value, Kind.LARGE_POST.value
    posts = [found.by_kind[kind][part] for kind in (small, large)]
    each = max(0.0, (posts[1] - posts[0]) / (run.members[large] - run.members[small]))
    return {
        Act.POST.value: max(0.0, posts[0] - each * run.members[small]),
        MEMBER: each,
        **{act.value: found.by_kind[act.value][part] for act in Act if act is not Act.POST},
    }


def renew(rows: Iterable[Row], docs: Path = DOCS) -> Costs:
    """Put the rows into the table, and write the page that follows from it. Returns the table."""
    renewed = Costs.read(docs / table.FILE).renewed(rows)
    renewed.write(docs / table.FILE)
    (docs / page.PAGE).write_text(page.page(renewed), encoding="utf-8")
    return renewed

"""What is measured, what is to be reached, and what a row found."""

from dataclasses import dataclass, field
from enum import Enum
from operator import ge, le, lt

_COMPARISONS = {">=": ge, "<=": le, "<": lt}


class Better(Enum):
    """Which way a ratio should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Limit:
    """What a measured value must reach: a comparison, a number, and perhaps a unit."""

    text: str  # as the table shows it

    @property
    def number(self) -> float:
        return float(self.text.split()[1])

    @property
    def better(self) -> Better:
        return Better.HIGHER if self.text.startswith(">") else Better.LOWER

    def holds(self, value: float) -> bool:
        return bool(_COMPARISONS[self.text.split()[0]](value, self.number))


@dataclass(frozen=True)
class Measure:
    """One row of the table."""

    letter: str  # its label in the table
    name: str  # of its function in `rows`
    what: str
    limits: tuple[Limit, ...]

    @property
    def reach(self) -> str:
        return ", ".join(limit.text for limit in self.limits)

    @property
    def better(self) -> Better:
        return self.limits[-1].better

    def reached(self, *values: float) -> bool:
        """Whether each value is within its limit, in the order of the limits."""
        return all(limit.holds(value) for limit, value in zip(self.limits, values, strict=True))


def _measure(letter: str, name: str, what: str, *limits: str) -> Measure:
    return Measure(letter, name, what, tuple(Limit(limit) for limit in limits))


MEASURES = {
    measure.name: measure
    for measure in (
        _measure(
            "a",
            "put_ceiling",
            "PUT lastRead per second / no-op raw ASGI application on uvicorn",
            ">= 0.40 (try for 0.50)",
        ),
        _measure("b", "pool_ratio", "PUT lastRead per second / the same service on redis-py's pool", ">= 2.0"),
        _measure("c", "badge_ratio", "GET /me/badge (total) / PUT lastRead, per second", ">= 1.1"),
        _measure(
            "d", "bulk_ratio", "cursor moves in bulk of 100 / single PUTs, per second of the worker's core", ">= 5"
        ),
        _measure("e", "open_latency", "p99 and p99.9 at half of the capacity, open arrivals", "<= 5 ms", "<= 20 ms"),
        _measure(
            "f", "script_ratio", "FCALL mark_read, forward / EVALSHA `return 1`, redis-benchmark -P 1 -c 50", ">= 0.35"
        ),
        _measure(
            "g",
            "post_by_room_size",
            "server time of a post into a room of 20 / of 200, all attentive / of 1,000,000, few attentive",
            "<= 0.12 ms",
            "<= 1.0 ms",
            "<= 2 times a room of 2",
        ),
        _measure(
            "h",
            "memory_per_state",
            "memory per (user, room), attentive / inattentive: rooms of 20, 50 rooms a user, two tags, all indexes",
            "<= 160 bytes",
            "<= 110 bytes",
        ),
        _measure(
            "i",
            "many_states",
            "p99 of PUT lastRead over HTTP, open arrivals: 1,000,000 read states loaded / 10,000",
            "<= 1.3",
        ),
        _measure("j", "worker_cpu", "CPU per call of 4 workers together / of 1 worker", "<= 1.1"),
        _measure(
            "k",
            "receipts_page",
            "receipts, a page of 50: rooms of 100, 10,000 and 1,000,000 members, dearest / cheapest",
            "<= 2",
        ),
        _measure("l", "journal_memory", "journal: memory per move of a cursor", "<= 24 bytes"),
        _measure("m", "receipts_memory", "memory for receipts / with a row per (message, member), same traffic", "< 1"),
        _measure(
            "n",
            "event_cost",
            "mark_read with an event for webhooks / without, time per call, redis-benchmark -P 1 -c 50",
            "<= 1.10",
        ),
        _measure(
            "o",
            "mixed_day",
            "store time of a day / with all attentive: rooms of 2 to 250, 7 % and 22 % online; of 2 to 20",
            "<= 0.25",
            "<= 0.40",
            "<= 0.70",
            "<= 0.85",
        ),
        _measure(
            "p",
            "post_by_attention",
            "server time of a post: room of 200 with 20 attentive / of 10,000 with 100 attentive",
            "<= 0.25 ms",
            "<= 1.0 ms",
        ),
        _measure(
            "q",
            "worst_mix",
            "store time of the worst mix / with all attentive; a badge with 500 rooms on the list; the next one "
            "/ later ones",
            "<= 1.2",
            "<= 5 ms",
            "<= 1.2 times",
        ),
        _measure(
            "r",
            "message_memory",
            "memory of a remembered message: ids of 24 hex digits / of 36 characters",
            "<= 60 bytes",
            "<= 100 bytes",
        ),
        _measure(
            "s",
            "all_memory",
            "memory in all, 1,000,000 messages in 10,000 rooms / with layout 1",
            "<= 0.4",
        ),
        _measure(
            "t",
            "dearest_calls",
            "dearest call of a user at the limits: longest script, others wait for the worker",
            "<= 25 ms",
            "<= 20 ms",
        ),
        _measure(
            "u",
            "cluster_cost",
            "PUT lastRead, cluster of 3 primaries / one server: worker's CPU, 32 in flight; p50, 1 in flight",
            "<= 1.45",
            "<= 1.7",
        ),
        _measure(
            "v",
            "delivery_cpu",
            "worker's CPU of a delivery: rooms of 20 with sockets, reads over HTTP included",
            "<= 10 us",
        ),
        _measure(
            "w",
            "emit_ratio",
            "CPU of a delivery alone / Node's `socket.io` emitting the same frames, rooms of 20",
            "<= 0.6",
        ),
        _measure("x", "unconcerned_notice", "worker's CPU of a notice that concerns none of its sockets", "<= 0.2 us"),
        _measure(
            "y",
            "deployment_cpu",
            "CPU of a read, 8 workers with users of their own / 1 worker, sockets included",
            "<= 1.15",
        ),
        _measure(
            "z",
            "notice_latency",
            "p50 and p99 of a notice, end to end, at 5,000 deliveries a second",
            "<= 1 ms",
            "<= 5 ms",
        ),
        _measure("aa", "socket_memory", "worker's memory of an idle, authenticated socket in 50 rooms", "<= 14 KiB"),
        _measure(
            "ab",
            "idle_sockets",
            "8,000 idle sockets: share of the worker's core; p99 of PUT lastRead at 1,000 a second beside them",
            "<= 2 %",
            "<= 10 ms",
        ),
        _measure("ac", "connecting", "sockets that connect and authenticate per second, 50 rooms each", ">= 2500"),
        _measure(
            "ad", "many_sockets", "15,000 sockets on a worker: until all are in; lost afterwards", "<= 30 s", "<= 0"
        ),
        _measure(
            "ae",
            "churn_memory",
            "worker's growth while 200 sockets come and go each second; sockets and subscriptions left by the gauges",
            "<= 1 MiB",
            "<= 0",
        ),
        _measure(
            "af",
            "overload",
            "3 times the reads that the service can do, each heard by 20: goodput / the most; until it has recovered",
            ">= 0.9",
            "<= 5 s",
        ),
        _measure(
            "ag",
            "hostile_sockets",
            "p99 of notices to 5,000 honest sockets, with 1,000 hostile ones / without",
            "< 1.2",
        ),
        _measure(
            "ah",
            "read_storm",
            "1,000 members of a room with sockets read one message: until all have heard; longest delay elsewhere",
            "<= 2 s",
            "<= 50 ms",
        ),
    )
}
NAMES = {measure.letter: measure.name for measure in MEASURES.values()}


@dataclass(frozen=True)
class RowResult:
    """What a row found."""

    measured: str
    reached: bool | None  # None: not measured
    ratio: float | None = None  # what `make bench-check` compares; None: it compares nothing
    notes: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()  # what the ratio was made from: a header and lines


@dataclass
class Plots:
    """What the pictures show. The rows fill it in."""

    throughput: list[tuple[str, float]] = field(default_factory=list)  # what, calls per second
    latency: list[tuple[float, dict[str, float]]] = field(default_factory=list)  # calls per second, percentile -> ms
    memory: list[tuple[str, float]] = field(default_factory=list)  # rooms of a user, bytes per read state


def not_measured(why: str) -> RowResult:
    return RowResult(f"not measured: {why}", None)


def say(sentence: str) -> None:
    """Tell the user of the command how far it is."""
    print(f"  {sentence}", flush=True)

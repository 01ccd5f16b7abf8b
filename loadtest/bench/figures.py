"""What is measured, what is to be reached, and what a row found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Better(Enum):
    """Which way a ratio should go."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Measure:
    """One row of the table."""

    row: str
    what: str
    reach: str


MEASURES = {
    measure.row: measure
    for measure in (
        Measure("a", "PUT lastRead per second / no-op raw ASGI application on uvicorn", ">= 0.40, try for 0.50"),
        Measure("b", "PUT lastRead per second / the same service on redis-py's pool", ">= 2.0"),
        Measure("c", "GET /me/badge (total) / PUT lastRead, per second", ">= 1.1"),
        Measure("d", "cursor moves in bulk of 100 / single PUTs, per second of the worker's core", ">= 5"),
        Measure("e", "p99 and p99.9 at half of the capacity, open arrivals", "<= 5 ms, <= 20 ms"),
        Measure("f", "FCALL mark_read, forward / EVALSHA `return 1`, redis-benchmark -P 1 -c 50", ">= 0.35"),
        Measure(
            "g",
            "server time of a post into a room of 20 / of 200 / of 1,000,000 members",
            "<= 0.1 ms, <= 0.6 ms, <= twice a room of 2",
        ),
        Measure("h", "memory per (user, room): rooms of 20, 50 rooms a user, two tags, all indexes", "<= 200 bytes"),
        Measure("i", "p99 of PUT lastRead over HTTP, open arrivals: 1,000,000 read states loaded / 10,000", "<= 1.3"),
        Measure("j", "CPU per call of 4 workers together / of 1 worker", "<= 1.1"),
        Measure("k", "receipts, a page of 50: rooms of 100, 10,000 and 1,000,000 members, dearest / cheapest", "<= 2"),
        Measure("l", "journal: memory per move of a cursor", "<= 24 bytes"),
        Measure("m", "memory for receipts / with a row per (message, member), same traffic", "less than 1"),
        Measure(
            "n", "mark_read with an event for webhooks / without, time per call, redis-benchmark -P 1 -c 50", "<= 1.10"
        ),
        Measure(
            "o",
            "dearest call of a user at the limits: longest script, others wait for the worker",
            "<= 25 ms, <= 20 ms",
        ),
    )
}


@dataclass(frozen=True)
class Outcome:
    """What a row found. `ratio` is what `make bench-check` compares; rows that have none are not compared."""

    measured: str
    reached: bool | None  # None: not measured
    ratio: float | None = None
    better: Better = Better.HIGHER
    notes: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()  # what the ratio was made from: a header and lines


@dataclass
class Plots:
    """What the pictures show; rows fill it in."""

    throughput: list[tuple[str, float]] = field(default_factory=list)  # what, calls per second
    latency: list[tuple[float, dict[str, float]]] = field(default_factory=list)  # calls per second, percentile -> ms
    memory: list[tuple[str, float]] = field(default_factory=list)  # rooms of a user, bytes per read state


def not_measured(why: str) -> Outcome:
    return Outcome(f"not measured: {why}", None)


def say(sentence: str) -> None:
    """Progress, for whoever waits."""
    print(f"  {sentence}", flush=True)


Row = Callable[..., Outcome]

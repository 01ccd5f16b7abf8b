"""Row e: how long callers wait, at arrival rates that do not depend on the answers."""

from collections.abc import Iterator
from statistics import median

from loadtest.bench.bench import Bench
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.locust_run import LocustResult

HALF = 0.5
KEPT_SHARE = 0.97  # of the arrivals asked for; with fewer the service was too slow
FULL_SHARE = 0.9  # of its time the driver's core is busy: from here on the driver measures itself
STEP_DOWN, TRIES = 0.75, 4
HEADER = (
    "share of capacity",
    "arrivals per second, asked",
    "reached",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "p99.9 ms",
    "driver late, p99 ms",
    "driver's core busy",
)


def open_latency(bench: Bench) -> RowResult:
    """The figure is at half of the capacity, or at the most that the driver can keep.

    Other loads are for the picture.
    """
    lengths = bench.lengths
    capacity = bench.capacity or median(bench.reads(bench.service, lengths.sample_s).rate for _ in range(lengths.pairs))
    half = _keepable(bench, HALF * capacity)
    figure = _at(bench, half, lengths.half_load_s)
    rewrites = bench.valkey.info("persistence").get("aof_rewrites", 0)  # since the arrivals began
    found = {half: figure}
    for share in lengths.loads:
        rate = share * capacity
        # Rates well above what the driver keeps would measure the driver.
        if rate < half or half == HALF * capacity:
            found[rate] = _at(bench, rate, lengths.load_s)
    shown = {rate: one for rate, one in sorted(found.items()) if one.core_busy <= FULL_SHARE or rate == half}
    bench.plots.latency += [(one.rate, one.latency_ms) for one in shown.values()]
    p99, p999 = figure.latency_ms["99"], figure.latency_ms["99.9"]
    return RowResult(
        f"{p99:.1f} ms, {p999:.1f} ms at {figure.rate:,.0f} a second",
        MEASURES["open_latency"].reached(p99, p999) and half == HALF * capacity,
        notes=tuple(_notes(capacity, half, figure, len(found) - len(shown), rewrites)),
        table=(HEADER, *(_line(rate / capacity, rate, one) for rate, one in shown.items())),
    )


def _keepable(bench: Bench, rate: float) -> float:
    """`rate`, or the next lower one at which the driver's core has time to spare."""
    for _ in range(TRIES - 1):
        if _at(bench, rate, bench.lengths.load_s).core_busy <= FULL_SHARE:
            break
        rate *= STEP_DOWN
    return rate


def _at(bench: Bench, rate: float, seconds: float) -> LocustResult:
    say(f"open arrivals, {rate:,.0f} a second for {seconds:.0f} s")
    return bench.arrivals(rate, seconds)


def _notes(capacity: float, half: float, figure: LocustResult, hidden: int, rewrites: int) -> Iterator[str]:
    yield f"The capacity is {capacity:,.0f} PUT lastRead a second (closed, 64 connections)."
    if half < HALF * capacity:
        yield (
            f"Above {half:,.0f} arrivals a second the core of Locust and Valkey is full. That is "
            f"{half / capacity:.0%} of the capacity."
        )
    if figure.core_busy > FULL_SHARE:
        yield "Even then it was full: the figure shows the machine, not the service."
    if figure.rate < KEPT_SHARE * half:
        yield "The service did not keep up with the arrivals."
    yield (
        f"Meanwhile the append-only file was rewritten {rewrites} times, by a process on the core of "
        "Valkey and the driver."
    )
    if hidden:
        yield f"{hidden} higher loads are not shown, since the driver's core was full."
    yield "What the driver is late by is part of every latency."


def _line(share: float, asked: float, found: LocustResult) -> tuple[str, ...]:
    latency = [f"{found.latency_ms[name]:.2f}" for name in ("50", "90", "99", "99.9")]
    return (
        f"{share:.0%}",
        f"{asked:,.0f}",
        f"{found.rate:,.0f}",
        *latency,
        f"{found.lag_ms.get('99', 0.0):.2f}",
        f"{found.core_busy:.0%}",
    )

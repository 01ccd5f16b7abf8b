"""Row e: how long callers wait, at arrival rates that do not depend on the answers."""

from statistics import median

from loadtest.bench import locust_run
from loadtest.bench.figures import Outcome, say
from loadtest.bench.locust_run import Found
from loadtest.bench.machine import BenchError
from loadtest.bench.stage import Stage

HALF = 0.5
P99_MS, P999_MS = 5.0, 20.0
KEPT_SHARE = 0.97  # of the arrivals asked for; with fewer the driver was too slow
BUSY_SHARE = 0.85  # of its core, from which on the driver measures itself
STEP_DOWN = 0.75
HEADER = (
    "share of capacity",
    "arrivals per second, asked",
    "reached",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "p99.9 ms",
    "driver late, p99 ms",
    "driver busy",
)


def open_arrivals(stage: Stage) -> Outcome:
    """Several loads for the picture; the figure is at half of the capacity, or at the most that the driver can keep."""
    lengths = stage.lengths
    capacity = stage.capacity or median(stage.reads(stage.service, lengths.slice_s).rate for _ in range(lengths.pairs))
    lines, notes = [], []
    figure = None
    for share in lengths.loads:
        is_figure = share == HALF
        asked, found = _at(stage, share * capacity, lengths.half_load_s if is_figure else lengths.load_s)
        while is_figure and not _kept(asked, found):
            say(f"Locust does not keep {asked:,.0f} a second; trying fewer")
            asked, found = _at(stage, asked * STEP_DOWN, lengths.half_load_s)
        if _kept(asked, found):
            stage.plots.latency.append((found.rate, found.latency_ms))
        else:
            notes.append(f"At {share:.0%} of the capacity Locust was the bottleneck; that line says more about it than about the service.")
        if is_figure:
            figure = found
            share = asked / capacity
            if share < HALF * KEPT_SHARE:
                notes.append(
                    f"Locust on one core keeps no more than {asked:,.0f} arrivals a second: {share:.0%} of the capacity, not half."
                )
        lines.append(_line(share, asked, found))
    if figure is None:
        raise BenchError("half of the capacity is not among the loads")
    p99, p999 = figure.latency_ms["99"], figure.latency_ms["99.9"]
    notes.append("Locust's timers have a resolution of 1 ms; what it is late by is part of every latency.")
    return Outcome(
        f"{p99:.1f} ms, {p999:.1f} ms at {figure.rate:,.0f} a second",
        p99 <= P99_MS and p999 <= P999_MS,
        notes=tuple(notes),
        table=(HEADER, *lines),
    )


def _at(stage: Stage, rate: float, seconds: float) -> tuple[float, Found]:
    say(f"open arrivals, {rate:,.0f} a second for {seconds:.0f} s")
    stage.make_ready(stage.people, stage.walk, 1.1 * rate * (seconds + stage.lengths.warm_s) + 1000)
    found = locust_run.at_rate(stage.service, stage.walk, rate, stage.lengths.warm_s, seconds)
    if found.failed:
        raise BenchError(f"{found.failed} of {found.calls} calls were not answered with 200")
    stage.walk.position = found.position
    return rate, found


def _kept(asked: float, found: Found) -> bool:
    return found.rate >= KEPT_SHARE * asked and found.driver_busy <= BUSY_SHARE


def _line(share: float, asked: float, found: Found) -> tuple[str, ...]:
    latency = [f"{found.latency_ms[name]:.2f}" for name in ("50", "90", "99", "99.9")]
    return (f"{share:.0%}", f"{asked:,.0f}", f"{found.rate:,.0f}", *latency, f"{found.lag_ms['99']:.2f}", f"{found.driver_busy:.0%}")

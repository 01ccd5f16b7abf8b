"""Row i: does "mark read" take longer when there is more to remember?"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from statistics import median

from loadtest.bench.bench import Bench, median_ratio
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.locust_run import LocustResult

FEW_USERS = 200
SHARE = 0.2  # of the capacity with few read states: neither the service nor the driver is ever short of time
INSIDE_S = 2  # of closed load, for what Valkey itself says
HEADER = ("read states loaded", "p50 ms", "p99 ms", "p99.9 ms", "driver's core busy", "inside Valkey: p50 us", "p99 us")


@dataclass(frozen=True)
class Turn:
    """One turn on one side."""

    outside: LocustResult
    inside_us: dict[str, float]  # percentiles of the server time of FCALL


def many_states(bench: Bench) -> RowResult:
    """Two services with a Valkey each get the same arrivals in turn. The other one rests."""
    with ExitStack() as stack:
        many, few = (
            stack.enter_context(Bench(replace(bench.lengths, users=users)))
            for users in (bench.lengths.many_users, FEW_USERS)
        )
        rate = SHARE * few.reads(few.service, INSIDE_S).rate
        say(f"mark_read on both in turn, {rate:,.0f} a second for {bench.lengths.load_s:.0f} s")
        _turn(many, rate), _turn(few, rate)
        pairs = [(_turn(many, rate), _turn(few, rate)) for _ in range(bench.lengths.pairs)]
        states = (many.people.size.states, few.people.size.states)
    ratio = median_ratio((one.outside.latency_ms["99"], other.outside.latency_ms["99"]) for one, other in pairs)
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["many_states"].reached(ratio),
        ratio,
        notes=(
            f"Open arrivals, {rate:,.0f} a second, {SHARE:.0%} of the capacity. The times are those of a "
            "caller: HTTP, the worker and "
            "waiting are in them, weigh more than what Valkey does, and are the same whatever is loaded.",
            f"Inside Valkey alone: p50 {_inside(pairs, 'p50'):.2f} times, p99 {_inside(pairs, 'p99'):.2f} "
            "times. That is the server "
            f"time of FCALL, from Valkey's own histogram, under closed load of {INSIDE_S} s after each turn.",
            "All calls are forward moves, over read states chosen at random; no turn began while the "
            "append-only file was being rewritten.",
        ),
        table=(HEADER, *(_line(count, [pair[at] for pair in pairs]) for at, count in enumerate(states))),
    )


def _turn(bench: Bench, rate: float) -> Turn:
    bench.valkey.wait_until_quiet()
    outside = bench.arrivals(rate, bench.lengths.load_s)
    bench.reads(bench.service, INSIDE_S)
    found = bench.valkey.info("latencystats")["latency_percentiles_usec_fcall"]
    return Turn(outside, {name: float(found[name]) for name in ("p50", "p99")})


def _inside(pairs: list[tuple[Turn, Turn]], name: str) -> float:
    return median_ratio((one.inside_us[name], other.inside_us[name]) for one, other in pairs)


def _line(states: int, turns: list[Turn]) -> tuple[str, ...]:
    outside = [f"{median(turn.outside.latency_ms[name] for turn in turns):.2f}" for name in ("50", "99", "99.9")]
    inside = [f"{median(turn.inside_us[name] for turn in turns):.1f}" for name in ("p50", "p99")]
    return (f"{states:,}", *outside, f"{median(turn.outside.core_busy for turn in turns):.0%}", *inside)

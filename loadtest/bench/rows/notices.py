"""Rows z, af and ah: how long notices take, under an even load, under too much, and in a storm."""

import asyncio
import time
from collections import Counter
from statistics import median

from loadtest.bench.bench import Audience, Bench, run
from loadtest.bench.callers import Callers, callers
from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.emitters import cpu_s
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import BenchError
from loadtest.bench.population import PopulationSize
from loadtest.bench.processes import HttpServer
from loadtest.bench.storm import Storm, storm
from loadtest.bench.timing import NoticeTiming

DELIVERIES = 5_000  # a second, in row z
CONNECTIONS, MANY_CONNECTIONS = 64, 512
OVERLOAD = 3  # times what the service can do
PATIENCE_S = 1.0  # of a caller who finds no connection
CALM_S = 0.1  # an answer within it shows that the overload is over
WINDOW_S = 0.5
AFTER_S = 8.0  # of half the load, in which it has to be
CALM = PopulationSize("calm", users=20, rooms_each=50)
CALM_RATE = 100  # reads a second in other rooms


def notice_latency(bench: Bench) -> RowResult:
    """Row z: from the moment at which a read is due to its arrival at each of 20 sockets."""
    audience, service, lengths = bench.http_audience, bench.service, bench.lengths
    rate = DELIVERIES / PopulationSize.room_size

    async def measure() -> tuple[dict[str, float], float]:
        timing = NoticeTiming(audience.people)
        async with (
            crowd(service, list(audience.tokens.values())) as ours,
            callers(service, audience.reads_file, CONNECTIONS, timing.on_call) as calling,
        ):
            await asyncio.to_thread(bench.make_ready, audience.people, audience.reads_file, 2 * rate * lengths.load_s)
            await calling.open(rate, lengths.warm_s)
            timing.watch(ours)
            begun, before = cpu_s(service), ours.heard
            await calling.open(rate, lengths.load_s)
            await calling.finish()
            expected = len(calling.answers_s) * PopulationSize.room_size
            await ours.settled(before + expected)
            return timing.percentiles(), (cpu_s(service) - begun) / lengths.load_s

    say(f"{rate:.0f} reads a second, {DELIVERIES:,} deliveries")
    found, busy = run(measure())
    p50, p99 = found["50"], found["99"]
    return RowResult(
        f"{p50:.2f} ms, {p99:.2f} ms",
        MEASURES["notice_latency"].reached(p50, p99),
        p99,
        notes=(
            f"Open arrivals over HTTP for {lengths.load_s:.0f} s; {len(audience.tokens):,} sockets. p90 "
            f"{found['90']:.2f} ms, p99.9 {found['99.9']:.2f} ms. The worker was busy for {busy:.0%} of the time. "
            "Callers and sockets are one process on the core of Valkey; what that is late by is in the times.",
        ),
    )


def overload(bench: Bench) -> RowResult:
    """Row af: three times as many reads as the service can do, each heard by 20 sockets."""
    audience, service, lengths = bench.http_audience, bench.service, bench.lengths

    async def measure() -> tuple[float, float, float, int, float]:
        async with (
            crowd(service, list(audience.tokens.values())) as ours,
            callers(service, audience.reads_file, MANY_CONNECTIONS) as calling,
        ):
            await _peak(bench, audience, calling)  # a warm-up
            peak = median([await _peak(bench, audience, calling) for _ in range(lengths.pairs)])
            say(f"{peak:,.0f} reads a second are the most; {OVERLOAD} times as many for {lengths.overload_s:.0f} s")
            await _make_ready(bench, audience, 1.5 * peak * lengths.overload_s)
            before = await ours.settled(ours.heard)
            calling.forget()
            begun = time.perf_counter()
            await calling.open(OVERLOAD * peak, lengths.overload_s, PATIENCE_S)
            ended = time.perf_counter()
            goodput, given_up = len(calling.answers_s) / (ended - begun), calling.given_up
            await calling.open(peak / 2, AFTER_S)
            await calling.finish()
            recovery_s = _recovery_s(calling, ended)
            expected = len(calling.answers_s) * PopulationSize.room_size
            heard = await ours.settled(before + expected) - before
            if calling.failed:
                raise BenchError(f"{calling.failed} calls were not answered with 200")
            return goodput / peak, recovery_s, heard / expected, given_up, peak

    share, recovery_s, heard, given_up, peak = run(measure())
    return RowResult(
        f"{share:.2f} in {lengths.overload_s:.0f} s, {recovery_s:.1f} s",
        MEASURES["overload"].reached(share, recovery_s),
        share,
        notes=(
            f"{OVERLOAD} times {peak:,.0f} reads a second for {lengths.overload_s:.0f} s ({_whole(120)}), over "
            f"{MANY_CONNECTIONS} connections; {given_up:,} calls found none within {PATIENCE_S:.0f} s and were given "
            f"up. The most is that of as many connections, closed load. Of the deliveries of all that were answered "
            f"{heard:.2%} arrived. It has recovered when, at half the load, nine of ten calls are answered within "
            f"{CALM_S * 1000:.0f} ms in each half second from then on.",
        ),
    )


def _whole(seconds: int) -> str:
    return f"with `--whole` {seconds} s"


def _recovery_s(calling: Callers, ended: float) -> float:
    """Seconds from the end of the overload to that of the last slow half second."""
    answers, slow = Counter[int](), Counter[int]()
    for at, answer_s in zip(calling.ended_at, calling.answers_s, strict=True):
        if at > ended:
            window = int((at - ended) / WINDOW_S)
            answers[window] += 1
            slow[window] += answer_s > CALM_S
    return max(((window + 1) * WINDOW_S for window in answers if slow[window] > answers[window] / 10), default=0.0)


async def _make_ready(bench: Bench, audience: Audience, calls: float) -> None:
    await asyncio.to_thread(bench.make_ready, audience.people, audience.reads_file, calls)


async def _peak(bench: Bench, audience: Audience, calling: Callers) -> float:
    """Reads a second of closed load."""
    seconds = bench.lengths.sample_s
    await _make_ready(bench, audience, 20_000 * seconds)
    return await calling.closed(seconds, MANY_CONNECTIONS)


def read_storm(bench: Bench) -> RowResult:
    """Row ah: all members of a room read one message at once, each with a socket."""
    members = bench.lengths.storm
    loud = bench.audience(PopulationSize("storm", members, rooms_each=1, room_size=members))
    calm = bench.audience(CALM)

    async def measure(service: HttpServer) -> list[tuple[float, float, float]]:
        timing = NoticeTiming(calm.people)
        async with (
            storm(service, list(loud.tokens.values())) as storming,
            crowd(service, list(calm.tokens.values())) as others,
            callers(service, calm.reads_file, CONNECTIONS, timing.on_call) as calling,
        ):
            return [
                await _storm(bench, storming, others, calling, timing, loud, calm) for _ in range(bench.lengths.pairs)
            ]

    say(f"{members:,} members of a room read one message")
    with bench.serve("readstate") as service:
        storms = run(measure(service))
    took_s = median(took for took, _, _ in storms)
    delay_ms = median(most for _, most, _ in storms)
    return RowResult(
        f"{took_s:.2f} s, {delay_ms:.0f} ms",
        MEASURES["read_storm"].reached(took_s, delay_ms),
        took_s,
        notes=(
            f"{members**2:,} events, each counted at its socket. Reads in other rooms, {CALM_RATE} a second, were "
            f"heard after {delay_ms:.0f} ms at most (p50 {median(p50 for _, _, p50 in storms):.1f} ms); medians of "
            f"{len(storms)} storms, of which the longest took {max(took for took, _, _ in storms):.2f} s. The sockets "
            "of the storm, which read a hundred megabytes, are one process; the callers and those who hear them are "
            "another on the same core.",
        ),
    )


async def _storm(
    bench: Bench,
    storming: Storm,
    others: Crowd,
    calling: Callers,
    timing: NoticeTiming,
    loud: Audience,
    calm: Audience,
) -> tuple[float, float, float]:
    """How long one storm took, and the longest and the middle delay in other rooms in ms."""
    calls, room = CALM_RATE * 10, loud.people.rooms[0][0]
    await _make_ready(bench, loud, loud.people.size.states)
    await _make_ready(bench, calm, calls)
    message = loud.people.newest
    timing.watch(others)
    calm_load = asyncio.create_task(calling.open(CALM_RATE, 3.0))
    await asyncio.sleep(0.5)
    took_s = await storming.read(room, message)
    await calm_load
    await calling.finish()
    loud.reads_file.position += loud.reads_file.length  # these were read over sockets
    return took_s, max(timing.latencies_s) * 1000, timing.percentiles()["50"]

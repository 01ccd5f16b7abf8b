"""Rows aa to ae: what sockets cost that hear nothing, that come, and that come and go."""

import asyncio
import re
import time
import urllib.request
from collections.abc import Sequence
from itertools import islice
from statistics import median

import psutil

from loadtest.bench.bench import Audience, Bench, run
from loadtest.bench.callers import callers
from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.emitters import cpu_s
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import BenchError
from loadtest.bench.population import PopulationSize
from loadtest.bench.processes import HttpServer
from readstate.bench.percentiles import percentiles

SETTLE_S = 2.0  # after the last socket has come
FIRST = 100  # sockets before memory counts: all code has run then
MARK_READS = 1_000  # a second, beside idle sockets
CONNECTIONS = 64
CHURN_RATE = 200  # sockets a second
CHURNERS = 1_000  # users, each of whom comes every five seconds
FAILED_SHARE = 0.01  # of the sockets, that may be asked to come again
ABRUPT = 20  # every so many leave without a word
STAY_S = 4.0  # of each
WARM_SHARE = 0.25  # of the time of churn, before memory counts
GONE_S = 15.0  # until all gauges have to be back
EXPECT_SUBSCRIPTIONS = 5.5  # seconds for which a worker keeps a subscription that nothing needs


def everybody(bench: Bench) -> Audience:
    """The people of these rows. Each is in 50 rooms of 20."""
    return bench.audience(PopulationSize("sockets", bench.lengths.sockets))


def _tokens(bench: Bench, count: int) -> Sequence[str]:
    return list(islice(everybody(bench).tokens.values(), count))


def socket_memory(bench: Bench) -> RowResult:
    """Row aa: growth of the worker by sockets of all members of their rooms."""
    some = list(islice(bench.http_audience.tokens.values(), FIRST))
    tokens = list(bench.audience(PopulationSize("idle", bench.lengths.memory_sockets)).tokens.values())

    async def measure(service: HttpServer) -> tuple[int, int]:
        async with crowd(service, some) as ours:
            await asyncio.sleep(SETTLE_S)
            before = _memory(service)
            await ours.connect_all(tokens)
            await asyncio.sleep(SETTLE_S)
            return before, _memory(service)

    say(f"{len(tokens):,} sockets on a worker")
    with bench.serve("readstate") as service:
        before, after = run(measure(service))
    each = (after - before) / len(tokens) / 1024
    return RowResult(
        f"{each:.1f} KiB",
        MEASURES["socket_memory"].reached(each),
        each,
        notes=(
            f"Growth of the worker's resident memory by {len(tokens):,} sockets beside {len(some)} others, from "
            f"{before / 2**20:.0f} to {after / 2**20:.0f} MiB. Each socket is of another user, in "
            f"{PopulationSize.rooms_each} rooms whose 20 members all have one, so what the worker knows of users and "
            "rooms is in it.",
        ),
    )


def _memory(server: HttpServer) -> int:
    return sum(int(psutil.Process(worker).memory_info().rss) for worker in server.workers())


def idle_sockets(bench: Bench) -> RowResult:
    """Row ab: sockets that only answer pings; then with reads by others beside them."""
    lengths, tokens = bench.lengths, _tokens(bench, bench.lengths.idle_sockets)
    readers = bench.http_audience

    async def measure(service: HttpServer) -> tuple[float, dict[str, float]]:
        async with (
            crowd(service, tokens) as ours,
            callers(service, readers.reads_file, CONNECTIONS) as calling,
        ):
            await asyncio.sleep(SETTLE_S)
            begun = cpu_s(service)
            await asyncio.sleep(lengths.idle_s)
            busy = (cpu_s(service) - begun) / lengths.idle_s
            calls = MARK_READS * (lengths.load_s + lengths.warm_s) * 1.2
            await asyncio.to_thread(bench.make_ready, readers.people, readers.reads_file, calls)
            await calling.open(MARK_READS, lengths.warm_s)
            calling.forget()
            await calling.open(MARK_READS, lengths.load_s)
            await calling.finish()
            if ours.lost or calling.failed:
                raise BenchError(f"{ours.lost} sockets were lost, {calling.failed} calls failed")
            return busy, percentiles(calling.answers_s)

    with bench.serve("readstate") as service:
        say(f"{len(tokens):,} idle sockets for {lengths.idle_s:.0f} s")
        busy, latency_ms = run(measure(service))
    return RowResult(
        f"{busy:.1%} for {len(tokens):,}, {latency_ms['99']:.2f} ms",
        MEASURES["idle_sockets"].reached(busy * 100, latency_ms["99"]),
        busy * 100,
        notes=(
            f"{len(tokens):,} sockets, of which each answers a ping every 25 s, for {lengths.idle_s:.0f} s. Then "
            f"{MARK_READS:,} PUT lastRead a second beside them, open arrivals over HTTP for {lengths.load_s:.0f} s: "
            f"p50 {latency_ms['50']:.2f} ms.",
        ),
    )


def connecting(bench: Bench) -> RowResult:
    """Row ac: sockets with a token in the handshake, as fast as they come in."""
    tokens = _tokens(bench, bench.lengths.connected)

    async def measure(service: HttpServer) -> list[tuple[float, float]]:
        found = []
        for _ in range(max(2, bench.lengths.pairs)):
            ours, begun = Crowd(service), cpu_s(service)
            seconds = await ours.connect_all(tokens)
            found.append((len(tokens) / seconds, (cpu_s(service) - begun) / len(tokens) * 1e6))
            await ours.leave()
            # So that the next ones find no subscriptions.
            await asyncio.sleep(EXPECT_SUBSCRIPTIONS)
        return found[1:]

    say(f"{len(tokens):,} sockets connect")
    with bench.serve("readstate") as service:
        found = run(measure(service))
    rate, cpu_us = (median(one[at] for one in found) for at in (0, 1))
    return RowResult(
        f"{rate:,.0f} a second",
        MEASURES["connecting"].reached(rate),
        rate,
        notes=(
            f"{len(tokens):,} sockets of as many users in {PopulationSize.rooms_each} rooms each, 128 at a time: TCP, "
            "websocket, token, rooms, subscriptions. No token, room or subscription was known to the worker "
            f"but from a time before. {cpu_us:.0f} us of the worker's CPU each, {1e6 / cpu_us:,.0f} a second of its "
            "core; Valkey and the sockets themselves share the other one.",
        ),
    )


def many_sockets(bench: Bench) -> RowResult:
    """Row ad: all sockets at once, which then stay for a while."""
    lengths, tokens = bench.lengths, _tokens(bench, bench.lengths.sockets)

    async def measure(service: HttpServer) -> tuple[float, int, int]:
        ours = Crowd(service)
        try:
            seconds = await ours.connect_all(tokens)
            say(f"all are in after {seconds:.1f} s; they stay for {lengths.hold_s:.0f} s")
            await asyncio.sleep(lengths.hold_s)
            return seconds, ours.lost, _memory(service)
        finally:
            await ours.leave()

    say(f"{len(tokens):,} sockets on a worker")
    with bench.serve("readstate") as service:
        seconds, lost, memory = run(measure(service))
    return RowResult(
        f"{seconds:.1f} s for {len(tokens):,}, {lost} lost",
        MEASURES["many_sockets"].reached(seconds, lost),
        seconds,
        notes=(
            f"{len(tokens):,} sockets, held for {lengths.hold_s:.0f} s (with `--whole` 300 s). The worker's resident "
            f"memory was {memory / 2**20:.0f} MiB then.",
        ),
    )


def churn_memory(bench: Bench) -> RowResult:
    """Row ae: sockets come and go, some without a word."""
    lengths, tokens = bench.lengths, _tokens(bench, CHURNERS)

    async def measure(service: HttpServer) -> tuple[list[tuple[float, int]], dict[str, float]]:
        sizes: list[tuple[float, int]] = []
        ours, begun = Crowd(service), time.monotonic()
        leaving: set[asyncio.Task[None]] = set()
        failed: list[BenchError] = []
        number = 0
        while (elapsed := time.monotonic() - begun) < lengths.churn_s:
            while number < elapsed * CHURN_RATE:
                task = asyncio.create_task(
                    _visit(ours, tokens[number % len(tokens)], failed, abruptly=number % ABRUPT == 0)
                )
                leaving.add(task)
                task.add_done_callback(leaving.discard)
                number += 1
            if elapsed > lengths.churn_s * WARM_SHARE + len(sizes):
                sizes.append((elapsed, _memory(service)))
            await asyncio.sleep(0.01)
        await asyncio.gather(*leaving)
        if len(failed) > number * FAILED_SHARE:
            raise BenchError(f"{len(failed)} of {number} sockets did not come in: {failed[0]}")
        return sizes, await _gauges_back(service)

    say(f"{CHURN_RATE} sockets come and go each second, for {lengths.churn_s:.0f} s")
    with bench.serve("readstate") as service:
        sizes, left = run(measure(service))
    grown = _slope(sizes) * lengths.churn_s / 2**20
    return RowResult(
        f"{grown:.1f} MiB in {lengths.churn_s:.0f} s, {sum(left.values()):.0f} left",
        MEASURES["churn_memory"].reached(grown, sum(left.values())),
        notes=(
            f"{lengths.churn_s:.0f} s (with `--whole` 1200 s), every {ABRUPT}th left without a close frame; each "
            f"stayed for {STAY_S:.0f} s. A straight line through the worker's resident memory, once a second after the "
            "first quarter, rises by so much in that time. Left are sockets and subscriptions, by the gauges, "
            f"{GONE_S:.0f} s after the last at most.",
        ),
    )


async def _visit(ours: Crowd, token: str, failed: list[BenchError], *, abruptly: bool) -> None:
    try:
        socket = await ours.connect(token)
    except BenchError as error:
        failed.append(error)
        return
    await asyncio.sleep(STAY_S)
    socket.leave(abruptly=abruptly)
    ours.sockets.remove(socket)


async def _gauges_back(service: HttpServer) -> dict[str, float]:
    """What the gauges of sockets and subscriptions say when they are 0, or at last."""
    deadline = time.monotonic() + GONE_S
    while True:
        left = await asyncio.to_thread(_gauges, service)
        if not any(left.values()) or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.5)


def _gauges(service: HttpServer) -> dict[str, float]:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    found = re.findall(r"^readstate_(open_sockets|subscriptions) (\S+)$", page, re.MULTILINE)
    return {name: float(value) for name, value in found}


def _slope(points: Sequence[tuple[float, int]]) -> float:
    """Of the straight line that fits best."""
    times, sizes = zip(*points, strict=True)
    time_mean, size_mean = sum(times) / len(times), sum(sizes) / len(sizes)
    above = sum((at - time_mean) * (size - size_mean) for at, size in points)
    return float(above / sum((at - time_mean) ** 2 for at in times))

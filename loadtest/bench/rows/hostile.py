"""Row ag: what honest sockets notice of hostile ones."""

import asyncio
from contextlib import AsyncExitStack
from itertools import islice

from loadtest.bench.bench import Audience, Bench, median_ratio, run
from loadtest.bench.callers import Callers, callers
from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.hostile import KINDS, HostileCrowd
from loadtest.bench.machine import BenchError
from loadtest.bench.processes import HttpServer
from loadtest.bench.rows.sockets import everybody
from loadtest.bench.timing import NoticeTiming

CONNECTIONS = 64
READS = 200  # a second
BEGIN_S = 3.0  # in which the hostile ones come


def hostile_sockets(bench: Bench) -> RowResult:
    """Latency of the honest ones' notices with and without hostile ones, in turn."""
    lengths, audience = bench.lengths, everybody(bench)
    honest = list(islice(audience.tokens.values(), lengths.honest))
    # Of members of the same rooms: they are told of the same reads.
    hostile = list(audience.tokens.values())[-lengths.hostile :]

    async def measure(service: HttpServer) -> list[tuple[dict[str, float], dict[str, float]]]:
        timing = NoticeTiming(audience.people)
        async with (
            crowd(service, honest) as ours,
            callers(service, audience.reads_file, CONNECTIONS, timing.on_call) as calling,
        ):
            await _stretch(bench, audience, ours, calling, timing)
            pairs = []
            for _ in range(lengths.pairs):
                alone = await _stretch(bench, audience, ours, calling, timing)
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(HostileCrowd(service, hostile))
                    await asyncio.sleep(BEGIN_S)
                    pairs.append((await _stretch(bench, audience, ours, calling, timing), alone))
                await asyncio.sleep(BEGIN_S)
            if ours.lost:
                raise BenchError(f"{ours.lost} honest sockets were closed")
            return pairs

    say(f"{len(honest):,} honest sockets, with and without {len(hostile):,} hostile ones in turn")
    with bench.serve("readstate") as service:
        pairs = run(measure(service))
    ratio = median_ratio((one["99"], other["99"]) for one, other in pairs)
    middle = median_ratio((one["50"], other["50"]) for one, other in pairs)
    return RowResult(
        f"{ratio:.2f} with {len(hostile):,} beside {len(honest):,}",
        MEASURES["hostile_sockets"].reached(ratio),
        ratio,
        notes=(
            f"Of as many each: {', '.join((kind.__doc__ or '').rstrip('.').lower() for kind in KINDS)}. Those that are "
            f"cut off come again a second later. {READS} reads a second over HTTP. p50 {middle:.2f} times.",
            "All are one process on the core of Valkey, so what the hostile ones cost there is in the times.",
        ),
        table=(
            ("turn", "without, p50 ms", "p99 ms", "with, p50 ms", "p99 ms"),
            *(
                (str(turn), *(f"{found[name]:.2f}" for found in (alone, beside) for name in ("50", "99")))
                for turn, (beside, alone) in enumerate(pairs, 1)
            ),
        ),
    )


async def _stretch(
    bench: Bench, audience: Audience, ours: Crowd, calling: Callers, timing: NoticeTiming
) -> dict[str, float]:
    """Latencies of notices, in milliseconds."""
    seconds = bench.lengths.load_s
    await asyncio.to_thread(bench.make_ready, audience.people, audience.reads_file, 2 * READS * seconds)
    await asyncio.sleep(1)
    timing.watch(ours)
    await calling.open(READS, seconds)
    await calling.finish()
    await ours.settled(ours.heard)
    if calling.failed:
        raise BenchError(f"{calling.failed} calls were not answered with 200")
    return timing.percentiles()

"""Rows over HTTP, closed: the service beside other applications, and calls beside each other."""

from statistics import median

from loadtest.bench.bench import FASTEST, FASTEST_BULK, MOVED_SHARE, RATES, Bench, in_turn, median_ratio, rates
from loadtest.bench.drive import LOCUST_ONLY, Sample, drive
from loadtest.bench.figures import MEASURES, RowResult, not_measured, say
from loadtest.bench.machine import BenchError, tool
from loadtest.bench.population import CallFile, Population, PopulationSize, badges, bulk_reads, single_reads
from loadtest.bench.processes import HttpServer, ask

BULK = 100  # items


def put_ceiling(bench: Bench) -> RowResult:
    """Row a: the service beside an application that does nothing."""
    lengths, service = bench.lengths, bench.service
    with bench.serve("noop") as noop:
        drive(noop, bench.reads_file, lengths.warm_s, goes_on=False)
        say("PUT lastRead and the no-op application in turn")
        pairs = in_turn(
            lengths.pairs,
            lambda: bench.reads(service, lengths.sample_s),
            lambda: drive(noop, bench.reads_file, lengths.sample_s, goes_on=False),
        )
    reads, nothing = _split(pairs)
    bench.capacity = median(one.rate for one in reads)
    bench.plots.throughput += [
        ("no-op ASGI application", median(one.rate for one in nothing)),
        ("PUT lastRead", bench.capacity),
    ]
    return _rates("put_ceiling", pairs, ("PUT lastRead", "no-op application"))


def pool_ratio(bench: Bench) -> RowResult:
    """Row b: the service beside itself on redis-py's connection pool."""
    lengths, service = bench.lengths, bench.service
    with bench.serve("pooled") as pooled:
        bench.warm(pooled)
        say("PUT lastRead over one pipelined connection and over a pool in turn")
        pairs = in_turn(
            lengths.pairs, lambda: bench.reads(service, lengths.sample_s), lambda: bench.reads(pooled, lengths.sample_s)
        )
    bench.plots.throughput.append(("PUT lastRead, redis-py's pool", median(one.rate for _, one in pairs)))
    return _rates("pool_ratio", pairs, ("over one pipelined connection", "over redis-py's pool"))


def badge_ratio(bench: Bench) -> RowResult:
    """Row c: asking for a badge beside reading."""
    lengths, service = bench.lengths, bench.service
    asked = bench.call_file("badge", badges(bench.tokens))
    drive(service, asked, 1)
    say("GET /me/badge and PUT lastRead in turn")
    pairs = in_turn(
        lengths.pairs, lambda: drive(service, asked, lengths.sample_s), lambda: bench.reads(service, lengths.sample_s)
    )
    bench.plots.throughput.append(("GET /me/badge", median(one.rate for one, _ in pairs)))
    return _rates("badge_ratio", pairs, ("GET /me/badge", "PUT lastRead"))


def bulk_ratio(bench: Bench) -> RowResult:
    """Row d: reads in bulk beside single ones.

    All users are in 100 rooms: a call of 100 items names 100.
    """
    lengths, service = bench.lengths, bench.service
    if not _has_bulk(bench, service):
        return not_measured("PUT /me/lastReads is not there")
    people, tokens = bench.populate(PopulationSize("bulk", lengths.bulk_users, rooms_each=BULK))
    alone, alone_tokens = bench.populate(PopulationSize("alone", lengths.bulk_users, rooms_each=BULK))
    together = bench.call_file("bulk", bulk_reads(people, tokens))
    one_by_one = bench.call_file("alone", single_reads(alone, alone_tokens))

    def moves(population: Population, reads: CallFile, calls: int, items: int) -> Sample:
        bench.make_ready(population, reads, calls * lengths.sample_s)
        bench.valkey.forget_counts()
        found = drive(service, reads, lengths.sample_s)
        moved, _ = bench.valkey.counts("spublish")
        if moved < MOVED_SHARE * found.calls * items:
            raise BenchError(f"only {moved} of {found.calls * items} reads moved a cursor")
        # Counted in moves, not in calls.
        return Sample(found.calls * items, found.seconds, found.worker_cpu_s, found.p50_us)

    def many() -> Sample:
        return moves(people, together, FASTEST_BULK, BULK)

    def single() -> Sample:
        return moves(alone, one_by_one, FASTEST, 1)

    many(), single()
    say("PUT /me/lastReads with 100 items and PUT lastRead in turn")
    pairs = in_turn(lengths.pairs, many, single)
    # Per second of the worker's core: in bulk Valkey is the busy one, on the other core.
    ratio = median_ratio((single.cpu_us, many.cpu_us) for many, single in pairs)
    by_clock = median_ratio((many.rate, single.rate) for many, single in pairs)
    first, second = _split(pairs)
    return RowResult(
        f"{ratio:.1f}",
        MEASURES["bulk_ratio"].reached(ratio),
        ratio,
        notes=(
            f"By the clock, with Valkey and the driver together on the other core, {by_clock:.1f} times as "
            "many moves a second.",
        ),
        table=(RATES, rates("moves in bulk of 100", first), rates("moves by single PUTs", second)),
    )


def worker_cpu(bench: Bench) -> RowResult:
    """Row j: four workers beside one.

    The supervisor does next to nothing, so its CPU is not counted.
    """
    lengths, one = bench.lengths, bench.service
    with bench.serve("readstate", workers=4) as four:
        if len(four.workers()) != 4:
            raise BenchError(f"{len(four.workers())} workers are there instead of 4")
        # Each worker verifies every token once.
        bench.reads(four, 2 * lengths.warm_s)
        say("4 workers and 1 worker in turn")
        pairs = in_turn(
            lengths.pairs, lambda: bench.reads(four, lengths.sample_s), lambda: bench.reads(one, lengths.sample_s)
        )
    ratio = median_ratio((many.cpu_us, single.cpu_us) for many, single in pairs)
    first, second = _split(pairs)
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["worker_cpu"].reached(ratio),
        ratio,
        notes=("All workers on the one core of the server: what is compared is work, not speed.", *_driver_notes()),
        table=(RATES, rates("4 workers", first), rates("1 worker", second)),
    )


def _rates(row: str, pairs: list[tuple[Sample, Sample]], names: tuple[str, str]) -> RowResult:
    ratio = median_ratio((one.rate, other.rate) for one, other in pairs)
    first, second = _split(pairs)
    by_cpu = median_ratio((other.cpu_us, one.cpu_us) for one, other in pairs)
    return RowResult(
        f"{ratio:.2f}",
        MEASURES[row].reached(ratio),
        ratio,
        notes=(f"By the worker's CPU per call instead of the clock: {by_cpu:.2f}.", *_driver_notes()),
        table=(RATES, rates(names[0], first), rates(names[1], second)),
    )


def _split(pairs: list[tuple[Sample, Sample]]) -> tuple[list[Sample], list[Sample]]:
    return [one for one, _ in pairs], [other for _, other in pairs]


def _driver_notes() -> tuple[str, ...]:
    return () if tool("wrk") else (f"{LOCUST_ONLY}.",)


def _has_bulk(bench: Bench, service: HttpServer) -> bool:
    """Whether the call exists: without items it is refused as a bad body, not as unknown."""
    headers = {"IM-CLIENT-KEY": bench.keys.client_key, "IM-Authorization": next(iter(bench.tokens.values()))}
    return ask(
        service, "PUT", "/me/lastReads", headers | {"Content-Type": "application/json"}, b'{"items":[]}'
    ) not in (404, 405)

"""Rows over HTTP, closed: the service against the no-op application, against itself on a pool, and calls against each other."""

from statistics import median

from loadtest.bench.drive import LOCUST_ONLY, Slice, drive
from loadtest.bench.figures import Better, Outcome, not_measured, say
from loadtest.bench.machine import BenchError, tool
from loadtest.bench.population import Shape, badges, bulk_reads, single_reads
from loadtest.bench.processes import HttpServer, ask
from loadtest.bench.stage import FASTEST, FASTEST_BULK, MOVED_SHARE, RATES, Stage, in_turn, median_ratio, rates

BULK = 100  # items


def ceiling(stage: Stage) -> Outcome:
    """Row a."""
    lengths, service = stage.lengths, stage.service
    with stage.serve("noop") as noop:
        drive(noop, stage.walk, lengths.warm_s, goes_on=False)
        say("PUT lastRead and the no-op application in turn")
        pairs = in_turn(
            lengths.pairs,
            lambda: stage.reads(service, lengths.slice_s),
            lambda: drive(noop, stage.walk, lengths.slice_s, goes_on=False),
        )
    reads, nothing = _split(pairs)
    stage.capacity = median(one.rate for one in reads)
    stage.plots.throughput += [
        ("no-op ASGI application", median(one.rate for one in nothing)),
        ("PUT lastRead", stage.capacity),
    ]
    return _higher(pairs, 0.40, ("PUT lastRead", "no-op application"))


def pool(stage: Stage) -> Outcome:
    """Row b."""
    lengths, service = stage.lengths, stage.service
    with stage.serve("pooled") as pooled:
        stage.warm(pooled)
        say("PUT lastRead over one pipelined connection and over a pool in turn")
        pairs = in_turn(
            lengths.pairs, lambda: stage.reads(service, lengths.slice_s), lambda: stage.reads(pooled, lengths.slice_s)
        )
    stage.plots.throughput.append(("PUT lastRead, redis-py's pool", median(one.rate for _, one in pairs)))
    return _higher(pairs, 2.0, ("over one pipelined connection", "over redis-py's pool"))


def badge(stage: Stage) -> Outcome:
    """Row c."""
    lengths, service = stage.lengths, stage.service
    asked = stage.walk_over("badge", badges(stage.tokens))
    drive(service, asked, 1)
    say("GET /me/badge and PUT lastRead in turn")
    pairs = in_turn(
        lengths.pairs, lambda: drive(service, asked, lengths.slice_s), lambda: stage.reads(service, lengths.slice_s)
    )
    stage.plots.throughput.append(("GET /me/badge", median(one.rate for one, _ in pairs)))
    return _higher(pairs, 1.1, ("GET /me/badge", "PUT lastRead"))


def bulk(stage: Stage) -> Outcome:
    """Row d. Both are measured on users of 100 rooms, since a call of 100 items names 100 rooms."""
    lengths, service = stage.lengths, stage.service
    if not _has_bulk(stage, service):
        return not_measured("PUT /me/lastReads is not there")
    people, tokens = stage.populate(Shape("bulk", lengths.bulk_users, rooms_each=BULK))
    alone, alone_tokens = stage.populate(Shape("alone", lengths.bulk_users, rooms_each=BULK))
    together = stage.walk_over("bulk", bulk_reads(people, tokens))
    one_by_one = stage.walk_over("alone", single_reads(alone, alone_tokens))

    def moves(population: object, walk: object, calls: int, items: int) -> Slice:
        stage.make_ready(population, walk, calls * lengths.slice_s)  # type: ignore[arg-type]
        stage.valkey.forget_counts()
        found = drive(service, walk, lengths.slice_s)  # type: ignore[arg-type]
        moved, _ = stage.valkey.counts("publish")
        if moved < MOVED_SHARE * found.calls * items:
            raise BenchError(f"only {moved} of {found.calls * items} reads moved a cursor")
        # Counted in moves, not in calls.
        return Slice(found.calls * items, found.seconds, found.worker_cpu_s)

    def many() -> Slice:
        return moves(people, together, FASTEST_BULK, BULK)

    def single() -> Slice:
        return moves(alone, one_by_one, FASTEST, 1)

    many(), single()
    say("PUT /me/lastReads with 100 items and PUT lastRead in turn")
    pairs = in_turn(lengths.pairs, many, single)
    stage.plots.throughput.append(("cursor moves in bulk of 100", median(one.rate for one, _ in pairs)))
    # Per second of the worker's core: in bulk it is Valkey, on the other core with the driver, that is busy.
    ratio = median_ratio((single.cpu_us, many.cpu_us) for many, single in pairs)
    by_clock = median_ratio((many.rate, single.rate) for many, single in pairs)
    first, second = _split(pairs)
    return Outcome(
        f"{ratio:.1f}",
        ratio >= 5,
        ratio,
        notes=(
            f"By the clock, with Valkey and the driver together on the other core, {by_clock:.1f} times as many moves a second.",
        ),
        table=(RATES, rates("moves in bulk of 100", first), rates("moves by single PUTs", second)),
    )


def workers(stage: Stage) -> Outcome:
    """Row j. The supervisor asks for nothing but signs of life, so its CPU is not counted."""
    lengths, one = stage.lengths, stage.service
    with stage.serve("readstate", workers=4) as four:
        if len(four.workers()) != 4:
            raise BenchError(f"{len(four.workers())} workers are there instead of 4")
        # Each worker verifies every token once.
        stage.reads(four, 2 * lengths.warm_s)
        say("4 workers and 1 worker in turn")
        pairs = in_turn(
            lengths.pairs, lambda: stage.reads(four, lengths.slice_s), lambda: stage.reads(one, lengths.slice_s)
        )
    ratio = median_ratio((many.cpu_us, single.cpu_us) for many, single in pairs)
    first, second = _split(pairs)
    return Outcome(
        f"{ratio:.2f}",
        ratio <= 1.1,
        ratio,
        Better.LOWER,
        notes=("All workers on the one core of the server: what is compared is work, not speed.", *_driver_notes()),
        table=(RATES, rates("4 workers", first), rates("1 worker", second)),
    )


def _higher(pairs: list[tuple[Slice, Slice]], reach: float, names: tuple[str, str]) -> Outcome:
    ratio = median_ratio((one.rate, other.rate) for one, other in pairs)
    first, second = _split(pairs)
    by_cpu = median_ratio((other.cpu_us, one.cpu_us) for one, other in pairs)
    return Outcome(
        f"{ratio:.2f}",
        ratio >= reach,
        ratio,
        notes=(f"By the worker's CPU per call instead of the clock: {by_cpu:.2f}.", *_driver_notes()),
        table=(RATES, rates(names[0], first), rates(names[1], second)),
    )


def _split(pairs: list[tuple[Slice, Slice]]) -> tuple[list[Slice], list[Slice]]:
    return [one for one, _ in pairs], [other for _, other in pairs]


def _driver_notes() -> tuple[str, ...]:
    return () if tool("wrk") else (f"{LOCUST_ONLY}.",)


def _has_bulk(stage: Stage, service: HttpServer) -> bool:
    """Whether the call is there: with no items it is refused for what it says, not for what it is."""
    headers = {"IM-CLIENT-KEY": stage.keys.client_key, "IM-Authorization": next(iter(stage.tokens.values()))}
    return ask(
        service, "PUT", "/me/lastReads", headers | {"Content-Type": "application/json"}, b'{"items":[]}'
    ) not in (404, 405)

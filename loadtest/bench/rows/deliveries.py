"""Rows v to y: what it costs a worker to tell sockets of a read, and what it costs others."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from statistics import median

import redis.asyncio as redis

from loadtest.bench.bench import FASTEST, RATES, Audience, Bench, rates, run
from loadtest.bench.calls import message_id
from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.drive import Sample, drive
from loadtest.bench.emitters import Emitter, Read, SocketEmitter, cpu_s, node_server, store_emitter
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import BenchError
from loadtest.bench.population import APP, PopulationSize
from loadtest.bench.processes import HttpServer
from readstate.store.keys import Keys

HEARD_SHARE = 0.99  # of the deliveries that are expected; with fewer, something else was measured
SETTLE_S = 0.3  # after messages were posted
BATCH, BATCH_EVERY_S = 10, 0.01  # notices of a turn in row w
WORKERS = (1, 2, 4, 8)
PIPELINED = 200  # notices that are published together in row x
PUBLISH_EVERY_S = 0.01


def delivery_cpu(bench: Bench) -> RowResult:
    """Row v: everybody has a socket. Reads come over HTTP, and each goes to the 20 of its room."""
    audience, service, lengths = bench.http_audience, bench.service, bench.lengths
    each = audience.people.size.room_size

    async def measure() -> list[Sample]:
        async with crowd(service, list(audience.tokens.values())) as ours:
            await _reads(bench, audience, ours, bench.lengths.warm_s)
            say("PUT lastRead with a socket of each member")
            return [(await _reads(bench, audience, ours, lengths.sample_s))[0] for _ in range(lengths.pairs)]

    samples = run(measure())
    figure = median(sample.cpu_us for sample in samples) / each
    rate = median(sample.rate for sample in samples) * each
    return RowResult(
        f"{figure:.1f} us",
        MEASURES["delivery_cpu"].reached(figure),
        figure,
        notes=(
            f"{len(audience.tokens):,} sockets, each of a user in {audience.people.size.rooms_each} rooms. "
            f"{rate:,.0f} deliveries a second by the clock, with Valkey, wrk and all sockets on the other core: "
            f"the worker's core alone would do {1e6 / figure:,.0f}.",
            "Every notice was counted at the sockets.",
        ),
        table=(RATES, rates(f"reads with {each} deliveries each", samples)),
    )


async def _reads(
    bench: Bench, audience: Audience, ours: Crowd, seconds: int, counted: Sequence[HttpServer] = ()
) -> tuple[Sample, list[float]]:
    """Closed load, until all have heard of it.

    Returns the sample, and the CPU seconds of each of the servers `counted`. Raises BenchError when
    notices did not arrive.
    """
    await asyncio.to_thread(bench.make_ready, audience.people, audience.reads_file, FASTEST * seconds)
    await asyncio.sleep(SETTLE_S)
    servers, heard_before = [ours.server, *counted], ours.heard
    before = [cpu_s(server) for server in servers]
    found = await asyncio.to_thread(drive, ours.server, audience.reads_file, seconds)
    expected = found.calls * audience.people.size.room_size
    heard = await ours.settled(heard_before + expected) - heard_before
    # At the end wrk leaves calls that are under way.
    _check_heard(min(heard, expected), expected)
    spent, *others = (cpu_s(server) - begun for server, begun in zip(servers, before, strict=True))
    return Sample(found.calls, found.seconds, spent, found.p50_us), others


def _check_heard(heard: int, expected: int) -> None:
    if not HEARD_SHARE * expected <= heard <= expected:
        raise BenchError(f"{heard:,} notices were heard instead of {expected:,}")


def emit_ratio(bench: Bench) -> RowResult:
    """Row w: the same frames into the same rooms, by the service and two servers of Socket.IO."""
    audience, service = bench.http_audience, bench.service
    reads = _made_up(audience, bench.lengths.emitted)
    found: dict[str, list[float]] = {}
    peers: dict[str, Callable[[], AbstractContextManager[HttpServer]]] = {
        "socket.io on Node.js": node_server,
        "python-socketio": lambda: bench.serve("emitter"),  # the service's own is there already
    }
    say("the same notices by each in turn")
    missing = []
    for _ in range(max(1, bench.lengths.pairs // 2)):
        found.setdefault("readstate", []).append(run(_by_service(service, bench.store.url, audience, reads)))
        for name, serve in peers.items():
            try:
                with serve() as server:
                    found.setdefault(name, []).append(run(_by_peer(server, audience, reads)))
            except BenchError as error:
                missing.append(f"{name}: not measured: {error}.")
    ours = median(found["readstate"])
    if "socket.io on Node.js" not in found:
        raise BenchError(missing[0])
    ratio = ours / median(found["socket.io on Node.js"])
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["emit_ratio"].reached(ratio),
        ratio,
        notes=(
            f"{len(audience.tokens):,} sockets in {audience.people.size.rooms_each} rooms of "
            f"{audience.people.size.room_size} each; {BATCH} notices every {BATCH_EVERY_S * 1000:.0f} ms. "
            "The service reads each notice from the store, the others from a socket.",
            *dict.fromkeys(missing),
        ),
        table=(
            ("", "CPU of a delivery, us, median", "least to most"),
            *((name, f"{median(us):.2f}", f"{min(us):.2f} to {max(us):.2f}") for name, us in found.items()),
        ),
    )


def _made_up(audience: Audience, count: int) -> list[Read]:
    """Reads by members of rooms that are chosen at random."""
    chance = random.Random(1)
    rooms = [chance.choice(audience.people.rooms) for _ in range(count)]
    return [(room, members[0], message_id(number)) for number, (room, members) in enumerate(rooms)]


async def _by_service(service: HttpServer, store: str, audience: Audience, reads: Sequence[Read]) -> float:
    async with crowd(service, list(audience.tokens.values())) as ours, store_emitter(store) as emitter:
        await _emit(ours, emitter, reads[: len(reads) // 4])
        return await _emit(ours, emitter, reads)


async def _by_peer(server: HttpServer, audience: Audience, reads: Sequence[Read]) -> float:
    rooms: dict[str, list[str]] = {user: [] for user in audience.people.users}
    for user, room in audience.people.pairs():
        rooms[user].append(room)
    async with crowd(server, [""] * (len(rooms) + 1)) as ours:
        driver, *sockets = ours.sockets
        for socket, theirs in zip(sockets, rooms.values(), strict=True):
            socket.send("join", theirs)
        await asyncio.sleep(1)
        emitter = SocketEmitter(driver)
        await _emit(ours, emitter, reads[: len(reads) // 4])
        return await _emit(ours, emitter, reads)


async def _emit(ours: Crowd, emitter: Emitter, reads: Sequence[Read]) -> float:
    """Microseconds of the server's CPU for one delivery."""
    begun, before = cpu_s(ours.server), ours.heard
    for first in range(0, len(reads), BATCH):
        await emitter.emit(reads[first : first + BATCH])
        await asyncio.sleep(BATCH_EVERY_S)
    expected = len(reads) * PopulationSize.room_size
    _check_heard(await ours.settled(before + expected) - before, expected)
    return (cpu_s(ours.server) - begun) / expected * 1e6


def unconcerned_notice(bench: Bench) -> RowResult:
    """Row x: notices of rooms of which no socket here is a member, and the same time without."""
    audience, service, seconds = bench.http_audience, bench.service, bench.lengths.sample_s

    async def measure() -> tuple[list[float], list[float]]:
        costs, speeds = [], []
        async with crowd(service, list(audience.tokens.values())), redis.Redis.from_url(bench.store.url) as client:
            for _ in range(bench.lengths.pairs):
                begun = cpu_s(service)
                await asyncio.sleep(seconds)
                between = cpu_s(service)
                published = await _publish_elsewhere(client, seconds)
                costs.append((cpu_s(service) - between - (between - begun)) / published * 1e6)
                speeds.append(published / seconds)
        return costs, speeds

    say("notices of other rooms, and none, in turn")
    costs, speeds = run(measure())
    figure = max(0.0, median(costs))
    return RowResult(
        f"{figure:.3f} us",
        MEASURES["unconcerned_notice"].reached(figure),
        notes=(
            f"{median(speeds):,.0f} such notices a second, beside {len(audience.tokens):,} idle sockets in "
            f"{audience.people.size.rooms:,} rooms. The worker's CPU less that of the same time without: "
            f"{min(costs):.3f} to {max(costs):.3f} us. It does not hear them: a worker listens to its own rooms only.",
        ),
    )


async def _publish_elsewhere(client: "redis.Redis", seconds: float) -> int:
    loop, published = asyncio.get_running_loop(), 0
    ends_at = loop.time() + seconds
    while loop.time() < ends_at:
        pipeline = client.pipeline(transaction=False)
        for number in range(PIPELINED):
            pipeline.execute_command("SPUBLISH", Keys.room(APP, f"elsewhere{number}"), b"a notice")
        await pipeline.execute()
        published += PIPELINED
        await asyncio.sleep(PUBLISH_EVERY_S)
    return published


def deployment_cpu(bench: Bench) -> RowResult:
    """Row y: several workers, each with users of its own, who have sockets.

    They are loaded in turn. What all the others spend meanwhile is counted, so a worker that hears
    what is not for it costs.
    """
    users = bench.lengths.worker_users
    audiences = [bench.audience(PopulationSize(f"worker{number}", users)) for number in range(max(WORKERS))]

    async def measure(services: Sequence[HttpServer]) -> list[list[tuple[Sample, list[float]]]]:
        async with AsyncExitStack() as stack:
            crowds = [
                await stack.enter_async_context(crowd(service, list(audience.tokens.values())))
                for service, audience in zip(services, audiences, strict=True)
            ]
            return [
                [
                    await _reads(bench, audience, ours, bench.lengths.sample_s, services)
                    for audience, ours in zip(audiences, crowds, strict=True)
                ]
                for _ in range(1 + max(1, bench.lengths.pairs // 2))  # the first warms up
            ]

    with ExitStack() as stack:
        say(f"{max(WORKERS)} services of one worker, loaded in turn")
        services = [stack.enter_context(bench.serve("readstate")) for _ in audiences]
        rounds = run(measure(services))
    costs = {count: median(_cost_us(slices[:count]) for slices in rounds[1:]) for count in WORKERS}
    ratio = costs[max(WORKERS)] / costs[1]
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["deployment_cpu"].reached(ratio),
        ratio,
        notes=(
            f"Each worker has {users} users in {PopulationSize.rooms_each} rooms of {PopulationSize.room_size}, all "
            "with sockets. All share one store. They are loaded one after the other, since on one core they "
            "would take each other's caches (row j); what the others spend meanwhile is counted.",
        ),
        table=(("workers", "CPU of all for a read, us"), *((str(count), f"{us:.0f}") for count, us in costs.items())),
    )


def _cost_us(slices: Sequence[tuple[Sample, list[float]]]) -> float:
    """Of a read, in the first workers together, when only these are there."""
    calls = sum(found.calls for found, _ in slices)
    return sum(sum(spent[: len(slices)]) for _, spent in slices) / calls * 1e6

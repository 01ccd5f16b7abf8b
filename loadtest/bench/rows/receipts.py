"""Rows k, l and m: what it costs to know who has read a message, and since when."""

from collections.abc import Awaitable, Iterator, Sequence
from statistics import median

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, Population, PopulationSize, all_of, kept_memory, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.domain.limits import MAX_MEMBERS_PER_CALL
from readstate.domain.receipts import Filter, ReceiptsPage
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore

PAGE = 50
SIZES = (100, 10_000)
MOST_READERS = 100_000
CALLS = 40  # of each page

ROUNDS = 192  # messages in every room
COVERS = 4  # messages that a read covers, on the average of people who look in now and then
SMALL = PopulationSize("journal", users=200, rooms_each=10)


def receipts_page(bench: Bench) -> RowResult:
    """Half of the members have read the message; in the largest room a tenth."""
    sizes = (*SIZES, bench.lengths.large_room)
    with valkey(SERVER_CORE) as server:
        costs_us = run(_page_costs(server, sizes))
    dearest = [max(costs) for costs in costs_us.values()]
    ratio = max(dearest) / min(dearest)
    return RowResult(
        f"{ratio:.2f} times",
        MEASURES["receipts_page"].reached(ratio),
        ratio,
        notes=(
            f"Server time of one page of {PAGE}, the rooms in turn: the first page, and one from the middle "
            "of the list;"
            " the dearer of the two is compared.",
        ),
        table=(
            ("members", "first page, us", "page in the middle, us"),
            *((f"{size:,}", f"{first:.0f}", f"{middle:.0f}") for size, (first, middle) in costs_us.items()),
        ),
    )


async def _page_costs(server: Valkey, sizes: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Median server time in microseconds, by size of the room: first page, page in the middle."""
    async with store_at(server.url) as (store, _):
        tokens = {size: ("", await _make(store, size)) for size in sizes}
        server.wait_until_quiet()
        costs: dict[tuple[int, str], list[float]] = {}
        for _ in range(CALLS):
            for size, both in tokens.items():
                for token in both:
                    costs.setdefault((size, token), []).append(await _cost(server, store, _room(size), token))
        return {
            size: (median(costs[size, first]), median(costs[size, middle])) for size, (first, middle) in tokens.items()
        }


async def _make(store: RedisStore, size: int) -> str:
    """Make a room in which half of the members, or MOST_READERS, have read the message.

    Returns the token of a page in the middle.
    """
    say(f"a room of {size:,} members")
    room, names = _room(size), [f"{number:024x}" for number in range(size)]
    await store.rooms.create_room(app=APP, room=room, tags=[], profile={}, members=[])
    for start in range(0, size, MAX_MEMBERS_PER_CALL):
        await store.rooms.add_members(app=APP, room=room, members=names[start : start + MAX_MEMBERS_PER_CALL])
    await post(store, room, message_id(1))
    readers = min(size // 2, MOST_READERS)
    await all_of(
        store.reading.mark_read(app=APP, room=room, user=user, message=message_id(1))
        for user in names[:: size // readers]
    )
    page = await _page(store, room, min(readers // 2, MAX_MEMBERS_PER_CALL))
    assert page.next is not None
    return page.next


async def _cost(server: Valkey, store: RedisStore, room: str, token: str | None) -> float:
    server.forget_counts()
    await _page(store, room, PAGE, token)
    calls, us = server.counts("fcall")
    return us / calls


def _room(size: int) -> str:
    return f"receipts{size}"


async def _page(store: RedisStore, room: str, limit: int, token: str | None = None) -> ReceiptsPage:
    return await store.receipts.page(
        app=APP, room=room, message=message_id(1), which=Filter.READ, limit=limit, page=token
    )


def journal_memory(_: Bench) -> RowResult:
    """Every member reads every message, each with a call of its own."""
    with valkey(SERVER_CORE) as server:
        moves, grown = run(_read_all(server, Population(SMALL), step=1))
    bytes_each = grown / moves
    return RowResult(
        f"{bytes_each:.1f} bytes",
        MEASURES["journal_memory"].reached(bytes_each),
        bytes_each,
        notes=(f"Growth of used_memory while {SMALL.states:,} cursors move {moves // SMALL.states} times each.",),
    )


def receipts_memory(_: Bench) -> RowResult:
    """The same traffic kept the plain way: a hash per message, member -> time."""
    population = Population(SMALL)
    with valkey(SERVER_CORE) as server:
        moves, ours = run(_read_all(server, population, step=COVERS))
    with valkey(SERVER_CORE) as server:
        before = kept_memory(server)
        run(_write_rows(server, population))
        theirs = kept_memory(server) - before
    rows = SMALL.states * ROUNDS
    return RowResult(
        f"1/{theirs / ours:.0f}",
        MEASURES["receipts_memory"].reached(ours / theirs),
        ours / theirs,
        notes=(
            f"{SMALL.states:,} read states, {ROUNDS} messages in every room, a read for every {COVERS} of "
            f"them: {moves:,} moves of"
            f" {ours / moves:.1f} bytes stand for {rows:,} receipts of {theirs / rows:.1f} bytes as a hash "
            "per message (member -> time).",
        ),
    )


async def _read_all(server: Valkey, population: Population, step: int) -> tuple[int, int]:
    """Read every `step`th message as every member. Returns the moves and the growth in bytes."""
    say(f"{population.size}, {ROUNDS // step} reads each")
    async with store_at(server.url) as (store, _):
        await population.make(store)
        await population.post_until(store, ROUNDS)
        before = kept_memory(server)
        for number in range(step, ROUNDS + 1, step):
            await all_of(_reads(store, population, number))
    return population.size.states * (ROUNDS // step), kept_memory(server) - before


def _reads(store: RedisStore, population: Population, number: int) -> Iterator[Awaitable[object]]:
    return (
        store.reading.mark_read(app=APP, room=room, user=user, message=message_id(number))
        for user, room in population.pairs()
    )


async def _write_rows(server: Valkey, population: Population) -> None:
    say("the same as rows")
    async with store_at(server.url) as (_, executor):
        for number in range(1, ROUNDS + 1):
            await all_of(
                executor.command(
                    "HSET",
                    f"{key}:{message_id(number)}",
                    *(part for user in members for part in (user, 1_700_000_000_000)),
                    key=key,
                )
                for key, members in ((Keys.room(APP, room), members) for room, members in population.rooms)
            )

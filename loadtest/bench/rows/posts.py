"""Row g: how long the server works on a post, by the size of the room."""

from collections.abc import Awaitable, Iterator
from statistics import median

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import ALL_ATTENTIVE, APP, TAGS, Population, PopulationSize, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.domain.limits import MAX_MEMBERS_PER_CALL
from readstate.store.redis_store import RedisStore

SIZES = (2, 20, 200)
BATCH = 50  # posts
LARGE = "large"
WARM_BATCHES = 2


def post_by_room_size(bench: Bench) -> RowResult:
    """The poster is a member.

    All members are attentive, but for the large room, in which attention lasts as by default and no
    other member pays it. Users are in 50 rooms, those of the large room in it alone.
    """
    with valkey(SERVER_CORE) as server:
        costs_us = run(_measure(server, bench.lengths.large_room, bench.lengths.post_batches))
    ms = {size: us / 1000 for size, us in costs_us.items()}
    ratio = ms[bench.lengths.large_room] / ms[2]
    large = f"{bench.lengths.large_room:,}"
    return RowResult(
        f"{ms[20]:.3f} ms, {ms[200]:.3f} ms, {ratio:.2f} times",
        MEASURES["post_by_room_size"].reached(ms[20], ms[200], ratio),
        ratio,
        notes=(
            f"The ratio is that of a room of {large} members to one of 2; `make bench-check` compares this one only.",
        ),
        table=(
            ("members", "server time of a post, ms", "per member, us"),
            *((f"{n:,}", f"{t:.4f}", f"{t * 1000 / n:.2f}") for n, t in ms.items()),
        ),
    )


async def _measure(server: Valkey, large_room: int, batches: int) -> dict[int, float]:
    """Median server time of a post in microseconds, by size of the room."""
    async with store_at(server.url, attention=ALL_ATTENTIVE) as (store, _), store_at(server.url) as (default, _):
        people = {size: Population(PopulationSize(f"posts {size}", users=size, room_size=size)) for size in SIZES}
        for population in people.values():
            await population.make(store)
        # The poster of the large room is in 50 others too.
        poster = people[2].users[0]
        await _make_large(default, poster, large_room)
        server.wait_until_quiet()
        places = {size: population.rooms for size, population in people.items()} | {large_room: [(LARGE, [poster])]}
        found: dict[int, list[float]] = {size: [] for size in places}
        say("posts into rooms of each size in turn")
        for batch in range(batches + WARM_BATCHES):
            for size, rooms in places.items():
                server.forget_counts()
                await all_of(_posts(default if size == large_room else store, rooms, batch))
                calls, us = server.counts("fcall")
                if batch >= WARM_BATCHES:
                    found[size].append(us / calls)
        return {size: median(costs) for size, costs in found.items()}


def _posts(store: RedisStore, rooms: list[tuple[str, list[str]]], batch: int) -> Iterator[Awaitable[object]]:
    """BATCH posts into these rooms in turn, each by a member."""
    for number in range(BATCH):
        room, members = rooms[number % len(rooms)]
        yield post(store, room, message_id(batch * BATCH + number + 1), members[number % len(members)])


async def _make_large(store: RedisStore, poster: str, members: int) -> None:
    say(f"making a room of {members:,} members")
    await store.rooms.create_room(app=APP, room=LARGE, tags=sorted(TAGS[:2]), profile={}, members=[poster])
    names = [f"{number:024x}" for number in range(members - 1)]
    for start in range(0, len(names), MAX_MEMBERS_PER_CALL):
        await store.rooms.add_members(app=APP, room=LARGE, members=names[start : start + MAX_MEMBERS_PER_CALL])

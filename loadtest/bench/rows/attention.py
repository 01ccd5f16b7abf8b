"""Row p: how long the server works on a post into a room in which few pay attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, TAGS, Population, PopulationSize, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.domain.limits import MAX_MEMBERS_PER_CALL
from readstate.domain.messages import Posted
from readstate.store.bounds import DEFAULTS
from readstate.store.redis_store import RedisStore

ROOM, ATTENTIVE = 200, 20
CROWD_ATTENTIVE = 100
CROWD = "crowd"
CROWD_ROUNDS = 4  # as many as of the other rooms, of which there are more
FORGETTING = 400  # posts, after which the members of the crowd who never read are no longer attentive
COUNTERS = 4  # of a member that a post moves in a room with two tags


@dataclass(frozen=True)
class PostCost:
    """Of posts into rooms of one size."""

    quiet_us: float  # when no member is attentive
    us: float
    told: float  # members, by the replies


def post_by_attention(bench: Bench) -> RowResult:
    """The poster is one of the attentive, who all read the newest message before each post."""
    with valkey(SERVER_CORE) as server:
        costs = run(_measure(server, bench.lengths.crowd, bench.lengths.post_batches))
    ms = [cost.us / 1000 for cost in costs.values()]
    return RowResult(
        ", ".join(f"{one:.3f} ms" for one in ms),
        MEASURES["post_by_attention"].reached(*ms),
        ms[0],
        notes=(
            f"Attention of {DEFAULTS.attention_posts} posts. Users are in 50 rooms, but for those of the large room "
            "who pay no attention: they are in it alone. `make bench-check` compares the time of the first.",
        ),
        table=(
            ("members", "attentive", "server time of a post, ms", "members told", "with none attentive, ms"),
            *(
                (f"{n:,}", str(who), f"{cost.us / 1000:.4f}", f"{cost.told:.1f}", f"{cost.quiet_us / 1000:.4f}")
                for (n, who), cost in costs.items()
            ),
        ),
    )


async def _measure(server: Valkey, crowd: int, rounds: int) -> dict[tuple[int, int], PostCost]:
    """By the members and the attentive members of a room."""
    async with store_at(server.url) as (store, _):
        many = Population(PopulationSize("attention", users=ROOM, room_size=ROOM))
        fans = Population(PopulationSize("fans", users=CROWD_ATTENTIVE, rooms_each=49))
        for population in (many, fans):
            await population.make(store)
        await _make_crowd(store, fans.users, crowd)
        server.wait_until_quiet()
        say("posts into rooms with few attentive members")
        # The same in each room: their badge visits all rooms with news.
        half_asleep = [(room, many.users[:ATTENTIVE]) for room, _ in many.rooms]
        return {
            (ROOM, ATTENTIVE): await _costs(server, store, half_asleep, DEFAULTS.attention_posts + 1, rounds),
            (crowd, CROWD_ATTENTIVE): await _costs(
                server, store, [(CROWD, fans.users)], FORGETTING, rounds * CROWD_ROUNDS
            ),
        }


async def _make_crowd(store: RedisStore, fans: Sequence[str], members: int) -> None:
    say(f"making a room of {members:,} members")
    await store.rooms.create_room(app=APP, room=CROWD, tags=sorted(TAGS[:2]), profile={}, members=fans)
    names = [f"{number:024x}" for number in range(members - len(fans))]
    for start in range(0, len(names), MAX_MEMBERS_PER_CALL):
        await store.rooms.add_members(app=APP, room=CROWD, members=names[start : start + MAX_MEMBERS_PER_CALL])


async def _costs(
    server: Valkey, store: RedisStore, rooms: Sequence[tuple[str, Sequence[str]]], forgetting: int, rounds: int
) -> PostCost:
    """`rooms`: each with those who pay attention, as soon as `forgetting` posts have come."""
    quiet: list[float] = []
    for number in range(forgetting + rounds):
        server.forget_counts()
        await all_of(post(store, room, message_id(number + 1)) for room, _ in rooms)  # renews no attention
        if number >= forgetting:
            quiet.append(_post_us(server))
    costs: list[float] = []
    told: list[Posted] = []
    for number in range(forgetting + rounds, forgetting + 2 * rounds):
        await all_of(
            store.reading.mark_read(app=APP, room=room, user=user, message=message_id(number))
            for room, attentive in rooms
            for user in attentive
        )
        server.forget_counts()
        told += await all_of(
            post(store, room, message_id(number + 1), attentive[number % len(attentive)]) for room, attentive in rooms
        )
        costs.append(_post_us(server))
    return PostCost(median(quiet), median(costs), mean(posted.moved for posted in told) / COUNTERS)


def _post_us(server: Valkey) -> float:
    calls, us = server.counts("fcall")
    return us / calls

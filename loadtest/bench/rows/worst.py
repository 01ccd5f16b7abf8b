"""Row q: people who ask at the moments at which attention costs most."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.day import DayCall, Kind, Room
from loadtest.bench.feed import DayCost, attention_name, day_cost, make_rooms
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import (
    ALL_ATTENTIVE,
    APP,
    TAGS,
    Population,
    PopulationSize,
    all_of,
    post,
    store_at,
)
from loadtest.bench.processes import Valkey, valkey
from readstate.store.bounds import DEFAULTS
from readstate.store.redis_store import RedisStore

HEADER = ("mix", "attention, posts", "store, s", "ratio", "a post, us", "a badge, us", "CPU, s", "ratio")
EACH = 20  # members of a room of the pollers
FEWEST_TURNS = 4  # the first is not measured


@dataclass(frozen=True)
class Mix:
    """Posts go into a group of rooms in turn; then all their members ask for their badge."""

    name: str
    room_size: int
    rooms: int  # of each user
    group: int  # rooms
    every: int  # posts into each of them

    def people(self) -> Population:
        return Population(PopulationSize(self.name, self.room_size, self.rooms, self.room_size))


def worst_mix(bench: Bench) -> RowResult:
    """Each mix with attention of several lengths, and with all members attentive."""
    lengths, lines, ratios = bench.lengths, [], []
    attentions = sorted({*lengths.day_attention, DEFAULTS.attention_posts, ALL_ATTENTIVE})
    for mix in _mixes(lengths.noisy_rooms):
        say(mix.name)
        turns = _turns(mix, lengths.mix_states)
        warm = len(turns) // FEWEST_TURNS
        warm_up, calls = (list(chain(*part)) for part in (turns[:warm], turns[warm:]))
        costs = {posts: day_cost(_rooms(mix), warm_up, calls, posts) for posts in attentions}
        ratios.append(costs[DEFAULTS.attention_posts].seconds / costs[ALL_ATTENTIVE].seconds)
        lines += [_line(mix, posts, costs) for posts in attentions]
    with valkey(SERVER_CORE) as server:
        full, following, later = run(_badges(server, lengths.noisy_rooms))
    measure = MEASURES["worst_mix"]
    return RowResult(
        f"{max(ratios):.2f}, {full / 1000:.2f} ms, {following / later:.2f} times",
        measure.reached(max(ratios), full / 1000, following / later),
        max(ratios),
        notes=(
            f"Attention of {DEFAULTS.attention_posts} posts / for good; the dearest of the mixes. `make bench-check` "
            "compares this one only.",
            f"A badge with {lengths.noisy_rooms} rooms on the list takes {full:,.0f} us in all its scripts, the next "
            f"one {following:.1f} us, later ones {later:.1f} us.",
        ),
        table=(HEADER, *lines),
    )


def _mixes(noisy_rooms: int) -> Iterator[Mix]:
    for size in (EACH, 200):
        yield Mix(f"rooms of {size}, all members ask after each post", size, 50, 1, 1)
        yield Mix(f"rooms of {size}, all members ask when their attention ends", size, 50, 1, DEFAULTS.attention_posts)
    for every in sorted({1, DEFAULTS.attention_posts}):
        what = f"{noisy_rooms} rooms with {every} new each"
        yield Mix(f"pollers: {what}", EACH, noisy_rooms, noisy_rooms, every)


def _rooms(mix: Mix) -> list[Room]:
    return [
        Room(room, members, sorted((TAGS[at % 8], TAGS[(at + 1 + at // 8 % 7) % 8])), 1.0)
        for at, (room, members) in enumerate(mix.people().rooms)
    ]


def _turns(mix: Mix, states: int) -> list[list[DayCall]]:
    """Calls that change about so many read states.

    No post has a sender, who would pay attention by it.
    """
    people, made = mix.people(), 0
    rooms, turns = [room for room, _ in people.rooms], []
    for turn in range(max(FEWEST_TURNS, states // (mix.room_size * mix.group * mix.every))):
        calls = []
        for number in range(mix.group * mix.every):
            made += 1
            room = rooms[(turn * mix.group + number % mix.group) % len(rooms)]
            calls.append(DayCall(Kind.POST, "", room, made))
        turns.append(calls + [DayCall(Kind.ASK, user) for user in people.users])
    return turns


def _line(mix: Mix, posts: int, costs: dict[int, DayCost]) -> tuple[str, ...]:
    cost, most = costs[posts], costs[ALL_ATTENTIVE]
    return (
        mix.name,
        attention_name(posts),
        f"{cost.seconds:.2f}",
        f"{cost.seconds / most.seconds:.2f}",
        f"{cost.us[Kind.POST]:.0f}",
        f"{cost.us[Kind.ASK]:.1f}",
        f"{cost.cpu_s:.2f}",
        f"{cost.cpu_s / most.cpu_s:.2f}",
    )


async def _badges(server: Valkey, rooms: int) -> tuple[float, float, float]:
    """Microseconds of a badge with all rooms on the list, of the next one, and of later ones."""
    mix = Mix("lists", EACH, rooms, rooms, DEFAULTS.attention_posts + 1)
    people = mix.people()
    async with store_at(server.url) as (store, _):
        await make_rooms(store, _rooms(mix))
        for number in range(mix.every):
            await all_of(post(store, room, message_id(number + 1)) for room, _ in people.rooms)
        found = [[await _badge_us(server, store, user) for _ in range(4)] for user in people.users]
    full, following, *later = (median(costs) for costs in zip(*found, strict=True))
    return full, following, median(later)


async def _badge_us(server: Valkey, store: RedisStore, user: str) -> float:
    """Of one badge: all its scripts."""
    server.forget_counts()
    await store.badges.badge(app=APP, user=user)
    return server.counts("fcall")[1]

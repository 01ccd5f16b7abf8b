"""Row h: bytes of memory per read state, of members who pay attention and of others."""

from dataclasses import dataclass

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, Population, PopulationSize, all_of, kept_memory, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store.bounds import DEFAULTS
from readstate.store.keys import Keys

ROOMS_EACH = 50
SHORT_ID_CHARS = 8
SAMPLE = 200  # rooms or users whose keys are looked at one by one
ROOM_PARTS = {
    "": "room: head and members",
    ":c": "room: members by cursor",
    ":a": "room: attentive members",
}
MESSAGE_LOG = ":l"
USER_PARTS = {"": "user: copies and counters", ":s": "user: tag sets", ":n": "user: rooms with news"}


def memory_per_state(bench: Bench) -> RowResult:
    """All members have read one message in every room; then so many come that none is attentive."""
    states = bench.lengths.memory_users * ROOMS_EACH
    found = {}
    for rooms_each in bench.lengths.memory_rooms_each:
        found[rooms_each] = _measure(PopulationSize("memory", states // rooms_each, rooms_each))
        bench.plots.memory.append((str(rooms_each), found[rooms_each][0].bytes_each))
    attentive, inattentive = found[ROOMS_EACH]
    short = PopulationSize(
        "memory", states // ROOMS_EACH, ROOMS_EACH, room_id_chars=SHORT_ID_CHARS, user_id_chars=SHORT_ID_CHARS
    )
    short_attentive, short_inattentive = _measure(short)
    rooms_line = ", ".join(
        f"{one.bytes_each:.0f} / {other.bytes_each:.0f} with {rooms_each}" for rooms_each, (one, other) in found.items()
    )
    return RowResult(
        f"{attentive.bytes_each:.0f} bytes, {inattentive.bytes_each:.0f} bytes",
        MEASURES["memory_per_state"].reached(attentive.bytes_each, inattentive.bytes_each),
        attentive.bytes_each,
        notes=(
            "Attentive: all members have read the newest message. Inattentive: more messages have come than "
            "attention lasts, and every room is on its members' lists of rooms with news.",
            "Growth of used_memory, less what the keys of the messages take. A read state stores the user's id once "
            "and the room's once: 13 and 24 characters, as in IMKit's documentation. With ids of "
            f"{SHORT_ID_CHARS} it takes {short_attentive.bytes_each:.0f} / {short_inattentive.bytes_each:.0f} bytes.",
            f"By the number of rooms of a user: {rooms_line}.",
        ),
        table=(
            ("part of a read state", "bytes, attentive", "bytes, inattentive"),
            *((name, f"{size:.1f}", f"{inattentive.parts[name]:.1f}") for name, size in attentive.parts.items()),
        ),
    )


@dataclass(frozen=True)
class StateMemory:
    """Bytes per read state, in all and by kind of key (each with its own overhead)."""

    bytes_each: float
    parts: dict[str, float]


def _measure(size: PopulationSize) -> tuple[StateMemory, StateMemory]:
    """When all members are attentive, and when none is."""
    say(f"memory of {size}, ids of {size.user_id_chars} and {size.room_id_chars} characters")
    with valkey(SERVER_CORE) as server:
        population = Population(size)
        run(_connect(server))
        before = kept_memory(server)
        run(_fill(server, population))
        attentive = _look(server, population, before)
        run(_forget(server, population))
        return attentive, _look(server, population, before)


def _look(server: Valkey, population: Population, before: int) -> StateMemory:
    size, grown = population.size, kept_memory(server) - before
    rooms = [Keys.room(APP, room) for room, _ in population.rooms[:SAMPLE]]
    users = [Keys.user(APP, user) for user in population.users[:SAMPLE]]
    messages = _mean(server, rooms, MESSAGE_LOG) * size.rooms
    parts = {name: _mean(server, rooms, part) / size.room_size for part, name in ROOM_PARTS.items()}
    parts |= {name: _mean(server, users, part) / size.rooms_each for part, name in USER_PARTS.items()}
    return StateMemory((grown - messages) / size.states, parts)


async def _connect(server: Valkey) -> None:
    """The functions are loaded: they take memory, and are no read states."""
    async with store_at(server.url):
        pass


async def _fill(server: Valkey, population: Population) -> None:
    async with store_at(server.url) as (store, _):
        await population.make(store)
        await population.post_until(store, 1)
        await all_of(
            store.reading.mark_read(app=APP, room=room, user=user, message=message_id(1))
            for user, room in population.pairs()
        )


async def _forget(server: Valkey, population: Population) -> None:
    async with store_at(server.url) as (store, _):
        await population.post_until(store, population.rounds + DEFAULTS.attention_posts)


def _mean(server: Valkey, keys: list[str], part: str) -> float:
    sizes = [int(server.ask("MEMORY", "USAGE", key + part, "SAMPLES", 0) or 0) for key in keys]
    return sum(sizes) / len(sizes)

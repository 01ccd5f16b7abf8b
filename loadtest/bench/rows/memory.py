"""Row h: bytes of memory per read state, and per remembered message."""

from loadtest.bench.bench import Bench, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, Population, PopulationSize, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store.keys import Keys

ROOMS_EACH = 50
SHORT_ID_CHARS = 8
SAMPLE = 200  # rooms or users whose keys are looked at one by one
ROOM_PARTS = {"": "room: head and members", ":c": "room: members by cursor"}
MESSAGE_PARTS = (":i", ":l")
USER_PARTS = {"": "user: copies and counters", ":s": "user: tag sets"}
FEW, MANY = 100, 2000  # messages remembered in a room: packed as one list, and as a table


def memory_per_state(bench: Bench) -> RowResult:
    """Everybody has read one message in every room."""
    states = bench.lengths.memory_users * ROOMS_EACH
    by_rooms, parts = {}, {}
    for rooms_each in bench.lengths.memory_rooms_each:
        by_rooms[rooms_each], parts[rooms_each] = _measure(PopulationSize("memory", states // rooms_each, rooms_each))
        bench.plots.memory.append((str(rooms_each), by_rooms[rooms_each]))
    bytes_each = by_rooms[ROOMS_EACH]
    short, _ = _measure(
        PopulationSize(
            "memory", states // ROOMS_EACH, ROOMS_EACH, room_id_chars=SHORT_ID_CHARS, user_id_chars=SHORT_ID_CHARS
        )
    )
    few, many = _per_message()
    rooms_line = ", ".join(f"{value:.0f} with {rooms_each}" for rooms_each, value in by_rooms.items())
    return RowResult(
        f"{bytes_each:.0f} bytes",
        MEASURES["memory_per_state"].reached(bytes_each),
        bytes_each,
        notes=(
            "Growth of used_memory, less what the keys of the messages take. A read state stores the user's "
            "id once and the room's once:"
            f" 13 and 24 characters, as in IMKit's documentation; with ids of {SHORT_ID_CHARS} it takes "
            f"{short:.0f} bytes.",
            f"By the number of rooms of a user: {rooms_line}.",
            f"A remembered message (id of 24 characters, sender, time, both indexes) takes {few:.0f} bytes "
            f"in a room that remembers {FEW},"
            f" {many:.0f} in one that remembers {MANY:,}; no more with the number of members.",
        ),
        table=(("part of a read state", "bytes"), *((name, f"{size:.1f}") for name, size in parts[ROOMS_EACH].items())),
    )


def _measure(size: PopulationSize) -> tuple[float, dict[str, float]]:
    """Bytes per read state, in all and by kind of key (each with its own overhead)."""
    say(f"memory of {size}, ids of {size.user_id_chars} and {size.room_id_chars} characters")
    with valkey(SERVER_CORE) as server:
        population = Population(size)
        before = server.used_memory()
        run(_fill(server, population))
        grown = server.used_memory() - before
        rooms = [Keys.room(APP, room) for room, _ in population.rooms[:SAMPLE]]
        users = [Keys.user(APP, user) for user in population.users[:SAMPLE]]
        messages = sum(_mean(server, rooms, part) for part in MESSAGE_PARTS) * size.rooms
        parts = {name: _mean(server, rooms, part) / size.room_size for part, name in ROOM_PARTS.items()}
        parts |= {name: _mean(server, users, part) / size.rooms_each for part, name in USER_PARTS.items()}
    return (grown - messages) / size.states, parts


async def _fill(server: Valkey, population: Population) -> None:
    async with store_at(server.url) as (store, _):
        await population.make(store)
        await population.post_until(store, 1)
        await all_of(
            store.reading.mark_read(app=APP, room=room, user=user, message=message_id(1))
            for user, room in population.pairs()
        )


def _mean(server: Valkey, keys: list[str], part: str) -> float:
    sizes = [int(server.ask("MEMORY", "USAGE", key + part, "SAMPLES", 0) or 0) for key in keys]
    return sum(sizes) / len(sizes)


def _per_message() -> tuple[float, float]:
    """Bytes per remembered message in rooms that remember FEW and MANY."""
    say("memory of messages")
    with valkey(SERVER_CORE) as server:
        return _messages(server, PopulationSize("few", users=20, rooms_each=200), FEW), _messages(
            server, PopulationSize("many", users=20, rooms_each=10), MANY
        )


def _messages(server: Valkey, size: PopulationSize, count: int) -> float:
    population = Population(size)

    async def make() -> None:
        async with store_at(server.url) as (store, _):
            await population.make(store)
            await population.post_until(store, 1)

    async def fill() -> None:
        async with store_at(server.url) as (store, _):
            for number in range(2, count + 2):
                await all_of(
                    post(store, room, message_id(number), members[number % 20]) for room, members in population.rooms
                )

    run(make())
    before = server.used_memory()
    run(fill())
    return (server.used_memory() - before) / (count * size.rooms)

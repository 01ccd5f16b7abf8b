"""Row h: bytes of memory per read state, and per remembered message."""

from loadtest.bench.calls import message_id
from loadtest.bench.figures import Better, Outcome, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import APP, Population, Shape, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from loadtest.bench.stage import Stage, run
from readstate.store.keys import Keys

REACH_BYTES = 200.0
ROOMS_EACH = 50
SHORT_ID_CHARS = 8
SAMPLE = 200  # rooms or users whose keys are looked at one by one
ROOM_PARTS = {"": "room: head and members", ":c": "room: members by cursor"}
MESSAGE_PARTS = (":i", ":l")
USER_PARTS = {"": "user: copies and counters", ":s": "user: tag sets"}
FEW, MANY = 100, 2000  # messages remembered in a room: packed as one list, and as a table


def per_state(stage: Stage) -> Outcome:
    """Everybody has read one message in every room."""
    states = stage.lengths.memory_users * ROOMS_EACH
    by_rooms, parts = {}, {}
    for rooms_each in stage.lengths.memory_rooms_each:
        by_rooms[rooms_each], parts[rooms_each] = _measure(Shape("memory", states // rooms_each, rooms_each))
        stage.plots.memory.append((str(rooms_each), by_rooms[rooms_each]))
    bytes_each = by_rooms[ROOMS_EACH]
    short, _ = _measure(
        Shape("memory", states // ROOMS_EACH, ROOMS_EACH, room_id_chars=SHORT_ID_CHARS, user_id_chars=SHORT_ID_CHARS)
    )
    few, many = _per_message()
    rooms_line = ", ".join(f"{value:.0f} with {rooms_each}" for rooms_each, value in by_rooms.items())
    return Outcome(
        f"{bytes_each:.0f} bytes",
        bytes_each <= REACH_BYTES,
        bytes_each,
        Better.LOWER,
        notes=(
            "Growth of used_memory, less what the keys of the messages take. A read state stores the user's id once and the room's once:"
            f" 13 and 24 characters, as in IMKit's documentation; with ids of {SHORT_ID_CHARS} it takes {short:.0f} bytes.",
            f"By the number of rooms of a user: {rooms_line}.",
            f"A remembered message (id of 24 characters, sender, time, both indexes) takes {few:.0f} bytes in a room that remembers {FEW},"
            f" {many:.0f} in one that remembers {MANY:,}; no more with the number of members.",
        ),
        table=(("part of a read state", "bytes"), *((name, f"{size:.1f}") for name, size in parts[ROOMS_EACH].items())),
    )


def _measure(shape: Shape) -> tuple[float, dict[str, float]]:
    """Bytes per read state, in all and by kind of key (each with its own overhead)."""
    say(f"memory of {shape}, ids of {shape.user_id_chars} and {shape.room_id_chars} characters")
    with valkey(SERVER_CORE) as server:
        population = Population(shape)
        before = server.used_memory()
        run(_fill(server, population))
        grown = server.used_memory() - before
        rooms = [Keys.room(APP, room) for room, _ in population.rooms[:SAMPLE]]
        users = [Keys.user(APP, user) for user in population.users[:SAMPLE]]
        messages = sum(_mean(server, rooms, part) for part in MESSAGE_PARTS) * shape.rooms
        parts = {name: _mean(server, rooms, part) / shape.room_size for part, name in ROOM_PARTS.items()}
        parts |= {name: _mean(server, users, part) / shape.rooms_each for part, name in USER_PARTS.items()}
    return (grown - messages) / shape.states, parts


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
        return _messages(server, Shape("few", users=20, rooms_each=200), FEW), _messages(
            server, Shape("many", users=20, rooms_each=10), MANY
        )


def _messages(server: Valkey, shape: Shape, count: int) -> float:
    population = Population(shape)

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
    return (server.used_memory() - before) / (count * shape.rooms)

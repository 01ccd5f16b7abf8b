"""Rows r and s: memory of remembered messages, and of everything beside what it was before."""

import hashlib
import random
import uuid
from collections.abc import Callable

from loadtest.bench.bench import Bench, run
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import ALL_ATTENTIVE, Population, PopulationSize, all_of, kept_memory, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store.bounds import DEFAULTS

SENDERS = 20  # members of a room
FEW, MANY = 100, 2000  # messages remembered in a room
FEW_ROOMS, MANY_ROOMS = 100, 5
FIRST_MS = 1_700_000_000_000
GAP_MS = 600_000  # between two messages of a room, on the average

EACH_ROOM = 100  # messages of a room of row s
# What row s took of the store with the layout before, number 1: bytes for each message, all else
# included, by the number of rooms. Measured once with this very function on the last commit of
# that layout, c1a3960, since no later one can write it.
LAYOUT_1_BYTES = {10_000: 189.8, 500: 204.9}


def message_memory(_: Bench) -> RowResult:
    """By the form of the ids and by how many are remembered."""
    say("memory of messages")
    found = {
        (form, count): _measure(count, rooms, make)
        for form, make in FORMS.items()
        for count, rooms in ((FEW, FEW_ROOMS), (MANY, MANY_ROOMS))
    }
    most = {form: max(found[form, FEW], found[form, MANY]) for form in FORMS}
    return RowResult(
        ", ".join(f"{size:.0f} bytes" for size in most.values()),
        MEASURES["message_memory"].reached(*most.values()),
        most[HEX],
        notes=(
            f"Growth of all keys (MEMORY USAGE) for each message, with its sender (of {SENDERS}), its time and all "
            "indexes, and the sender's own move in their journal. The more of the two is compared, by `make "
            "bench-check` of the first form only.",
            "Without the keys that say for a day in which room a message is, and notices that are kept for seconds.",
        ),
        table=(
            ("ids", f"bytes, {FEW} remembered", f"bytes, {MANY:,} remembered"),
            *((form, f"{found[form, FEW]:.1f}", f"{found[form, MANY]:.1f}") for form in FORMS),
        ),
    )


def all_memory(bench: Bench) -> RowResult:
    """Rooms of 20 whose members have posted all the messages in turn."""
    rooms = bench.lengths.message_rooms
    size = PopulationSize("messages", users=rooms * SENDERS // 50)
    say(f"{rooms * EACH_ROOM:,} messages; {size}")
    with valkey(SERVER_CORE) as server:
        before = server.used_memory()
        run(_post_all(server, size, EACH_ROOM, hex_id, DEFAULTS.attention_posts))
        grown = _used(server) - before
    each = grown / (rooms * EACH_ROOM)
    ratio = each / LAYOUT_1_BYTES[rooms]
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["all_memory"].reached(ratio),
        ratio,
        notes=(
            f"{rooms * EACH_ROOM:,} messages of 24 hex digits in {size}; each member posts in turn, "
            f"{GAP_MS // 60_000} minutes apart on the average. With rooms, members, copies and counters "
            f"{each:.1f} bytes for each message; before, in layout 1 (c1a3960, measured once with the same calls), "
            f"{LAYOUT_1_BYTES[rooms]:.1f}.",
            "Growth of used_memory, without the same keys as in row r.",
        ),
    )


def hex_id(number: int) -> str:
    """24 hex digits, as IMKit's ids."""
    return _digest(number).hex()[:24]


def uuid_id(number: int) -> str:
    """36 characters."""
    return str(uuid.UUID(bytes=_digest(number)[:16]))


HEX, UUID = "24 hex digits", "36 characters"
FORMS: dict[str, Callable[[int], str]] = {HEX: hex_id, UUID: uuid_id}


def _digest(number: int) -> bytes:
    return hashlib.sha1(f"message {number}".encode(), usedforsecurity=False).digest()


def _measure(count: int, rooms: int, make_id: Callable[[int], str]) -> float:
    """Bytes per message, when `rooms` remember `count` each.

    All members stay attentive, so that no list of rooms with news grows meanwhile.
    """
    size = PopulationSize("messages", users=SENDERS, rooms_each=rooms)
    with valkey(SERVER_CORE) as server:
        run(_post_all(server, size, 1, make_id, ALL_ATTENTIVE))
        before = _in_keys(server)
        run(_post_all(server, size, count + 1, make_id, ALL_ATTENTIVE))
        return (_in_keys(server) - before) / (count * rooms)


async def _post_all(
    server: Valkey, size: PopulationSize, messages: int, make_id: Callable[[int], str], attention: int
) -> None:
    """Make the rooms and their messages, as far as they are not there. Each id is in every room."""
    population, chance = Population(size), random.Random(size.name)
    async with store_at(server.url, attention=attention) as (store, _):
        await population.make(store)
        sent_ms = dict.fromkeys((room for room, _ in population.rooms), FIRST_MS)
        for number in range(messages):
            for room in sent_ms:
                sent_ms[room] += round(chance.expovariate(1 / GAP_MS))
            await all_of(
                post(store, room, make_id(number), members[number % SENDERS], sent_ms[room])
                for room, members in population.rooms
            )


def _in_keys(server: Valkey) -> int:
    """Bytes in all keys that stay.

    So few messages take less than buffers change.
    """
    _used(server)
    return sum(int(server.ask("MEMORY", "USAGE", key, "SAMPLES", 0)) for key in server.ask("KEYS", "*"))


def _used(server: Valkey) -> int:
    """Bytes in use, without the keys of the rooms of messages."""
    return kept_memory(server, "{m:*")

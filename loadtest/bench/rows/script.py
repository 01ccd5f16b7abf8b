"""Rows f and n: the bare script through redis-benchmark.

It is compared with the least that a script can do, and with itself with an event for webhooks.

redis-benchmark can put independent random numbers into a command and nothing else. So every user is
in every room: 64 users, 64 rooms, and each call takes one of 4,096 pairs. One run makes so few
calls that nine of ten meet a pair that has not read this round's message yet; the next run reads
the next round's.
"""

import asyncio
import csv
import subprocess
from statistics import median

from msgspec.structs import replace

from loadtest.bench.bench import Bench, median_ratio, run
from loadtest.bench.calls import message_id
from loadtest.bench.figures import MEASURES, RowResult, not_measured, say
from loadtest.bench.machine import DRIVER_CORE, SERVER_CORE, BenchError, on_core, tool
from loadtest.bench.population import ALL_ATTENTIVE, APP, TAGS, TAGS_EACH, all_of, post, store_at
from loadtest.bench.processes import Valkey, valkey
from readstate.store import lua
from readstate.store.bounds import DEFAULTS
from readstate.store.keys import Keys
from readstate.store.script_calls import Part

USERS = 64  # and rooms that each is in
CALLS = USERS * USERS // 5  # of a run: 1 - exp(-1/5) = 0.906 * 5 of them are the first of their pair
FORWARD_SHARE = 0.88
NOTHING_FACTOR = 3  # `return 1` is faster; runs of about the same length carry the same share of connecting
CLIENTS = 50
JOINED_LATELY_S = 6.0  # for so long a room keeps what it publishes, for members who have just joined


def script_ratio(bench: Bench) -> RowResult:
    """Runs of both in turn; the median of their ratios."""
    if not tool("redis-benchmark"):
        return not_measured("redis-benchmark is not installed")
    with valkey(SERVER_CORE) as server:
        mark_read = run(_prepare(server))
        nothing = server.ask("SCRIPT", "LOAD", "return 1").decode()
        marks, least = [], []
        mark_us = moved = 0.0
        say("redis-benchmark: mark_read and `return 1` in turn")
        for number in range(1, bench.lengths.script_rounds + 1):
            run(_post(server, number))
            server.forget_counts()
            marks.append(_benchmark(server, CALLS, "FCALL", mark_read, *_arguments(number)))
            calls, us = server.counts("fcall")
            if calls != CALLS:
                raise BenchError(f"redis-benchmark made {calls} calls instead of {CALLS}")
            mark_us += us
            moved += server.counts("spublish")[0]
            least.append(_benchmark(server, NOTHING_FACTOR * CALLS, "EVALSHA", nothing, 0))
    share = moved / (len(marks) * CALLS)
    if share < FORWARD_SHARE:
        raise BenchError(f"only {share:.0%} of the calls moved a cursor")
    ratio = median_ratio(zip(marks, least, strict=True))
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["script_ratio"].reached(ratio),
        ratio,
        notes=(
            f"{share:.0%} of the calls of mark_read were forward moves; {USERS} users in all of "
            f"{USERS} rooms, each reading up to"
            " the newest message.",
            f"Inside Valkey a call of mark_read took {mark_us / (len(marks) * CALLS):.1f} us.",
        ),
        table=(
            ("", "calls per second, median", "runs", "calls of a run"),
            ("mark_read", f"{median(marks):,.0f}", str(len(marks)), str(CALLS)),
            ("return 1", f"{median(least):,.0f}", str(len(least)), str(NOTHING_FACTOR * CALLS)),
        ),
    )


def event_cost(bench: Bench) -> RowResult:
    """The same calls with and without an event, in turn, each on a server of its own."""
    if not tool("redis-benchmark"):
        return not_measured("redis-benchmark is not installed")
    with valkey(SERVER_CORE) as plain, valkey(SERVER_CORE) as telling:
        servers = ((plain, run(_prepare(plain)), ""), (telling, run(_prepare(telling)), "3"))
        rates: list[list[float]] = []
        inside_us = {"": 0.0, "3": 0.0}
        say("redis-benchmark: mark_read with and without an event in turn")
        for number in range(1, bench.lengths.script_rounds + 1):
            pair = []
            for server, mark_read, shard in servers:
                run(_post(server, number))
                server.forget_counts()
                pair.append(_benchmark(server, CALLS, "FCALL", mark_read, *_arguments(number, shard)))
                inside_us[shard] += server.counts("fcall")[1]
                if bool(shard) != bool(server.counts("xadd")[0]):
                    raise BenchError("events were written where none were wanted, or the other way round")
            rates.append(pair)
    ratio = median_ratio((plain_rate, telling_rate) for plain_rate, telling_rate in rates)
    calls = len(rates) * CALLS
    return RowResult(
        f"{ratio:.2f}",
        MEASURES["event_cost"].reached(ratio),
        ratio,
        notes=(
            f"Time per call as redis-benchmark sees it. Inside Valkey it is {inside_us['3'] / calls:.1f} us "
            "with an event and"
            f" {inside_us[''] / calls:.1f} us without.",
        ),
    )


def _numbered(kind: str) -> list[str]:
    # redis-benchmark writes its numbers with twelve digits.
    return [f"{kind}{number:012d}" for number in range(USERS)]


async def _prepare(server: Valkey) -> str:
    async with store_at(server.url, attention=ALL_ATTENTIVE) as (store, executor):
        users = _numbered("user")
        await all_of(
            store.rooms.create_room(
                app=APP,
                room=room,
                tags=sorted({TAGS[at % 8], TAGS[(at + 1 + at // 8 % 7) % 8]})[:TAGS_EACH],
                profile={},
                members=users,
            )
            for at, room in enumerate(_numbered("room"))
        )
        await asyncio.sleep(JOINED_LATELY_S)
        return executor.scripts["mark_read"].function


async def _post(server: Valkey, number: int) -> None:
    async with store_at(server.url, attention=ALL_ATTENTIVE) as (store, _):
        await all_of(post(store, room, message_id(number)) for room in _numbered("room"))


def _arguments(number: int, shard: str = "") -> tuple[Part, ...]:
    """Arguments of a mark_read of a random user in a random room; `shard` "": no event."""
    call = lua.mark_read(
        app=APP,
        user="user__rand_int__",
        message=message_id(number),
        settings=replace(DEFAULTS, attention_posts=ALL_ATTENTIVE).as_settings(),
        shard=shard,
        with_badge=True,
    )
    return 1, Keys.room(APP, "room__rand_int__"), *call.args


def _benchmark(server: Valkey, calls: int, *parts: Part) -> float:
    """Calls per second."""
    command = [str(part) for part in parts]
    options = ["-s", server.socket, "-P", "1", "-c", str(CLIENTS), "-n", str(calls), "-r", str(USERS), "--csv"]
    with on_core(DRIVER_CORE):
        done = subprocess.run(["redis-benchmark", *options, *command], capture_output=True, text=True, check=False)
    lines = list(csv.reader(done.stdout.splitlines()))
    if done.returncode or not lines:
        raise BenchError(f"redis-benchmark ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return float(lines[-1][1])

"""Row t: what the dearest calls of an ordinary user cost at the limits, in store and worker."""

import http.client
import json
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import urlencode

from loadtest.bench.bench import Bench, run
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import DRIVER_CORE, SERVER_CORE, BenchError, cpu_seconds
from loadtest.bench.population import APP, Secrets, all_of, issued, post, store_at
from loadtest.bench.processes import HttpServer, Valkey, http_server, valkey
from readstate.dialects.rocketchat.api import PATH as ROCKETCHAT
from readstate.domain.limits import MAX_MEMBERS_PER_CALL, MAX_RECEIPTS_PER_PAGE, MAX_TAGS
from readstate.store.bounds import DEFAULTS
from readstate.store.redis_store import RedisStore
from readstate.store.users import RedisUsers

DERIVED = 20  # rooms above the fan-out limit
CLIENT_TAGS = 10
CLIENT_PEOPLE = 100
JSON = {"Content-Type": "application/json"}
ANN = "ann"
CROWD = [f"member{number:04}" for number in range(MAX_MEMBERS_PER_CALL)]
MESSAGE = "message"
PROFILE = {"owner": json.dumps(ANN).encode()}


@dataclass(frozen=True)
class DearCall:
    """One of the calls, as `ann` makes it.

    `prepare` makes the same call possible again and is not measured.
    """

    name: str
    method: str
    path: str
    body: Callable[[int], object] = lambda _: None  # of the round
    prepare: Callable[[RedisStore], Awaitable[object]] | None = None


@dataclass
class CallCost:
    """Of one call, over all rounds; milliseconds."""

    store: list[float] = field(default_factory=list)  # in all its scripts
    script: float = 0.0  # the longest
    worker: float = 0.0  # CPU
    held: list[float] = field(default_factory=list)  # how long another caller waited for the worker at most


def dearest_calls(bench: Bench) -> RowResult:
    """Each call for some rounds, alone and while another caller asks for `/healthz`."""
    keys = Secrets(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(32))
    with valkey(DRIVER_CORE) as server:
        environ = {"READSTATE_REDIS_URL": server.url, "READSTATE_WORKERS": "1", **keys.environ(), **_twice_the_limits()}
        token = run(_make(server, keys, bench.lengths.dear_rooms))
        with http_server("readstate", environ, SERVER_CORE) as service:
            say("the dearest calls, one after the other")
            costs = {
                call.name: _measure(service, server, keys, token, call, bench.lengths.dear_rounds) for call in CALLS
            }
    longest, held = max(cost.script for cost in costs.values()), max(median(cost.held) for cost in costs.values())
    measure = MEASURES["dearest_calls"]
    return RowResult(
        f"{longest:.1f} ms, {held:.1f} ms",
        measure.reached(longest, held),
        longest / measure.limits[0].number,
        notes=(
            f"A user in {bench.lengths.dear_rooms:,} rooms, {DERIVED} of them above the fan-out limit; "
            f"{DEFAULTS.user_tag_limit:,} distinct tags.",
            "Longest script: by the server's clock. Others wait: the longest that GET /healthz took meanwhile, median.",
            "The median of a call's scripts together, and the worker's CPU of a call on the average of "
            f"{bench.lengths.dear_rounds}.",
        ),
        table=(
            ("call", "store, ms", "longest script, ms", "worker's CPU, ms", "others wait, ms"),
            *(_line(name, cost) for name, cost in sorted(costs.items(), key=lambda item: -median(item[1].store))),
        ),
    )


def _twice_the_limits() -> dict[str, str]:
    """Settings under which clients may fill as much of a user as a backend may by default."""
    return {
        "READSTATE_USER_ROOM_LIMIT": str(2 * DEFAULTS.user_room_limit),
        "READSTATE_USER_TAG_LIMIT": str(2 * DEFAULTS.user_tag_limit),
    }


def _line(name: str, cost: CallCost) -> tuple[str, ...]:
    return name, f"{median(cost.store):.2f}", f"{cost.script:.2f}", f"{cost.worker:.1f}", f"{median(cost.held):.1f}"


# The world


async def _make(server: Valkey, keys: Secrets, rooms: int) -> str:
    """Everything at its limits; a token for ann."""
    say(f"a user in {rooms:,} rooms")
    async with store_at(server.url) as (store, executor):
        await all_of(_create(store, room, members, tags) for room, members, tags in _rooms(rooms))
        await all_of(post(store, room, MESSAGE) for room, _, _ in _rooms(rooms))
        await all_of(
            store.reading.mark_read(app=APP, room="crowd", user=member, message=MESSAGE) for member in CROWD[1:]
        )
        directory = RedisUsers(executor)
        await all_of(
            directory.upsert_user(app=APP, user=user, profile={"nickname": json.dumps(user).encode()})
            for user in (ANN, *CROWD)
        )
        return (await issued(executor, keys, [ANN]))[ANN]


def _rooms(count: int) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """Room, members, tags. No two of ann's rooms have the same tags."""
    yield "crowd", [ANN, *CROWD[1:]], ["large"]
    yield "full", [ANN, *CROWD[: DEFAULTS.fanout_limit - 1]], ["a", "b"]
    yield "tagged", [ANN, *CROWD[:84]], _client_tags(0)
    yield "tagged too", [ANN, *CROWD[:84]], _client_tags(1)
    for number in range(DERIVED):
        yield f"derived{number}", [ANN, *CROWD[: DEFAULTS.fanout_limit + 50]], [f"derived{number}"]
    distinct = DEFAULTS.user_tag_limit - DERIVED - len(("large", "a", "b", "x", "y")) - 2 * CLIENT_TAGS
    for number in range(
        count - DERIVED - len(("crowd", "full", "tagged", "tagged too", "joined", "doomed256", "doomed1000"))
    ):
        yield f"room{number:04}", [ANN, "ben"], [f"tag{number % distinct}", f"tag{(7 * number + 1) % distinct}"]


def _create(store: RedisStore, room: str, members: Sequence[str], tags: Sequence[str]) -> Awaitable[object]:
    return store.rooms.create_room(app=APP, room=room, tags=sorted(set(tags)), profile=PROFILE, members=members)


def _client_tags(turn: int) -> list[str]:
    return [f"client{turn % 2}-{number}" for number in range(CLIENT_TAGS)]


# The calls


async def _empty(store: RedisStore) -> None:
    """A room of 200, so that 100 more pass the fan-out limit."""
    await store.rooms.delete_room(app=APP, room="joined")
    await store.rooms.create_room(app=APP, room="joined", tags=["x", "y"], profile=PROFILE, members=[ANN, *CROWD[:199]])


async def _doomed(store: RedisStore, size: int) -> None:
    await store.rooms.create_room(
        app=APP, room=f"doomed{size}", tags=["x", "y"], profile=PROFILE, members=[ANN, *CROWD[: size - 1]]
    )


def _joiners(_: int) -> object:
    return {"invitees": CROWD[200 : 200 + CLIENT_PEOPLE]}


CALLS = (
    DearCall("badges by every tag", "POST", "/badges/byRoomTags", lambda _: {}),
    DearCall(
        "badge with 100 tags",
        "GET",
        f"/me/badge?{urlencode([('roomTags', f'tag{number}') for number in range(MAX_TAGS)])}",
    ),
    DearCall("all rooms", "GET", "/rooms"),
    DearCall("one of all rooms", "GET", "/rooms?limit=1"),
    DearCall("a room of 1,000", "GET", "/rooms/crowd"),
    DearCall(
        "a page of 1,000 receipts", "GET", f"/rooms/crowd/messages/{MESSAGE}/receipts?limit={MAX_RECEIPTS_PER_PAGE}"
    ),
    DearCall("10 tags for a room of 85", "PUT", "/rooms/tagged", lambda turn: {"roomTags": _client_tags(turn + 1)}),
    DearCall("a post into a room of 256", "POST", "/rooms/full/message", lambda _: {"message": "x"}),
    DearCall("100 people come into a room of 200", "POST", "/rooms/joined/members", _joiners, _empty),
    DearCall("all subscriptions (Rocket.Chat)", "GET", f"{ROCKETCHAT}/subscriptions.get"),
    DearCall(
        "a room of 256 is deleted",
        "DELETE",
        f"/rooms/doomed{DEFAULTS.fanout_limit}",
        prepare=lambda store: _doomed(store, DEFAULTS.fanout_limit),
    ),
    DearCall("a room of 1,000 is deleted", "DELETE", "/rooms/doomed1000", prepare=lambda store: _doomed(store, 1000)),
)


def _measure(service: HttpServer, server: Valkey, keys: Secrets, token: str, call: DearCall, rounds: int) -> CallCost:
    """In turn alone, for the costs, and beside another caller, for the other's waiting.

    The first round is not measured, so that everything is cached.
    """
    cost, workers = CallCost(), service.workers()
    headers = {"IM-CLIENT-KEY": keys.client_key, "IM-Authorization": token, "X-User-Id": ANN, "X-Auth-Token": token}
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    server.ask("CONFIG", "SET", "latency-tracking-info-percentiles", "100")
    for turn in range(2 * rounds + 1):
        if call.prepare:
            run(_prepared(server, call.prepare))
        content = call.body(turn)
        request = (call.method, call.path, None if content is None else json.dumps(content), headers | JSON)
        if turn % 2 == 0:
            with _bystander(service) as waits:
                _send(connection, *request)
            if turn:
                cost.held.append(max(waits))
            continue
        server.forget_counts()
        before = cpu_seconds(workers)
        _send(connection, *request)
        cost.worker += (cpu_seconds(workers) - before) * 1000 / rounds
        cost.store.append(server.counts("fcall")[1] / 1000)
        cost.script = max(
            cost.script, float(server.info("latencystats")["latency_percentiles_usec_fcall"]["p100"]) / 1000
        )
    connection.close()
    return cost


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None, headers: dict[str, str]
) -> None:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise BenchError(f"{method} {path[:60]}: {answer.status} {text[:200]!r}")


async def _prepared(server: Valkey, prepare: Callable[[RedisStore], Awaitable[object]]) -> None:
    async with store_at(server.url) as (store, _):
        await prepare(store)


@contextmanager
def _bystander(service: HttpServer) -> Iterator[list[float]]:
    """Another caller, who asks for `/healthz` all the time: milliseconds of each answer."""
    waits: list[float] = []
    done = threading.Event()
    ready = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
        while not done.is_set():
            begun = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            waits.append((time.perf_counter() - begun) * 1000)
            ready.set()
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    ready.wait()
    waits.clear()
    try:
        yield waits
    finally:
        done.set()
        thread.join()

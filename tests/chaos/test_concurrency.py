"""Sixty-four clients on two workers, all in the same few rooms.

Every answer must have been right at some moment within its call.
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from readstate.domain.identity import FIRST_APP
from readstate.replay.api import Api, path
from readstate.store.connect import connect
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.history import Call, Checker
from tests.support.processes import ServiceProcess
from tests.support.servers import Cluster, Server, short_directory

CLIENTS, WORKERS = 64, 2
ROOMS = [f"room-{number}" for number in range(5)]
USERS = [f"user-{number}" for number in range(CLIENTS // 4)]  # four devices each


class Crowd:
    """The clients, what they know of messages, and what they saw."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.chance = random.Random(seed)
        self.posted: dict[str, list[str]] = {room: [] for room in ROOMS}
        self.history: list[Call] = []

    async def enter(self) -> None:
        """Every user has a token, and is in every room before anything is posted."""
        for user in USERS:
            made = await self.api.backend("POST", "/admin/clients", {"_id": user, "issueAccessToken": True})
            self.api.tokens[user] = made["token"]
        for room in ROOMS:
            await self.api.backend("POST", "/rooms/", {"_id": room, "members": USERS, "systemMessage": False})
            await self.post(USERS[0], room, f"{room}-first")

    async def act(self, user: str, device: int, calls: int) -> None:
        for number in range(calls):
            room, roll = self.chance.choice(ROOMS), self.chance.random()
            if roll < 0.25:
                await self.post(user, room, f"{user}-{device}-{number}")
            elif roll < 0.75:
                await self.read(user, room, self.chance.choice(self.posted[room][-20:]))
            else:
                await self.badge(user)

    async def post(self, user: str, room: str, message: str) -> None:
        began = perf_counter()
        await self.api.backend("POST", "/messages", {"room": room, "sender": user, "_id": message, "message": "hello"})
        self.history.append(Call("post", user, began, perf_counter(), room, message))
        self.posted[room].append(message)

    async def read(self, user: str, room: str, message: str) -> None:
        began = perf_counter()
        answer = await self.api.user(user, "PUT", path("rooms", room, "lastRead"), {"message": message})
        call = Call(
            "read", user, began, perf_counter(), room, message, answer["lastRead"], answer["unread"], answer["badge"]
        )
        self.history.append(call)

    async def badge(self, user: str) -> None:
        began = perf_counter()
        answer = await self.api.user(user, "GET", "/me/badge")
        self.history.append(Call("badge", user, began, perf_counter(), badge=answer["badge"]))


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("plan", "fanout_limit"),
    [("atomic", 256), ("atomic", 8), ("split", 256)],
    ids=["one-server", "large-rooms", "cluster"],
)
def test_every_answer_is_right_at_some_instant_of_its_call(
    plan: str, fanout_limit: int, request: pytest.FixtureRequest, data_dir: Path, full: bool
) -> None:
    """At rest every badge is exact and the audit finds nothing."""
    where: Server | Cluster = request.getfixturevalue("server" if plan == "atomic" else "cluster")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    # Each user has several devices that ask as fast as they can.
    settings: dict[str, object] = {
        "workers": WORKERS,
        "redis_url": where.url,
        "fanout_limit": fanout_limit,
        "user_rate_limit": 0,
    }
    with ServiceProcess(data_dir, **settings) as service:
        asyncio.run(hammer(service, where.url, seed, calls=300 if full else 30, at_one_instant=plan == "atomic"))


async def hammer(service: ServiceProcess, redis_url: str, seed: int, *, calls: int, at_one_instant: bool) -> None:
    executor = await connect(redis_url)
    await executor.each_node("FLUSHALL")
    store = redis_store(executor)
    async with Api(service.url, api_key=service.api_key, client_key=service.client_key, concurrency=CLIENTS) as api:
        crowd = Crowd(api, seed)
        await crowd.enter()
        await asyncio.gather(
            *(crowd.act(user, device, calls) for user in USERS for device in range(CLIENTS // len(USERS)))
        )
        checker = Checker(
            crowd.history,
            {room: await messages_in_order(store, room, crowd) for room in ROOMS},
            at_one_instant=at_one_instant,
        )
        assert checker.check() == []
        for user in USERS:
            assert (await api.user(user, "GET", "/me/badge"))["badge"] == checker.final_badge(user)
    assert await store.audit.audit_all(repair=False) == []
    await executor.close()


async def messages_in_order(store: RedisStore, room: str, crowd: Crowd) -> list[str]:
    """The room's messages by position: a repeated post is answered with the place of the first."""

    async def seq(message: str) -> int:
        place = await store.messages.post(
            app=FIRST_APP, room=room, sender="", message=message, countable=True, body="{}", sender_must_be_member=False
        )
        assert not place.created
        return place.seq

    places = await asyncio.gather(*(seq(message) for message in crowd.posted[room]))
    return [message for _, message in sorted(zip(places, crowd.posted[room], strict=True))]

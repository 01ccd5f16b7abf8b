"""Unread counters in plain Redis hashes, as they are often built with redis-py.

A post raises a counter for every member but its sender (HINCRBY), and a read sets the reader's to 0
(HSET). The counters of a user are one hash, so that a badge is one command. Nothing here is a
script or a transaction.

    room:ROOM:members     set    the members
    room:ROOM:messages    list   ids of the messages
    room:ROOM:read        hash   member -> id of the message they have read, and when
    user:USER:unread      hash   room -> counter
    user:USER:tag:TAG     set    the user's rooms with the tag
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from loadtest.bench.day import Room
from loadtest.bench.machine import SERVER_CORE
from loadtest.bench.population import all_of
from loadtest.bench.processes import Valkey, valkey
from loadtest.peers.contestant import STORE, Contestant
from loadtest.peers.work import PAGE

CONNECTIONS = 64
WAIT_S = 30.0  # for one of them


class PlainRedis:
    """Hashes and pipelines, without scripts."""

    name = "plain"

    def __init__(self, redis: Any, server: Valkey) -> None:
        self._redis = redis
        self._server = server

    async def make_rooms(self, rooms: Sequence[Room]) -> None:
        await all_of(self._make_room(room) for room in rooms)

    async def _make_room(self, room: Room) -> None:
        pipe = self._pipeline()
        pipe.sadd(f"room:{room.id}:members", *room.members)
        for member in room.members:
            pipe.hset(f"user:{member}:unread", room.id, "0")
            for tag in room.tags:
                pipe.sadd(f"user:{member}:tag:{tag}", room.id)
        await pipe.execute()

    async def post(self, room: str, message: str, user: str) -> None:
        members: set[str] = await self._redis.smembers(f"room:{room}:members")
        pipe = self._pipeline()
        pipe.rpush(f"room:{room}:messages", message)
        for member in members - {user}:
            pipe.hincrby(f"user:{member}:unread", room, 1)
        self._read(pipe, room, user, message)
        await pipe.execute()

    async def mark_read(self, room: str, user: str, message: str) -> int:
        pipe = self._pipeline()
        self._read(pipe, room, user, message)
        pipe.hvals(f"user:{user}:unread")
        *_, counters = await pipe.execute()
        return sum(map(int, counters))

    def _read(self, pipe: Any, room: str, user: str, message: str) -> None:
        pipe.hset(f"user:{user}:unread", room, "0")
        pipe.hset(f"room:{room}:read", user, f"{message} {time.time_ns() // 1_000_000}")
        pipe.publish(f"room:{room}", f"{user} {message}")

    async def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        if not tags:
            return sum(map(int, await self._redis.hvals(f"user:{user}:unread")))
        pipe = self._pipeline()
        pipe.sinter([f"user:{user}:tag:{tag}" for tag in tags])
        pipe.hgetall(f"user:{user}:unread")
        rooms, counters = await pipe.execute()
        return sum(int(counters.get(room, 0)) for room in rooms)

    async def receipts(self, room: str, message: str) -> dict[str, int]:
        found: dict[str, str] = await self._redis.hgetall(f"room:{room}:read")
        reads = ((member, *value.split()) for member, value in found.items())
        return dict([(member, int(at_ms)) for member, read, at_ms in reads if read >= message][:PAGE])

    async def delete(self, room: str, message: str) -> None:
        # Who has it unread is not known, so no counter falls.
        await self._redis.lrem(f"room:{room}:messages", 1, message)

    def _pipeline(self) -> Any:
        return self._redis.pipeline(transaction=False)

    def cpu_s(self) -> Mapping[str, float]:
        return {STORE: self._server.cpu_s()}

    def memory(self) -> int:
        return self._server.used_memory()

    async def disk(self) -> int:
        return int(self._server.info("persistence")["aof_current_size"])


@asynccontextmanager
async def plain_redis() -> AsyncIterator[Contestant]:
    with valkey(SERVER_CORE) as server:
        pool = BlockingConnectionPool.from_url(
            server.url, max_connections=CONNECTIONS, timeout=WAIT_S, protocol=3, decode_responses=True
        )
        async with Redis.from_pool(pool) as redis:
            yield PlainRedis(redis, server)

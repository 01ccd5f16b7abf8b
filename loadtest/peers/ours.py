"""This service: its scripts called through the store layer, and over HTTP with one worker."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlencode

from loadtest.bench.day import Room
from loadtest.bench.feed import make_rooms
from loadtest.bench.machine import SERVER_CORE, exact_cpu_seconds
from loadtest.bench.nodes import nodes
from loadtest.bench.population import APP, Secrets, issued, post, store_at
from loadtest.bench.processes import HttpServer, Store, http_server, valkey
from loadtest.peers.contestant import STORE, WORKER, Contestant
from loadtest.peers.http_client import HttpClient
from loadtest.peers.work import PAGE
from loadtest.target import NO_RATE_LIMITS
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore

CLIENTS = 64  # connections over HTTP


class _OnValkey:
    """What both have: rooms are made through the store."""

    def __init__(self, store: RedisStore, servers: Store) -> None:
        self._store = store
        self._servers = servers

    async def make_rooms(self, rooms: Sequence[Room]) -> None:
        await make_rooms(self._store, rooms)

    def memory(self) -> int:
        return int(sum(self._servers.each("memory", "used_memory")))

    async def disk(self) -> int:
        return int(sum(self._servers.each("persistence", "aof_current_size")))

    def network(self) -> float:
        """Bytes that the servers have received and sent so far."""
        return sum(self._servers.each("stats", "total_net_input_bytes")) + sum(
            self._servers.each("stats", "total_net_output_bytes")
        )


class Scripts(_OnValkey):
    """The scripts, called by the store layer over its pipelined connection."""

    name = "scripts"

    async def post(self, room: str, message: str, user: str) -> None:
        await post(self._store, room, message, user)

    async def mark_read(self, room: str, user: str, message: str) -> int:
        return (await self._store.reading.mark_read(app=APP, room=room, user=user, message=message)).badge or 0

    async def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        return await self._store.badges.badge(app=APP, user=user, tags=tuple(tags))

    async def receipts(self, room: str, message: str) -> dict[str, int]:
        found = await self._store.receipts.page(app=APP, room=room, message=message, limit=PAGE)
        return {receipt.member: receipt.at_ms for receipt in found.readers}

    async def delete(self, room: str, message: str) -> None:
        await self._store.messages.delete_message(app=APP, room=room, message=message)

    def cpu_s(self) -> Mapping[str, float]:
        return {STORE: self._servers.cpu_s()}


class Http(_OnValkey):
    """The IMKit calls: users with their tokens read and ask, the backend posts."""

    def __init__(
        self, name: str, store: RedisStore, executor: Executor, servers: Store, service: HttpServer, keys: Secrets
    ) -> None:
        super().__init__(store, servers)
        self.name = name
        self._executor = executor
        self._service = service
        self._keys = keys
        self._client = HttpClient(service.host, service.port, CLIENTS)
        self._backend = {"IM-API-KEY": keys.api_key}
        self._users: dict[str, dict[str, str]] = {}

    async def make_rooms(self, rooms: Sequence[Room]) -> None:
        await super().make_rooms(rooms)
        users = sorted({member for room in rooms for member in room.members} - self._users.keys())
        for user, token in (await issued(self._executor, self._keys, users)).items():
            self._users[user] = {"IM-CLIENT-KEY": self._keys.client_key, "IM-Authorization": token}

    async def post(self, room: str, message: str, user: str) -> None:
        body = {"_id": message, "room": room, "sender": user, "messageType": "text", "message": "text"}
        await self._client.call("POST", "/messages", self._backend, body)

    async def mark_read(self, room: str, user: str, message: str) -> int:
        body = {"message": message}
        found = await self._client.call("PUT", f"/rooms/{room}/lastRead", self._users[user], body)
        return int(found["badge"])

    async def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        query = urlencode([("roomTags", tag) for tag in tags])
        found = await self._client.call("GET", f"/me/badge?{query}" if query else "/me/badge", self._users[user])
        return int(found["badge"])

    async def receipts(self, room: str, message: str) -> dict[str, int]:
        path = f"/rooms/{room}/messages/{message}/receipts?limit={PAGE}"
        found = await self._client.call("GET", path, self._backend)
        return {one["client"]: round(datetime.fromisoformat(one["at"]).timestamp() * 1000) for one in found["data"]}

    async def delete(self, room: str, message: str) -> None:
        await self._client.call("DELETE", f"/rooms/{room}/messages/{message}", self._backend)

    @property
    def client_bytes(self) -> int:
        """Bytes of all requests and answers so far."""
        return self._client.bytes

    def cpu_s(self) -> Mapping[str, float]:
        return {STORE: self._servers.cpu_s(), WORKER: exact_cpu_seconds(self._service.workers())}

    async def close(self) -> None:
        await self._client.close()


@asynccontextmanager
async def scripts() -> AsyncIterator[Contestant]:
    with valkey(SERVER_CORE) as server:
        async with store_at(server.url) as (store, _):
            yield Scripts(store, server)


@asynccontextmanager
async def http() -> AsyncIterator[Http]:
    """On one server, as `readstate serve` starts it."""
    with valkey(SERVER_CORE) as server:
        async with _served("http", server) as peer:
            yield peer


@asynccontextmanager
async def http_on_cluster() -> AsyncIterator[Http]:
    """On a cluster of three primaries."""
    with nodes(SERVER_CORE, 3) as servers:
        async with _served("http_cluster", servers) as peer:
            yield peer


@asynccontextmanager
async def _served(name: str, servers: Store) -> AsyncIterator[Http]:
    keys = Secrets(secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(32))
    environ = {"READSTATE_REDIS_URL": servers.url, "READSTATE_WORKERS": "1", **keys.environ(), **NO_RATE_LIMITS}
    with http_server("readstate", environ, SERVER_CORE) as service:
        async with store_at(servers.url) as (store, executor):
            peer = Http(name, store, executor, servers, service, keys)
            yield peer
            await peer.close()

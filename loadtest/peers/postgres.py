"""Read state in PostgreSQL: schema.sql, called over asyncpg."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from loadtest.bench.day import Room
from loadtest.bench.machine import BenchError
from loadtest.peers.contestant import STORE, Contestant
from loadtest.peers.postgres_server import PostgresServer, postgres_server
from loadtest.peers.work import PAGE

CONNECTIONS = 16  # more than two cores use, and as many as keep waiting for the disk from standing still


class Postgres:
    """Functions of the database, each called in a transaction of its own."""

    def __init__(self, name: str, pool: Any, server: PostgresServer) -> None:
        self.name = name
        self._pool = pool
        self._server = server

    async def make_rooms(self, rooms: Sequence[Room]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "rooms", columns=("id", "tags"), records=[(room.id, room.tags) for room in rooms]
            )
            await connection.copy_records_to_table(
                "members",
                columns=("room", "member"),
                records=[(room.id, member) for room in rooms for member in room.members],
            )
        await self._pool.execute("ANALYZE")

    async def post(self, room: str, message: str, user: str) -> None:
        await self._pool.execute("SELECT post($1, $2, $3)", room, message, user)

    async def mark_read(self, room: str, user: str, message: str) -> int:
        return int(await self._pool.fetchval("SELECT mark_read($1, $2, $3)", room, user, message))

    async def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        return int(await self._pool.fetchval("SELECT badge($1, $2)", user, list(tags)))

    async def receipts(self, room: str, message: str) -> dict[str, int]:
        found = await self._pool.fetch("SELECT * FROM receipts($1, $2, $3)", room, message, PAGE)
        return {row["member"]: row["at_ms"] for row in found}

    async def delete(self, room: str, message: str) -> None:
        await self._pool.execute("SELECT delete_message($1, $2)", room, message)

    def cpu_s(self) -> Mapping[str, float]:
        return {STORE: self._server.cpu_s()}

    def memory(self) -> int:
        return self._server.memory()

    async def disk(self) -> int:
        return int(await self._pool.fetchval("SELECT pg_database_size(current_database())"))


@asynccontextmanager
async def postgres(name: str, *, commit: str, schemas: Sequence[str] = ("schema.sql",)) -> AsyncIterator[Contestant]:
    """`commit`: what a commit waits for: "on" for the disk, "off" for nothing."""
    try:
        import asyncpg
    except ImportError:
        raise BenchError("asyncpg is not installed; `make bench-peers` installs it") from None
    with postgres_server(commit) as server:
        pool = await asyncpg.create_pool(
            host=server.directory, user="readstate", database="postgres", min_size=CONNECTIONS, max_size=CONNECTIONS
        )
        async with pool:
            for schema in schemas:
                await pool.execute(Path(__file__).with_name(schema).read_text(encoding="utf-8"))
            yield Postgres(name, pool, server)

"""redis-py's connection pool, to compare with: one connection for each call in flight."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hiredis import ReplyError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from readstate.domain.durability import Durability
from readstate.errors import ReadStateError
from readstate.store.executor import Reply
from readstate.store.keys import SLOTS
from readstate.store.replies import Meaning, classify, reply_or_raise
from readstate.store.script_calls import Call, Part
from readstate.store.scripts import Plan, load_scripts


class PoolExecutor:
    """Implements readstate.store.executor.Executor.

    What PipelinedConnection leaves out (retries, maintenance notifications) is left out here too.
    """

    plan: Plan = "atomic"

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self.scripts = load_scripts("atomic")
        self.round_trips = 0

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        self.round_trips += 1
        script = self.scripts[call.script]
        try:
            return call.read(await self._redis.fcall(script.function, 1, key, *call.args))
        except ResponseError as error:
            reply = ReplyError(str(error))
            if classify(reply) is Meaning.MISSING_FUNCTION:
                await self._redis.function_load(script.lib.text, replace=True)  # type: ignore[arg-type]  # bytes will do
                return await self.call(call, key)
            return call.read(reply_or_raise(reply))

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        return [await self._reply_or_error(call, key) for key, call in calls]

    async def _reply_or_error(self, call: Call[Reply], key: str) -> Reply | ReadStateError:
        try:
            return await self.call(call, key)
        except ReadStateError as error:
            return error

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        return "a pool has no connection that could ask"

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        self.round_trips += 1
        # The client's own decoding of known commands would give other types than
        # PipelinedConnection does.
        connection = await self._redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_command(*parts)
            return await connection.read_response()
        finally:
            await self._redis.connection_pool.release(connection)

    async def each_node(self, *parts: Part) -> list[Any]:
        return [await self.command(*parts, key="")]

    async def scan(self, pattern: str, node: str | None = None, *, rest: float = 0.0) -> AsyncIterator[str]:
        async for key in self._redis.scan_iter(pattern, count=1000):
            yield key.decode()

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        return {node: [(0, SLOTS - 1)] for node in self.nodes()}

    def why_away(self) -> str:
        return ""

    def nodes(self) -> list[str]:
        return [self._url]

    def node_of(self, key: str) -> str:
        return self._url

    async def close(self) -> None:
        await self._redis.aclose()


async def connect(url: str) -> PoolExecutor:
    """As readstate.store.connect.connect, for one server."""
    return PoolExecutor(url)

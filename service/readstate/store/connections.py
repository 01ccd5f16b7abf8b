"""Connections to the nodes of a store."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import NoPermissionError
from redis.maint_notifications import MaintNotificationsConfig

from readstate.domain.durability import Durability
from readstate.store.confirming import NodeConfirmations
from readstate.store.pipelined_connection import DEADLINE_S, PipelinedConnection
from readstate.store.replies import reply_or_raise
from readstate.store.scripts import Script
from readstate.store.sentinel import connection_class, service_of
from readstate.store.slow_scripts import SlowScripts

# What CLIENT LIST shows of each connection. Without it redis-py would read its own version from the
# disk for each connection, which takes a millisecond.
_DRIVER = DriverInfo()


class ConnectionFactory:
    """Makes redis-py connections without retries, health checks and hidden time-outs.

    Where `url` names a service that Sentinels watch, they go to its primary.
    """

    def __init__(self, url: str) -> None:
        service = service_of(url)
        self._pool = ConnectionPool.from_url(
            service.url if service else url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            socket_timeout=None,
            socket_connect_timeout=DEADLINE_S,
            driver_info=_DRIVER,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),
        )
        if service:
            self._pool.connection_class = connection_class(service)

    def __call__(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection


class NodeConnection(PipelinedConnection):
    """The connection to one primary that all callers share.

    A script that keeps the node busy too long is ended. In a cluster (`has_peers`) a node that has
    answered nothing for one deadline is left: another one may have taken over, and this one, when
    it wakes up, does not know that for a moment and answers from the past. With `primary_only`, a
    server that is a replica by now is not connected again: the name of a single server may lead to
    it for a while.
    """

    primary_only = False

    def __init__(self, url: str, *, has_peers: bool = False) -> None:
        make_connection = ConnectionFactory(url)
        self._slow_scripts = SlowScripts(make_connection)
        self._confirmations = NodeConfirmations(make_connection)
        super().__init__(make_connection, silent_deadlines=1 if has_peers else 2, on_slow=self._slow_scripts.check)

    async def open(self) -> None:
        await self._slow_scripts.open()
        try:
            await super().open()
        except BaseException:
            await self._slow_scripts.close()
            raise

    async def _examine(self, connection: AbstractConnection) -> None:
        if self.primary_only and await _is_replica(connection):
            raise ConnectionError("the server is a replica")

    def reconnect(self) -> None:
        super().reconnect()
        self._slow_scripts.reconnect()

    async def close(self) -> None:
        await super().close()
        await self._confirmations.close()
        await self._slow_scripts.close()

    async def confirm(self, connects: int, level: Durability, key: str, within_ms: int) -> str:
        """As NodeConfirmations.confirm, of what was answered over the connection of that number."""
        refusal = await self._confirmations.confirm(level, key, within_ms)
        if not refusal and not (self.connected and self.connects == connects):
            return "the connection was lost meanwhile"
        return refusal

    async def load_functions_of(self, script: Script) -> None:
        """Load the library in which `script` is. Raises what `reply_or_raise` does."""
        reply_or_raise(await self.call("FUNCTION", "LOAD", "REPLACE", script.lib.text, repeatable=True))

    async def scan(self, pattern: str, rest: float = 0.0) -> AsyncIterator[str]:
        """Every key of the node that matches `pattern`; a key may come twice.

        Between two looks for so many times as long as one took the node is left alone.
        """
        scan_cursor: bytes | int = 0
        while scan_cursor != b"0":
            began_s = monotonic()
            reply = await self.call("SCAN", scan_cursor, "MATCH", pattern, "COUNT", 1000, repeatable=True)
            scan_cursor, keys = reply_or_raise(reply)
            pause_s = (monotonic() - began_s) * rest
            for key in keys:
                yield key.decode()
            if pause_s:
                await asyncio.sleep(pause_s)


async def _is_replica(connection: AbstractConnection) -> bool:
    """A user who may not ask is told no."""
    try:
        await connection.send_command("ROLE")
        role = await connection.read_response()
    except NoPermissionError:
        return False
    return bool(role[0] != b"master")

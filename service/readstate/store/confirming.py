"""Confirmation that what was written is on disk, or at a replica.

WAIT and WAITAOF ask for everything that their own connection has written, and hold that connection
up. So they have a connection of their own on each node. A small write on it comes behind all that
the node has answered before, so one confirmation covers all calls that wait at that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar

from hiredis import ReplyError
from redis.asyncio.connection import AbstractConnection

from readstate.domain.durability import Durability, Result
from readstate.errors import Fault, NotConfirmed
from readstate.store.executor import Executor
from readstate.store.pipelined_connection import DEADLINE_S, PipelinedConnection
from readstate.tasks import cancel_and_wait

MARK_KEPT_MS = 1000

# Where the calls of this task have written: by node, the number of the connection. None: no call
# wants to know.
_written: ContextVar[dict[str, int] | None] = ContextVar("written", default=None)


def note_written(node: str, connects: int) -> None:
    """A call may have written at a node, over the connection of the number `connects`.

    Of two numbers the first stays: what was written over a connection that was lost may be lost.
    """
    written = _written.get()
    if written is not None:
        written.setdefault(node, connects)


class RedisConfirmation:
    """Implements Confirmation."""

    def __init__(self, executor: Executor, default: Durability, within_ms: int) -> None:
        self._executor = executor
        self.default = default
        self._within_ms = within_ms

    async def confirmed(self, level: Durability, work: Awaitable[Result]) -> Result:
        written: dict[str, int] = {}
        token = _written.set(written)
        try:
            result = await work
        finally:
            _written.reset(token)
        if level is not Durability.FAST and written:
            await self._confirm(level, written)
        return result

    async def _confirm(self, level: Durability, written: Mapping[str, int]) -> None:
        refusals = await asyncio.gather(
            *(self._executor.confirm(node, connects, level, self._within_ms) for node, connects in written.items())
        )
        if refusal := next(filter(None, refusals), ""):
            raise NotConfirmed(
                f"This was done, but it is not known to be {level} ({refusal}). Repeat the call: "
                "it changes nothing a second time and asks for the confirmation again"
            )


class NodeConfirmations:
    """Confirmations of one node. Make it inside the running loop, and `close` it at the end."""

    def __init__(self, make_connection: Callable[[], AbstractConnection]) -> None:
        self._make_connection = make_connection
        self._connection: PipelinedConnection | None = None
        self._opening = asyncio.Lock()
        self._running: dict[Durability, asyncio.Task[str]] = {}
        self._next: dict[Durability, asyncio.Task[str]] = {}  # begins when the running one ends

    async def confirm(self, level: Durability, key: str, within_ms: int) -> str:
        """Why it is not known that what the node has answered has reached `level`; "" when it is.

        `key`: in a slot of the node; it is written to.
        """
        if level not in self._next:
            self._next[level] = asyncio.create_task(self._ask_in_turn(level, key, within_ms))
        return await asyncio.shield(self._next[level])

    async def close(self) -> None:
        for task in [*self._running.values(), *self._next.values()]:
            await cancel_and_wait(task)
        if self._connection:
            await self._connection.close()

    async def _ask_in_turn(self, level: Durability, key: str, within_ms: int) -> str:
        if before := self._running.get(level):
            await asyncio.wait([before])
        self._running[level] = self._next.pop(level)
        try:
            return await self._ask(level, key, within_ms)
        except Fault as error:
            return str(error)

    async def _ask(self, level: Durability, key: str, within_ms: int) -> str:
        connection = await self._opened(within_ms)
        mark = connection.call("SET", key, 1, "PX", MARK_KEPT_MS, repeatable=False)
        wait = ("WAIT", 1) if level is Durability.REPLICATED else ("WAITAOF", 1, 0)
        waited = connection.call(*wait, within_ms, repeatable=False)
        for reply in await asyncio.gather(mark, waited):
            if isinstance(reply, ReplyError):
                return str(reply)
        count = reply[0] if level is Durability.FSYNCED else reply
        return "" if count >= 1 else f"the store has not confirmed it within {within_ms} ms"

    async def _opened(self, within_ms: int) -> PipelinedConnection:
        async with self._opening:
            if self._connection is None:
                connection = PipelinedConnection(
                    self._make_connection, deadline_s=DEADLINE_S + within_ms / 1000, logs=False
                )
                await connection.open()
                self._connection = connection
            return self._connection

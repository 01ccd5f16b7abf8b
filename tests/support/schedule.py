"""Workers whose calls to the store wait for a scheduler.

A test decides in which order the scripts of concurrent operations run, and where a worker dies,
without any timing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from readstate.domain.durability import Durability
from readstate.errors import ReadStateError
from readstate.store.executor import Executor, Reply, gather_outcomes
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.script_calls import Call, Part
from tests.support.nouns import operation_of

# Turns of the event loop after which every task waits for a ticket: no task takes more between two
# calls
SETTLED = 10


@dataclass
class Ticket:
    """A call that a worker wants to make."""

    name: str  # of the script or command
    make: Callable[[], Awaitable[Any]]
    reply: "asyncio.Future[Any]"


class SteppedExecutor:
    """`store.connect.Executor` that makes a ticket of each call."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.plan, self.scripts = executor.plan, executor.scripts
        self.tickets: list[Ticket] = []

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        made = await self._wait(call.script, lambda: self._executor.call(call, key, repeatable=repeatable))
        return cast(Reply, made)

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        """A ticket of each: on a cluster they are run by several nodes."""
        made = [self.call(call, key) for key, call in calls]
        return await gather_outcomes(made)

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        return await self._wait(str(parts[0]), lambda: self._executor.command(*parts, key=key, repeatable=repeatable))

    async def each_node(self, *parts: Part) -> list[Any]:
        return list(await self._wait(str(parts[0]), lambda: self._executor.each_node(*parts)))

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        return await self._executor.confirm(node, connects, level, within_ms)

    def scan(self, pattern: str, node: str | None = None, *, rest: float = 0.0) -> AsyncIterator[str]:
        return self._executor.scan(pattern)

    def nodes(self) -> list[str]:
        return self._executor.nodes()

    def node_of(self, key: str) -> str:
        return self._executor.node_of(key)

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        return await self._executor.slots()

    def why_away(self) -> str:
        return ""

    @property
    def round_trips(self) -> int:
        return self._executor.round_trips

    async def close(self) -> None:
        """The connection is the test's, not the worker's."""

    async def _wait(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        ticket = Ticket(name, make, asyncio.get_running_loop().create_future())
        self.tickets.append(ticket)
        return await ticket.reply


@dataclass
class Worker:
    """One operation with a store of its own, as in its own process."""

    method: str
    arguments: dict[str, Any]
    executor: SteppedExecutor
    store: RedisStore
    task: "asyncio.Task[Any]"
    # The model's answer, once the room's script has run
    expected: list[Any] = field(default_factory=list)

    @classmethod
    def start(
        cls, executor: Executor, method: str, arguments: dict[str, Any], *, fanout_limit: int, attention_posts: int
    ) -> "Worker":
        stepped = SteppedExecutor(executor)
        store = redis_store(stepped, fanout_limit=fanout_limit, attention_posts=attention_posts)
        if isinstance(store.outbox, SplitPlan):
            store.outbox.acknowledging.pause_s = 0  # the test says when
        operation: Coroutine[Any, Any, Any] = operation_of(store, method)(**arguments)
        return cls(method, arguments, stepped, store, asyncio.create_task(operation))

    async def let_go(self, ticket: Ticket) -> Any:
        """Make one call and hand its reply (or refusal) to the worker. Returns it."""
        self.executor.tickets.remove(ticket)
        try:
            reply = await ticket.make()
        except ReadStateError as refusal:
            ticket.reply.set_exception(refusal)
            await settle()
            return refusal
        ticket.reply.set_result(reply)
        await settle()
        return reply

    async def die(self) -> None:
        """The worker makes no further calls."""
        self.task.cancel()
        if isinstance(self.store.outbox, SplitPlan):
            self.store.outbox.acknowledging.stop()
        self.executor.tickets.clear()
        await settle()


async def settle() -> None:
    """Let every task run until it waits for a ticket or is done."""
    for _ in range(SETTLED):
        await asyncio.sleep(0)

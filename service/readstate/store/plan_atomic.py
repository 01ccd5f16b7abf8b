"""The atomic plan, for a single server: a room's script changes the members' side as well.

So no member is ever pending, and what a power cut or a failover loses is lost of both sides.
"""

from collections.abc import Awaitable, Sequence

from readstate.domain.reading import MarkedRead
from readstate.errors import ReadStateError
from readstate.store.executor import Executor, Reply
from readstate.store.keys import Keys
from readstate.store.lua import CopyReply
from readstate.store.script_calls import Call


class AtomicPlan:
    """Implements Outbox."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def change(self, call: Call[Reply], app: str, room: str, *, repeatable: bool = True) -> Awaitable[Reply]:
        return self._executor.call(call, Keys.room(app, room), repeatable=repeatable)

    def change_read(self, call: Call[MarkedRead], app: str, room: str, user: str) -> Awaitable[MarkedRead]:
        return self._executor.call(call, Keys.room(app, room))

    def change_each(
        self, app: str, changes: Sequence[tuple[str, Call[Reply]]]
    ) -> Awaitable[list[Reply | ReadStateError]]:
        return self._executor.call_each([(Keys.room(app, room), call) for room, call in changes])

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        pass

    async def drain(self, app: str, room: str) -> None:
        pass

    async def reconcile(self, app: str, room: str, user: str, copy: CopyReply | None = None) -> bool:
        return False

    def start(self) -> None:
        pass

    async def idle(self) -> None:
        pass

    async def close(self) -> None:
        pass

"""The atomic plan, for a single server: a room's script changes the members' side as well.

So no member is ever pending.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

from readstate.errors import ReadStateError
from readstate.store.executor import Executor, Part
from readstate.store.keys import Keys


class AtomicPlan:
    """Implements Outbox."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._scripts = executor.scripts

    def change(
        self, script: str, app: str, room: str, args: Sequence[Part], *, repeatable: bool = True
    ) -> Awaitable[Any]:
        return self._executor.call(self._scripts[script], [Keys.room(app, room)], args, repeatable=repeatable)

    def change_each(
        self, script: str, app: str, changes: Sequence[tuple[str, Sequence[Part]]]
    ) -> Awaitable[list[Any | ReadStateError]]:
        return self._executor.call_each(self._scripts[script], [(Keys.room(app, room), args) for room, args in changes])

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        pass

    def start(self) -> None:
        pass

    async def idle(self) -> None:
        pass

    async def close(self) -> None:
        pass

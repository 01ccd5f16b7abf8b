"""How the change of a room reaches its members: what the plans have in common."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from readstate.domain.reading import MarkedRead
from readstate.errors import ReadStateError
from readstate.store.executor import Reply
from readstate.store.lua import CopyReply
from readstate.store.script_calls import Call


class Outbox(Protocol):
    """Runs the scripts that change rooms and brings each change to the members concerned.

    A member whom a change has not reached yet is *pending*.
    """

    def change(self, call: Call[Reply], app: str, room: str, *, repeatable: bool = True) -> Awaitable[Reply]:
        """Run a room's script and push its updates. Gives the script's reply when all are pushed.

        Raises what Executor.call does; UnknownOutcome also when an update cannot be pushed.
        """

    def change_read(self, call: Call[MarkedRead], app: str, room: str, user: str) -> Awaitable[MarkedRead]:
        """As `change`, for a read of `user`, with their badge if it was met on the way."""

    def change_each(
        self, app: str, changes: Sequence[tuple[str, Call[Reply]]]
    ) -> Awaitable[list[Reply | ReadStateError]]:
        """Run scripts for several rooms, (room, call), together.

        Gives for each the reply, or the refusal or fault that it ended in.
        """

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        """Push the updates of those of `members` that are pending now."""

    async def drain(self, app: str, room: str) -> None:
        """Push the updates of all pending members of a room."""

    async def reconcile(self, app: str, room: str, user: str, copy: CopyReply | None = None) -> bool:
        """Make a room and a user's copy of it agree, after a failover set one of them back.

        `copy`: if it was just read. Returns whether they did not. Raises what Executor.call does.
        """

    def start(self) -> None:
        """Until `close`, push in the background what crashes have left pending."""

    async def idle(self) -> None:
        """Wait until everything that was pushed is acknowledged."""

    async def close(self) -> None: ...

"""How the change of a room reaches its members: the plans have this face in common."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from readstate.errors import ReadStateError
from readstate.store.executor import Executor, Part
from readstate.store.plan_atomic import AtomicPlan
from readstate.store.plan_split import SplitPlan


class Outbox(Protocol):
    """Runs the scripts that change rooms and brings each change to the members concerned.

    A member whom a change has not reached yet is *pending*.
    """

    def change(
        self, script: str, app: str, room: str, args: Sequence[Part], *, repeatable: bool = True
    ) -> Awaitable[Any]:
        """Run a room's script and push its updates. Gives the script's reply when all are pushed.

        Raises what Executor.call does; UnknownOutcome also when an update cannot be pushed.
        """

    def change_each(
        self, script: str, app: str, changes: Sequence[tuple[str, Sequence[Part]]]
    ) -> Awaitable[list[Any | ReadStateError]]:
        """Run one script for several (room, arguments) together.

        Gives for each the reply, or the refusal or fault that it ended in.
        """

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        """Push the updates of those of `members` that are pending now."""

    def start(self) -> None:
        """Until `close`, push in the background what crashes have left pending."""

    async def idle(self) -> None:
        """Wait until everything that was pushed is acknowledged."""

    async def close(self) -> None: ...


def outbox_for(executor: Executor, journal: str) -> Outbox:
    """The outbox of the plan that `executor` runs. `journal`: its limits, as scripts take them."""
    return SplitPlan(executor, journal) if executor.plan == "split" else AtomicPlan(executor)

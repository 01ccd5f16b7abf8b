"""What the operations of every noun share: how they reach their scripts."""

from collections.abc import Sequence
from typing import Any

from readstate.batches import in_batches
from readstate.errors import Refusal, RoomUnknown
from readstate.store.executor import Executor, Part, all_or_raise
from readstate.store.keys import Keys
from readstate.store.outbox import Outbox


class Operations:
    """Base of the classes that implement the protocols of `domain`, one noun each."""

    def __init__(self, executor: Executor, outbox: Outbox) -> None:
        self._executor = executor
        self._scripts = executor.scripts
        self._change = outbox.change  # an attribute, so that hot calls have no frame between

    async def _ask_each(
        self,
        script: str,
        app: str,
        rooms: Sequence[str],
        args: Sequence[Part],
        unknown: tuple[type[Refusal], ...] = (RoomUnknown,),
    ) -> list[Any]:
        """What a script answers for each of several rooms; an empty list where it refuses as `unknown`."""
        replies: list[Any] = []
        for batch in in_batches(rooms):
            replies += await self._executor.call_each(
                self._scripts[script], [(Keys.room(app, room), args) for room in batch]
            )
        return all_or_raise([[] if isinstance(reply, unknown) else reply for reply in replies])

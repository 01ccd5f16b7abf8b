"""What the operations of every noun share: how they reach their scripts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from readstate.batches import in_batches
from readstate.errors import ReadStateError, Refusal, RoomUnknown, Unavailable, UnknownOutcome
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, Reply, all_or_raise
from readstate.store.keys import Keys
from readstate.store.outbox import Outbox
from readstate.store.script_calls import Call


@contextmanager
def after_a_change(changed: bool = True) -> Iterator[None]:
    """The rest of a call that has changed something: "nothing was done" is not true of it any more.

    `changed`: whether it has. Raises UnknownOutcome instead of Unavailable.
    """
    try:
        yield
    except Unavailable as error:
        if not changed:
            raise
        raise UnknownOutcome(f"a part of the call was done, and the rest was not: {error}") from error


class Operations:
    """Base of the classes that implement the protocols of `domain`, one noun each."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds) -> None:
        self._executor = executor
        self._limit, self._settings = bounds.fanout_limit, bounds.as_settings()
        self._outbox = outbox
        self._change = outbox.change  # an attribute, so that hot calls have no frame between

    async def _ask_each(
        self,
        call: Call[Reply],
        app: str,
        rooms: Sequence[str],
        unknown: tuple[type[Refusal], ...] = (RoomUnknown,),
    ) -> list[Reply | None]:
        """What a script answers for each of several rooms; None where it refuses as `unknown`."""
        replies: list[Reply | ReadStateError] = []
        for batch in in_batches(rooms):
            calls = [(Keys.room(app, room), call) for room in batch]
            replies += await self._executor.call_each(calls)
        return all_or_raise([None if isinstance(reply, unknown) else reply for reply in replies])

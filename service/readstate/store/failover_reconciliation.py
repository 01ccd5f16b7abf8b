"""What may differ after a failover is compared, and made to agree: copies of rooms in some slots,
and copies of users in them.

A room that was set back is older than copies that were updated lately, so these say which rooms to
compare. The side of a user that was set back may lack any update that was made lately, so all
members of rooms that changed lately are compared, and all copies of users in those slots.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from readstate import metrics
from readstate.batches import as_batches, in_batches
from readstate.store import lua
from readstate.store.executor import Executor, Reply, all_or_raise, gather_outcomes, scan_hash
from readstate.store.keys import Keys
from readstate.store.lua import CopyReply
from readstate.store.noted_layout import Ranges
from readstate.store.outbox import Outbox
from readstate.store.replies import UNREADABLE
from readstate.store.script_calls import Call
from readstate.store.states import State

RECENT_S = 3600  # a replica lacks what came in this time, at most
AT_ONCE = 100  # rooms, users or copies

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class FailoverReconciliation:
    """`slots`: those that another primary serves now. `rest` is told when a batch began."""

    def __init__(
        self, executor: Executor, outbox: Outbox, slots: Ranges, rest: Callable[[float], Awaitable[None]]
    ) -> None:
        self._executor = executor
        self._outbox = outbox
        self._slots = slots
        self._rest = rest
        self.compared = 0  # copies
        self.wrong = 0  # of them

    async def run(self) -> None:
        """Compare, and make agree. Raises what Executor.call does."""
        since = await self._now() - RECENT_S * 1_000_000
        for pattern in Keys.every_pending:
            async for keys in self._batches(pattern):
                rooms = [Keys.parse(key[: key.rindex("}") + 1]) for key in keys]
                await self._each(partial(self._outbox.drain, app, room) for _, app, room in filter(None, rooms))
        async for keys in self._batches(Keys.every_user):
            await self._copies(keys, await self._ask(keys, lua.recent_copies(since=since)), everywhere=False)
        async for keys in self._batches(Keys.every_room):
            heads = await self._ask(keys, lua.member_states(users=()))
            for key, head in zip(keys, heads, strict=True):
                if head and head.revision >= since:
                    await self._members(key)
        async for keys in self._batches(Keys.every_user):
            users = [key for key in keys if self._is_concerned(key)]
            await self._copies(users, [[] for _ in users], everywhere=True)

    async def _copies(self, keys: Sequence[str], rooms: Sequence[Sequence[str] | None], *, everywhere: bool) -> None:
        """Compare copies of these users: with `everywhere` all, else those of rooms in the slots.

        `rooms`: of which copies are asked for, for each user; none for all.
        """
        pairs: list[tuple[str, str, str, CopyReply]] = []
        asked = [(key, some) for key, some in zip(keys, rooms, strict=True) if some or everywhere]
        calls = [(key, lua.copies(rooms=some or ())) for key, some in asked]
        for (key, _), copies in zip(asked, await self._answers(calls), strict=True):
            parsed = Keys.parse(key)
            if parsed and copies:
                _, app, user = parsed
                pairs += [
                    (app, copy.room, user, copy)
                    for copy in copies
                    if (everywhere and copy.state != State.GONE)
                    or (not everywhere and self._is_concerned(Keys.room(app, copy.room)))
                ]
        await self._compare(pairs)

    async def _members(self, key: str) -> None:
        """Compare the copies of a room's members whose sides are in the slots."""
        parsed = Keys.parse(key)
        if not parsed:
            return
        _, app, room = parsed
        users = []
        async for member, _ in scan_hash(self._executor, key, 10 * AT_ONCE):
            if member and self._is_concerned(Keys.user(app, member.decode())):
                users.append(member.decode())
        await self._compare([(app, room, user, None) for user in users])

    async def _compare(self, pairs: Sequence[tuple[str, str, str, CopyReply | None]]) -> None:
        """Compare copies, (app, room, user, copy if it was read), with their rooms."""
        for batch in in_batches(pairs, AT_ONCE):
            began_s = time.monotonic()
            wrong = sum(filter(None, await self._each(partial(self._outbox.reconcile, *pair) for pair in batch)))
            self.compared += len(batch)
            self.wrong += wrong
            metrics.COPIES_RECONCILED.inc(wrong)
            await self._rest(began_s)

    async def _ask(self, keys: Sequence[str], call: Call[Reply]) -> list[Reply | None]:
        return await self._answers([(key, call) for key in keys])

    async def _answers(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | None]:
        return await self._each(partial(self._executor.call, call, key) for key, call in calls)

    async def _each(self, work: Iterable[Callable[[], Awaitable[Result]]]) -> list[Result | None]:
        return all_or_raise(await gather_outcomes(unless_foreign(one) for one in work))

    async def _batches(self, pattern: str) -> AsyncIterator[list[str]]:
        async for batch in as_batches(self._executor.scan(pattern), AT_ONCE):
            began_s = time.monotonic()
            yield batch
            await self._rest(began_s)

    def _is_concerned(self, key: str) -> bool:
        slot = Keys.slot(key)
        return any(first <= slot <= last for first, last in self._slots)

    async def _now(self) -> int:
        """Microseconds, by the store's clock."""
        seconds, micros = await self._executor.command("TIME", key=Keys.reconciling)
        return int(seconds) * 1_000_000 + int(micros)


async def unless_foreign(work: Callable[[], Awaitable[Result]]) -> Result | None:
    """What `work` gives; None, and a line in the log, where other programs have written data."""
    try:
        return await work()
    except UNREADABLE:
        logger.exception("a room and a copy cannot be compared")
        return None

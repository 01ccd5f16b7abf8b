"""Finds rooms whose members a crash has left pending, on the split plan.

Before a room may have pending members it is entered in a list of such rooms. Every worker looks
through these lists from time to time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeGuard

from readstate.batches import in_batches
from readstate.errors import Fault
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import PENDING_SHARDS, Keys
from readstate.store.replies import UNREADABLE, ScriptFailed
from readstate.store.script_calls import Call
from readstate.store.scripts import Script
from readstate.tasks import Tasks, repeat

logger = logging.getLogger(__name__)

# Times of entries are those of the store: the clocks of workers may differ.
ENTRY_S = 60  # for so long an entry in the list need not be renewed
STALE_S = 3 * ENTRY_S  # older entries of rooms without pending members go; longer than any operation can take
RECOVERY_EVERY_S = 5.0
RECOVERY_AGE_S = 10  # a younger entry belongs to an operation that is probably still running
DRAINED_AT_ONCE = 8  # rooms, of one list
_MAX_ENTRIES = 100_000
_PUT_OFF = "recovery of pending updates was put off"


class Recovery:
    """See the module. `drain` pushes the updates of all pending members of a room (app, room)."""

    def __init__(self, executor: Executor, drain: Callable[[str, str], Awaitable[None]]) -> None:
        self._executor = executor
        self._drain = drain
        self._entered: dict[str, float] = {}  # room key -> until when its entry in the list is fresh
        self._watching = Tasks()

    def is_entered(self, key: str) -> bool:
        """Whether the entry of the room of this key need not be renewed yet."""
        return self._entered.get(key, 0) > time.monotonic()

    async def enter(self, app: str, room: str, script: Script) -> None:
        """Enter a room in the list, before `script` runs on it."""
        key, now = Keys.room(app, room), time.monotonic()
        # A script refuses a room that does not exist, so nothing becomes pending. A caller that
        # creates it meanwhile has entered it.
        if script.name != "create_room" and not await self._executor.command("EXISTS", key, key=key):
            return
        await self._executor.call(lua.enter_pending_room(room=f"{app}:{room}"), Keys.pending_rooms_of(key))
        if len(self._entered) >= _MAX_ENTRIES:
            self._entered.clear()
        self._entered[key] = now + ENTRY_S

    def start(self) -> None:
        """Recover in the background until `close`.

        Each list is looked through by itself: one that cannot be read holds no other one up.
        """
        for shard in range(PENDING_SHARDS):
            look = partial(self._recover_if_due, shard)
            self._watching.start(repeat(look, RECOVERY_EVERY_S, logger, _PUT_OFF, at_once=False))

    async def close(self) -> None:
        await self._watching.stop()

    async def recover(self, rooms: str, older_than_s: float = RECOVERY_AGE_S) -> None:
        """Drain the rooms that were entered in the list `rooms` more than `older_than_s` ago."""
        entered = await self._executor.call(lua.pending_rooms(older_than_ms=int(older_than_s * 1000)), rooms)
        put_off: list[Fault] = []
        for batch in in_batches(entered.rooms):
            waiting, faults = await self._with_pending(batch)
            put_off += faults
            for some in in_batches(waiting, DRAINED_AT_ONCE):
                put_off += filter(None, await asyncio.gather(*(self._drain_or_put_off(*room) for room in some)))
        if put_off:
            raise put_off[0]
        # The operations that entered these rooms ended long ago, and the rooms are drained now.
        stale_ms = entered.now_ms - STALE_S * 1000
        await self._executor.command("ZREMRANGEBYSCORE", rooms, "-inf", stale_ms, key=rooms)

    async def _drain_or_put_off(self, app: str, room: str) -> Fault | None:
        """Drain a room. Foreign data in it, or a node that is away, must not hold up the others.

        Returns why it has to be tried again.
        """
        try:
            await self._drain(app, room)
        except UNREADABLE:
            logger.exception("pending updates of room %r of app %r cannot be pushed", room, app)
        except Fault as fault:
            return fault
        return None

    async def _with_pending(self, entries: Sequence[str]) -> tuple[list[tuple[str, str]], list[Fault]]:
        """The rooms (app, room) of these entries in which something is pending, or that cannot be
        read; and why others could not be asked, which need not be tried now.

        Nearly all that were active of late have nothing. To ask many at once costs little.
        """
        rooms = [(app, room) for app, _, room in (entry.partition(":") for entry in entries)]
        calls = [(Keys.room(*of), _how_many(of[0])) for of in rooms]
        replies: Sequence[object]
        try:
            replies = await self._executor.call_each(calls)
        except ScriptFailed:  # of one or more of them: which, they say one by one
            alone = (self._executor.call(call, key) for key, call in calls)
            replies = await asyncio.gather(*alone, return_exceptions=True)
        waiting = [of for of, reply in zip(rooms, replies, strict=True) if reply != 0 and not _puts_off(reply)]
        return waiting, list(filter(_puts_off, replies))

    async def _recover_if_due(self, shard: int) -> None:
        """Look through one list, unless another worker has just begun to."""
        call = lua.hit_rate_limit(window_ms=int(RECOVERY_EVERY_S * 1000))
        watching = await self._executor.call(call, Keys.pending_rooms_watch(shard), repeatable=False)
        if watching.calls == 1:
            await self.recover(Keys.pending_rooms(shard))


def _how_many(app: str) -> Call[int]:
    """How much is pending in a room. The updates, which are handed over as well, are left."""
    call = lua.pending(app=app, members=())
    return Call(call.script, call.args, itemgetter(0))


def _puts_off(reply: object) -> TypeGuard[Fault]:
    """Whether a room could not be asked. A room that cannot be read can be asked."""
    return isinstance(reply, Fault) and not isinstance(reply, UNREADABLE)

"""The split plan, for a cluster: a room's script first, then one script at each member concerned.

The room's script notes its members as pending and replies with their updates. Here these are
pushed: applied at each user and then acknowledged to the room. What a crash leaves pending is
pushed by any worker (see recovery.py).
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Generic

from msgspec import Struct
from msgspec.structs import replace

from readstate.batches import in_batches
from readstate.domain.reading import MarkedRead
from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store import lua
from readstate.store.acknowledging import Acknowledging
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, Reply, all_or_raise, gather_outcomes
from readstate.store.keys import Keys, OfRoom
from readstate.store.lua import CopyReply
from readstate.store.reconciling import copy_of, reconcile_copy
from readstate.store.recovery import Recovery
from readstate.store.script_calls import Call


class SplitPlan:
    """Implements Outbox."""

    def __init__(self, executor: Executor, bounds: Bounds) -> None:
        self._executor = executor
        self._settings = bounds.as_settings()
        self.recovery = Recovery(executor, self.drain)
        self.acknowledging = Acknowledging(executor)

    async def change(self, call: Call[Reply], app: str, room: str, *, repeatable: bool = True) -> Reply:
        await self.recovery.enter(app, room, self._executor.scripts[call.script])
        return await self._run(call, app, room, repeatable)

    async def change_read(self, call: Call[MarkedRead], app: str, room: str, user: str) -> MarkedRead:
        await self.recovery.enter(app, room, self._executor.scripts[call.script])
        change, applied = await self._carry_out(call, app, room)
        for update, one in zip(change.updates, applied, strict=True):
            if update.member == user and one.badge is not None:
                return replace(change.reply, badge=one.badge)
        return change.reply

    async def change_each(self, app: str, changes: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        return await gather_outcomes(self.change(call, app, room) for room, call in changes)

    async def drain(self, app: str, room: str) -> None:
        """Push the updates of all pending members of a room, from its present state."""
        # Without entering the room again: an entry that every look renews would never go.
        before = None
        while (pending := await self._run(lua.pending(app=app, members=()), app, room)) and pending != before:
            before = pending
            await self.idle()

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        for batch in in_batches(members):
            await self._run(lua.pending(app=app, members=batch), app, room)

    async def reconcile(self, app: str, room: str, user: str, copy: CopyReply | None = None) -> bool:
        copy = copy or await copy_of(self._executor, app, user, room)
        # Without entering the room in the list: when nothing is wrong, nothing becomes pending.
        return await self._run(reconcile_copy(app, user, copy, self._settings), app, room)

    def start(self) -> None:
        self.recovery.start()

    async def idle(self) -> None:
        await self.acknowledging.idle()

    async def close(self) -> None:
        await self.recovery.close()
        await self.idle()

    async def _run(self, call: Call[Reply], app: str, room: str, repeatable: bool = True) -> Reply:
        return (await self._carry_out(call, app, room, repeatable))[0].reply

    async def _carry_out(
        self, call: Call[Reply], app: str, room: str, repeatable: bool = True
    ) -> "tuple[_Change[Reply], list[lua.Applied]]":
        """Run a room's script and push its updates. Returns what each of them ended in, too."""
        key = Keys.room(app, room)
        change = await self._executor.call(as_change(call), key, repeatable=repeatable)
        for revision, event in change.events:
            await self._hand_over(app, key, revision, event)
        return change, await self._push(app, room, change) if change.updates else []

    async def _hand_over(self, app: str, key: str, revision: bytes, event: bytes) -> None:
        """Move an event from its room to the deliverers. After a failure recovery tries again."""
        with contextlib.suppress(Fault):
            stream = Keys.events(Keys.event_shard(key))
            await self._executor.command("XADD", stream, "*", app, event, key=stream)
            await self._executor.command("HDEL", key + OfRoom.PENDING_EVENTS, revision, key=key)

    async def _push(self, app: str, room: str, change: "_Change[Any]") -> list[lua.Applied]:
        calls = [
            (
                Keys.user(app, update.member),
                lua.apply(
                    room=room,
                    revision=change.revision,
                    created_revision=change.created_revision,
                    tags=change.tags,
                    cursor=update.cursor,
                    unread=update.unread,
                    state=update.state,
                ),
            )
            for update in change.updates
        ]
        try:
            applied = await self._apply(calls)
            self.acknowledging.add(Keys.room(app, room), change.revision, [update.member for update in change.updates])
            for update, one in zip(change.updates, applied, strict=True):
                if one.ahead:
                    await self.reconcile(app, room, update.member)
        except Unavailable as error:
            raise UnknownOutcome(f"the room has changed, and not everybody could be told yet: {error}") from error
        return applied

    async def _apply(self, calls: list[tuple[str, Call[lua.Applied]]]) -> list[lua.Applied]:
        if len(calls) == 1:  # a read, and most other calls: without the work of a batch
            [(key, call)] = calls
            return [await self._executor.call(call, key)]
        return all_or_raise(await self._executor.call_each(calls))


class _Update(Struct, frozen=True):
    """What one member's side is to hold of the room."""

    member: str
    cursor: int
    unread: int
    state: int


class _Change(Struct, Generic[Reply], frozen=True):
    """What a room's script answers on this plan (`finish` in lua/lib/plan_split.lua)."""

    reply: Reply  # of the operation
    revision: int
    created_revision: int
    tags: bytes
    updates: list[_Update]
    events: list[tuple[bytes, bytes]]  # that the caller is to hand over, by revision


def as_change(call: Call[Reply]) -> Call[_Change[Reply]]:
    return Call(call.script, call.args, lambda answer: _read_change(call.read, *answer))


def _read_change(
    read: Callable[[Any], Reply],
    reply: Any,
    revision: int,
    created_revision: int,
    tags: bytes,
    updates: list[Any],
    events: list[bytes],
) -> _Change[Reply]:
    return _Change(
        read(reply),
        revision,
        created_revision,
        tags,
        [
            _Update(updates[at].decode(), updates[at + 1], updates[at + 2], updates[at + 3])
            for at in range(0, len(updates), 4)
        ],
        [(events[at], events[at + 1]) for at in range(0, len(events), 2)],
    )

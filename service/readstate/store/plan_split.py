"""The split plan, for a cluster: a room's script first, then one script at each member concerned.

The room's script notes its members as pending and replies with their updates. Here these are
pushed: applied at each user and then acknowledged to the room. What a crash leaves pending is
pushed by any worker (see recovery.py).
"""

import contextlib
from collections.abc import Sequence
from typing import Any

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
        key = Keys.room(app, room)
        if not self.recovery.is_entered(key):
            await self.recovery.enter(app, room, self._executor.scripts[call.script])
        return (await self._carry_out(call, app, room, key, repeatable))[0]

    async def change_read(self, call: Call[MarkedRead], app: str, room: str, user: str) -> MarkedRead:
        key = Keys.room(app, room)
        if not self.recovery.is_entered(key):
            await self.recovery.enter(app, room, self._executor.scripts[call.script])
        reply, told = await self._carry_out(call, app, room, key)
        for member, applied in told:
            if member == user and applied.badge is not None:
                return replace(reply, badge=applied.badge)
        return reply

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

    async def _run(self, call: Call[Reply], app: str, room: str) -> Reply:
        return (await self._carry_out(call, app, room, Keys.room(app, room)))[0]

    async def _carry_out(
        self, call: Call[Reply], app: str, room: str, key: str, repeatable: bool = True
    ) -> tuple[Reply, Sequence[tuple[str, lua.Applied]]]:
        """Run a room's script and push its updates.

        Returns the script's reply, and what the update of each member concerned ended in.
        """
        reply, revision, created_revision, tags, updates, events = await self._executor.call(
            _with_change(call), key, repeatable=repeatable
        )
        for at in range(0, len(events), 2):
            await self._hand_over(app, key, events[at], events[at + 1])
        if not updates:
            return reply, ()
        pushes = [
            (
                member.decode(),
                lua.apply(
                    room=room,
                    revision=revision,
                    created_revision=created_revision,
                    tags=tags,
                    cursor=cursor,
                    unread=unread,
                    state=state,
                ),
            )
            for member, cursor, unread, state in zip(*[iter(updates)] * 4, strict=True)
        ]
        return reply, await self._push(app, room, key, revision, pushes)

    async def _hand_over(self, app: str, key: str, revision: bytes, event: bytes) -> None:
        """Move an event from its room to the deliverers. After a failure recovery tries again."""
        with contextlib.suppress(Fault):
            stream = Keys.events(Keys.event_shard(key))
            await self._executor.command("XADD", stream, "*", app, event, key=stream)
            await self._executor.command("HDEL", key + OfRoom.PENDING_EVENTS, revision, key=key)

    async def _push(
        self, app: str, room: str, key: str, revision: int, pushes: Sequence[tuple[str, Call[lua.Applied]]]
    ) -> list[tuple[str, lua.Applied]]:
        try:
            if len(pushes) == 1:  # a read, and most other calls: without the work of a batch
                [(member, push)] = pushes
                applied = [(member, await self._executor.call(push, Keys.user(app, member)))]
            else:
                calls = [(Keys.user(app, member), push) for member, push in pushes]
                told = all_or_raise(await self._executor.call_each(calls))
                applied = [(member, one) for (member, _), one in zip(pushes, told, strict=True)]
            self.acknowledging.add(key, revision, [member for member, _ in pushes])
            for member, one in applied:
                if one.ahead:
                    await self.reconcile(app, room, member)
        except Unavailable as error:
            raise UnknownOutcome(f"the room has changed, and not everybody could be told yet: {error}") from error
        return applied


def _with_change(call: Call[Reply]) -> Call[Any]:
    """A call that gives all that `finish` answers on this plan (lua/lib/plan_split.lua)."""
    return Call(call.script, call.args, lambda answer: (call.read(answer[0]), *answer[1:]))

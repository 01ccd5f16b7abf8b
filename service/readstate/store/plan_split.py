"""The split plan, for a cluster: a room's script first, then one script at each member concerned.

The room's script notes its members as pending and replies with their updates. Here these are
pushed: applied at each user and then acknowledged to the room. What a crash leaves pending is
pushed by any worker (see recovery.py).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple

from msgspec import Struct

from readstate.batches import in_batches
from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, Reply, gather_outcomes
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
        self._acks: set[asyncio.Task[None]] = set()

    async def change(self, call: Call[Reply], app: str, room: str, *, repeatable: bool = True) -> Reply:
        await self.recovery.enter(app, room, self._executor.scripts[call.script])
        return await self._run(call, app, room, repeatable)

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
        while self._acks:
            await asyncio.gather(*self._acks, return_exceptions=True)

    async def close(self) -> None:
        await self.recovery.close()
        await self.idle()

    async def _run(self, call: Call[Reply], app: str, room: str, repeatable: bool = True) -> Reply:
        key = Keys.room(app, room)
        change = await self._executor.call(as_change(call), key, repeatable=repeatable)
        for revision, event in change.events:
            await self._hand_over(app, key, revision, event)
        if change.updates:
            await self._push(app, room, change)
        return change.reply

    async def _hand_over(self, app: str, key: str, revision: bytes, event: bytes) -> None:
        """Move an event from its room to the deliverers. After a failure recovery tries again."""
        with contextlib.suppress(Fault):
            stream = Keys.events(Keys.event_shard(key))
            await self._executor.command("XADD", stream, "*", app, event, key=stream)
            await self._executor.command("HDEL", key + OfRoom.PENDING_EVENTS, revision, key=key)

    async def _push(self, app: str, room: str, change: "_Change[Any]") -> None:
        members = [update.member for update in change.updates]
        try:
            applied = await asyncio.gather(
                *(
                    self._executor.call(
                        lua.apply(
                            room=room,
                            revision=change.revision,
                            created_revision=change.created_revision,
                            tags=change.tags,
                            cursor=update.cursor,
                            unread=update.unread,
                            state=update.state,
                        ),
                        Keys.user(app, update.member),
                    )
                    for update in change.updates
                )
            )
        except Unavailable as error:
            raise UnknownOutcome(f"the room has changed, and not everybody could be told yet: {error}") from error
        # The acknowledgement may lag behind: an update that is pushed twice changes nothing the
        # second time.
        ack = asyncio.create_task(self._ack(Keys.room(app, room), change.revision, members))
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)
        for member, ahead in zip(members, applied, strict=True):
            if ahead:
                await self.reconcile(app, room, member)

    async def _ack(self, key: str, revision: int, members: Sequence[str]) -> None:
        # A failure leaves the members pending, and recovery pushes to them again.
        with contextlib.suppress(Fault):
            await self._executor.call(lua.ack(revision=revision, members=members), key)


class _Update(NamedTuple):
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
    def read(answer: Any) -> _Change[Reply]:
        reply, revision, created_revision, tags, updates, events = answer
        rows = zip(updates[::4], updates[1::4], updates[2::4], updates[3::4], strict=True)
        return _Change(
            call.read(reply),
            revision,
            created_revision,
            tags,
            [_Update(member.decode(), cursor, unread, state) for member, cursor, unread, state in rows],
            list(zip(events[::2], events[1::2], strict=True)),
        )

    return Call(call.script, call.args, read)

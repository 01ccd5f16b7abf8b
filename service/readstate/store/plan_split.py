"""The split plan, for a cluster: a room's script first, then one script at each member concerned.

The room's script notes its members as pending and replies with their updates. Here these are
pushed: applied at each user and then acknowledged to the room. What a crash leaves pending is
pushed by any worker (see recovery.py).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from readstate.batches import in_batches
from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store.executor import Executor, Part, gather_outcomes
from readstate.store.keys import Keys
from readstate.store.recovery import Recovery


class SplitPlan:
    """Implements Outbox. `journal`: limits of a journal, as scripts take them."""

    def __init__(self, executor: Executor, journal: str) -> None:
        self._executor = executor
        self._scripts = executor.scripts
        self._journal = journal
        self.recovery = Recovery(executor, self.drain)
        self._acks: set[asyncio.Task[None]] = set()

    async def change(self, script: str, app: str, room: str, args: Sequence[Part], *, repeatable: bool = True) -> Any:
        await self.recovery.enter(app, room, self._scripts[script])
        return await self._run(script, app, room, args, repeatable)

    async def change_each(
        self, script: str, app: str, changes: Sequence[tuple[str, Sequence[Part]]]
    ) -> list[Any | ReadStateError]:
        return await gather_outcomes(self.change(script, app, room, args) for room, args in changes)

    async def drain(self, app: str, room: str) -> None:
        """Push the updates of all pending members of a room, from its present state."""
        # Without entering the room again: an entry that every look renews would never go.
        before = None
        while (pending := await self._run("owed", app, room, [app])) and pending != before:
            before = pending
            await self.idle()

    async def push_pending(self, app: str, room: str, members: Sequence[str]) -> None:
        for batch in in_batches(members):
            await self._run("owed", app, room, [app, *batch])

    def start(self) -> None:
        self.recovery.start()

    async def idle(self) -> None:
        while self._acks:
            await asyncio.gather(*self._acks, return_exceptions=True)

    async def close(self) -> None:
        await self.recovery.close()
        await self.idle()

    async def _run(self, script: str, app: str, room: str, args: Sequence[Part], repeatable: bool = True) -> Any:
        key = Keys.room(app, room)
        reply, revision, born, tags, updates, events = await self._executor.call(
            self._scripts[script], [key], args, repeatable=repeatable
        )
        for event_revision, event in zip(events[::2], events[1::2], strict=True):
            await self._hand_over(app, key, event_revision, event)
        if updates:
            await self._push(app, room, revision, born, tags, updates)
        return reply

    async def _hand_over(self, app: str, key: str, revision: bytes, event: bytes) -> None:
        """Move an event from its room to the deliverers. After a failure recovery tries again."""
        with contextlib.suppress(Fault):
            stream = Keys.events(Keys.event_shard(key))
            await self._executor.command("XADD", stream, "*", app, event, key=stream)
            await self._executor.command("HDEL", key + ":w", revision, key=key)

    async def _push(self, app: str, room: str, revision: int, born: int, tags: bytes, updates: Sequence[Any]) -> None:
        members = updates[::4]
        apply = self._scripts["apply"]
        try:
            pushed = await asyncio.gather(
                *(
                    self._executor.call(
                        apply, [Keys.user(app, member.decode())], [room, revision, born, tags, cursor, unread, state]
                    )
                    for member, cursor, unread, state in zip(
                        members, updates[1::4], updates[2::4], updates[3::4], strict=True
                    )
                )
            )
        except Unavailable as error:
            raise UnknownOutcome(f"the room has changed, and not everybody could be told yet: {error}") from error
        # The acknowledgement may lag behind: an update changes nothing when it is pushed again.
        ack = asyncio.create_task(self._ack(Keys.room(app, room), revision, members))
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)
        for member, (_, _, ahead) in zip(members, pushed, strict=True):
            if ahead:
                await self.change("restore_cursor", app, room, [app, member, ahead, self._journal])

    async def _ack(self, key: str, revision: int, members: Sequence[bytes]) -> None:
        # A failure leaves the members pending, and recovery pushes to them again.
        with contextlib.suppress(Fault):
            await self._executor.call(self._scripts["settle"], [key], [revision, *members])

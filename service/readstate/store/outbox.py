"""How an operation that starts at a room reaches its members' side.

On the atomic plan the room's script does both. On the split plan the room's script notes whom it owes news and hands the news
over; here it is applied at each user and struck out. What a crash leaves owed is found and told by any worker: before a room may owe
anything it is entered in a list of such rooms, and that list is walked from time to time.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from readstate.batches import in_batches
from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store.executor import Executor, Part
from readstate.store.keys import OWING_SHARDS, Keys
from readstate.store.replies import ScriptFailed

logger = logging.getLogger(__name__)

ENTRY_S = 60  # for so long an entry in the list need not be renewed
STALE_S = 3 * ENTRY_S  # after so long an entry of a room that owes nothing goes; longer than any operation can take
RECOVERY_EVERY_S = 5.0
RECOVERY_AGE_S = 10  # a younger entry belongs to an operation that is probably still running
_MAX_ENTRIES = 100_000


class Outbox:
    """See the module."""

    def __init__(self, executor: Executor, journal: str) -> None:
        self._executor = executor
        self._journal = journal
        self._split = executor.plan == "split"
        self._entered: dict[str, float] = {}  # room key -> until when its entry in the list of owing rooms is fresh
        self._settling: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None

    async def change(self, script: str, app: str, room: str, args: Sequence[Part], *, repeatable: bool = True) -> Any:
        """Run a room's script and bring its news to everybody concerned. Returns the script's reply when that is done."""
        key = Keys.room(app, room)
        if not self._split:
            return await self._executor.call(self._executor.scripts[script], [key], args, repeatable=repeatable)
        await self._enter(key, room, app, script)
        return await self._run(script, app, room, args, repeatable)

    async def change_each(
        self, script: str, app: str, changes: Sequence[tuple[str, Sequence[Part]]]
    ) -> list[Any | ReadStateError]:
        """Run one script for several (room, arguments), in one go; of each its reply, or the refusal or fault that it ended in."""
        if not self._split:
            calls = [(Keys.room(app, room), args) for room, args in changes]
            return await self._executor.call_each(self._executor.scripts[script], calls)
        outcomes = await asyncio.gather(
            *(self.change(script, app, room, args) for room, args in changes), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ReadStateError):
                raise outcome
        return outcomes

    async def pay(self, app: str, room: str) -> None:
        """Tell everybody whom a room still owes news, from its present state."""
        # Without entering the room anew: an entry that is renewed whenever it is looked at would never go.
        before = None
        while self._split and (owed := await self._run("owed", app, room, [app])) and owed != before:
            before = owed
            await self.idle()

    async def tell_owed(self, app: str, room: str, members: Sequence[str]) -> None:
        """Tell those of `members` whom a room owes news at this moment."""
        if self._split:
            for batch in in_batches(members):
                await self._run("owed", app, room, [app, *batch])

    async def recover(self, *, older_than_s: float = RECOVERY_AGE_S) -> None:
        """Pay for all rooms that were entered more than `older_than_s` ago."""
        for shard in range(OWING_SHARDS):
            await self._recover_shard(Keys.owing(shard), time.time() - older_than_s)

    def start(self) -> None:
        """Recover in the background until `close`."""
        if self._split:
            self._recovery = asyncio.create_task(self._recover_for_ever())

    async def idle(self) -> None:
        """Wait until everything that was told is struck out."""
        while self._settling:
            await asyncio.gather(*self._settling, return_exceptions=True)

    async def close(self) -> None:
        if self._recovery:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
        await self.idle()

    async def _run(self, script: str, app: str, room: str, args: Sequence[Part], repeatable: bool = True) -> Any:
        key = Keys.room(app, room)
        reply, revision, born, tags, news, events = await self._executor.call(
            self._executor.scripts[script], [key], args, repeatable=repeatable
        )
        for event_revision, event in zip(events[::2], events[1::2], strict=True):
            await self._hand_over(app, key, event_revision, event)
        await self._tell(app, room, revision, born, tags, news)
        return reply

    async def _hand_over(self, app: str, key: str, revision: bytes, event: bytes) -> None:
        """Move an event from its room to those who deliver webhooks. A failure leaves it with the room, and recovery tries again."""
        with contextlib.suppress(Fault):
            stream = Keys.events(Keys.event_shard(key))
            await self._executor.command("XADD", stream, "*", app, event, key=stream)
            await self._executor.command("HDEL", key + ":w", revision, key=key)

    async def _enter(self, key: str, room: str, app: str, script: str) -> None:
        now = time.time()
        if self._entered.get(key, 0) > now:
            return
        # A room that does not exist will be refused and owes nothing; whoever creates it meanwhile has entered it.
        if script != "create_room" and not await self._executor.command("EXISTS", key, key=key):
            return
        owing, entry = Keys.owing_of(key), (int(now), f"{app}:{room}")
        if self._executor.scripts[script].when_full:
            await self._executor.call(self._executor.scripts["enter"], [owing], entry)
        else:
            await self._executor.command("ZADD", owing, *entry, key=owing)
        if len(self._entered) >= _MAX_ENTRIES:
            self._entered.clear()
        self._entered[key] = now + ENTRY_S

    async def _tell(self, app: str, room: str, revision: int, born: int, tags: bytes, news: Sequence[Any]) -> None:
        if not news:
            return
        members = news[::4]
        apply = self._executor.scripts["apply"]
        try:
            told = await asyncio.gather(
                *(
                    self._executor.call(
                        apply, [Keys.user(app, member.decode())], [room, revision, born, tags, cursor, unread, state]
                    )
                    for member, cursor, unread, state in zip(members, news[1::4], news[2::4], news[3::4], strict=True)
                )
            )
        except Unavailable as error:
            raise UnknownOutcome(f"the room has changed, and not everybody could be told yet: {error}") from error
        # Striking out may lag behind: told twice is told once.
        settling = asyncio.create_task(self._settle(Keys.room(app, room), revision, members))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        for member, (_, _, ahead) in zip(members, told, strict=True):
            if ahead:
                await self.change("restore_cursor", app, room, [app, member, ahead, self._journal])

    async def _settle(self, key: str, revision: int, members: Sequence[bytes]) -> None:
        # A failure leaves the members owed, and recovery tells them again.
        with contextlib.suppress(Fault):
            await self._executor.call(self._executor.scripts["settle"], [key], [revision, *members])

    async def _recover_shard(self, owing: str, until: float) -> None:
        stale = time.time() - STALE_S
        entries = await self._executor.command("ZRANGEBYSCORE", owing, "-inf", int(until), key=owing)
        put_off: Fault | None = None
        for entry in entries:
            app, _, room = entry.decode().partition(":")
            # What stands in one room's keys, or a node that is away, must not keep the others waiting.
            try:
                await self.pay(app, room)
            except ScriptFailed:
                logger.exception("what room %r of app %r owes cannot be told", room, app)
            except Fault as fault:
                put_off = fault
        if put_off:
            raise put_off
        # Whatever operation entered these rooms has ended long ago, and they have just been paid for.
        await self._executor.command("ZREMRANGEBYSCORE", owing, "-inf", int(stale), key=owing)

    async def _recover_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RECOVERY_EVERY_S)
            for shard in range(OWING_SHARDS):
                owing = Keys.owing(shard)
                try:
                    # One worker at a time is enough for a shard.
                    watch = [Keys.owing_watch(shard)], [int(RECOVERY_EVERY_S * 1000)]
                    watching, _ = await self._executor.call(self._executor.scripts["take"], *watch, repeatable=False)
                    if watching == 1:
                        await self._recover_shard(owing, time.time() - RECOVERY_AGE_S)
                except Fault as fault:
                    logger.warning("recovery of owed news was put off: %s", fault)

"""Webhook events in Redis, on their way to a receiver: implements `domain.events.Events`.

Scripts write events to the stream of a shard. The deliverer that holds the shard moves them, in one
script, to what waits there: one record per membership. A newer event replaces an older
one, so a receiver that is down makes neither the stream nor the deliverer grow.

Several deliverers share the shards. A shard is held by one at a time, under a lease that every
claim renews: this keeps the events of a membership in order. The consumer group is the stream's
record of how far it was read (XINFO GROUPS shows it). Nothing in it is ever pending: an entry is
read, acknowledged, merged and deleted in one step. So when a holder dies, the next one takes over
the shard and nothing else, and what was under way is due again when the time for which it was
handed out is over.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

import msgspec

from readstate.batches import in_batches
from readstate.domain.events import Batch, Dead, DeadLetter, Delivered, Outcome, ReadEvent
from readstate.store import lua
from readstate.store.executor import Executor, scan_hash
from readstate.store.keys import EVENT_SHARDS, Keys
from readstate.store.lua import OutcomeRow
from readstate.store.states import SEPARATOR

LEASE_S = 4.0  # above the time limit of a request; as long does a shard stay untended when its holder dies
ENTRIES_AT_ONCE = 256  # taken from a stream in one script: a few milliseconds
_DEAD_LETTERS_AT_ONCE = 200
_HEARD_S = 1.5  # after so long every deliverer has called `share` again (deliverer.SHARE_S)


_decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode


class RedisEvents:
    """See the module. Each object is one deliverer, or serves a command about dead letters."""

    shards = EVENT_SHARDS

    def __init__(self, executor: Executor, *, lease_s: float = LEASE_S) -> None:
        self._executor = executor
        self._holder = secrets.token_hex(12)
        self.lease_s = lease_s

    async def share(self) -> tuple[int, str | None]:
        call = lua.join_deliverers(holder=self._holder, lease_ms=self._lease_ms)
        reply = await self._executor.call(call, Keys.deliverers)
        return reply.deliverers, reply.refusing_target or None

    async def claim_shard(self, shard: int, *, limit: int) -> Batch:
        call = lua.claim_shard(
            holder=self._holder, lease_ms=self._lease_ms, entries=ENTRIES_AT_ONCE, limit=limit, hold_ms=self._lease_ms
        )
        # A repeated call hands out other events. Those of the lost reply are due again later.
        return await self._executor.call(call, Keys.events(shard))

    async def record_outcomes(self, shard: int, outcomes: Sequence[Outcome]) -> None:
        await self._executor.call(lua.record_outcomes(outcomes=map(_row, outcomes)), Keys.events(shard))

    async def release_shard(self, shard: int) -> None:
        await self._executor.call(lua.release_shard(holder=self._holder), Keys.events(shard))

    async def depart(self) -> None:
        await self._executor.command("ZREM", Keys.deliverers, self._holder, key=Keys.deliverers)

    async def refuse(self, target: str) -> None:
        await self._executor.command("SET", Keys.refusing_target, target, key=Keys.refusing_target)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        for shard in range(EVENT_SHARDS):
            async for letter in self._dead_letters(shard):
                yield letter

    async def replay(self, ids: Sequence[str] | None = None) -> int:
        wanted = None if ids is None else frozenset(ids)
        if await self._executor.command("DEL", Keys.refusing_target, key=Keys.refusing_target):
            # A deliverer that does not know it yet would make dead letters of them again.
            await asyncio.sleep(_HEARD_S)
        replayed = 0
        for shard in range(EVENT_SHARDS):
            # All are listed first: HSCAN over a hash that shrinks meanwhile may leave some out.
            memberships = [
                _membership(one.event)
                async for one in self._dead_letters(shard)
                if wanted is None or one.event.id in wanted
            ]
            for batch in in_batches(memberships, _DEAD_LETTERS_AT_ONCE):
                replayed += await self._executor.call(lua.replay_events(memberships=batch), Keys.events(shard))
        return replayed

    @property
    def _lease_ms(self) -> int:
        return int(self.lease_s * 1000)

    async def _dead_letters(self, shard: int) -> AsyncIterator[DeadLetter]:
        async for _, packed in scan_hash(self._executor, Keys.dead_letters(shard), _DEAD_LETTERS_AT_ONCE):
            yield _decode_dead_letter(packed)


def _membership(event: ReadEvent) -> str:
    return SEPARATOR.join((event.app, event.room, event.member))


def _row(outcome: Outcome) -> OutcomeRow:
    verdict, sent, detail = "later", 0, ""
    if isinstance(outcome, Delivered):
        verdict = "delivered"
    elif isinstance(outcome, Dead):
        verdict, detail = "dead", outcome.reason
    else:
        sent, detail = outcome.sent, str(outcome.wait_ms)
    event = outcome.event
    return OutcomeRow(_membership(event), event.revision, event.seq, verdict, sent, detail)

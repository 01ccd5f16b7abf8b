"""After a failover on a cluster, rooms and the copies of their members are made to agree again.

A replica that becomes the primary may lack the newest writes. Then rooms of its slots are older
than the copies of their members, and sides of users in its slots are older than the rooms. A
server's replication id changes when it becomes a primary, and when it starts. So each node has a
note of the id under which all agreed. Where it is another one, a worker compares what may differ,
some at a time. On one server nothing can differ: a script writes both sides.

It also looks, now and then, for rooms with pending updates that are in no list of such rooms any
more (recovery.py).
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from functools import partial

from msgspec import Struct

from readstate import metrics
from readstate.errors import Fault
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.failover_reconciliation import FailoverReconciliation, unless_foreign
from readstate.store.keys import Keys
from readstate.store.noted_layout import Ranges
from readstate.store.outbox import Outbox
from readstate.tasks import repeat

LOOK_EVERY_S = 2.0
LEASE_MS = 10_000  # of the worker that makes all agree
REST = 1.0  # for so many times as long as a batch took the store is left alone
PENDING_EVERY_S = 300  # forgotten pending updates are looked for
PENDING_REST = 4.0

logger = logging.getLogger(__name__)


class _Node(Struct, frozen=True):
    """A primary, and what is noted of it."""

    address: str
    ranges: Ranges
    replication_id: str
    noted: str | None

    @property
    def note_key(self) -> str:
        return Keys.primary(self.ranges[0][0])


class Failovers:
    """See the module."""

    def __init__(self, executor: Executor, outbox: Outbox) -> None:
        self._executor = executor
        self._outbox = outbox
        self._holder = secrets.token_hex(8)
        self._renew_at_s = 0.0

    async def keep_reconciling(self) -> None:
        """Look for nodes with another primary, until cancelled; one worker of all does the work."""

        async def look() -> None:
            await self.reconcile()
            await self._drain_forgotten_if_due()

        if self._executor.plan == "split":
            await repeat(look, LOOK_EVERY_S, logger, "looking for what a failover has lost was put off")

    async def reconcile(self) -> None:
        """Make rooms and copies agree wherever another primary serves than when they last did.

        Raises what Executor.call does. Interrupted, the next worker that looks begins it again.
        """
        changed = [node for node in await self._nodes() if node.noted != node.replication_id]
        for node in [node for node in changed if node.noted is None]:
            if await self._is_empty(node.address):
                await self._note(node)
                changed.remove(node)
        if not changed or not await self._acquire_lease():
            return
        try:
            await self._reconcile(changed)
        finally:
            with contextlib.suppress(Fault):
                await self._release()

    async def _reconcile(self, changed: Sequence[_Node]) -> None:
        names = ", ".join(node.address for node in changed)
        logger.warning("another primary serves at %s than before: rooms and copies are being compared", names)
        began_s = time.monotonic()
        work = FailoverReconciliation(
            self._executor, self._outbox, [pair for node in changed for pair in node.ranges], self._rest
        )
        await work.run()
        for node in changed:
            await self._note(node)
        metrics.FAILOVERS.inc(len(changed))
        logger.warning(
            "compared rooms and copies at %s: %d of %d copies were wrong and are right now, after %.1f s",
            *(names, work.wrong, work.compared, time.monotonic() - began_s),
        )

    async def drain_forgotten(self) -> None:
        """Push pending updates wherever there are some. Raises what Executor.call does."""
        for pattern in Keys.every_pending:
            async for key in self._executor.scan(pattern, rest=PENDING_REST):
                if parsed := Keys.parse(key[: key.rindex("}") + 1]):
                    await unless_foreign(partial(self._outbox.drain, *parsed[1:]))

    async def _drain_forgotten_if_due(self) -> None:
        call = lua.hit_rate_limit(window_ms=PENDING_EVERY_S * 1000)
        if (await self._executor.call(call, Keys.pending_looked_for, repeatable=False)).calls == 1:
            await self.drain_forgotten()

    async def _nodes(self) -> list[_Node]:
        found = []
        for address, ranges in (await self._executor.slots()).items():
            note_key = Keys.primary(ranges[0][0])
            noted = await self._executor.command("GET", note_key, key=note_key)
            info = (await self._executor.command("INFO", "replication", key=note_key)).decode()
            fields = dict(line.partition(":")[::2] for line in info.splitlines())
            if fields.get("role") == "master":
                found.append(_Node(address, ranges, fields["master_replid"], noted and noted.decode()))
        return found

    async def _is_empty(self, address: str) -> bool:
        for pattern in (Keys.every_room, Keys.every_user):
            async for _ in self._executor.scan(pattern, address):
                return False
        return True

    async def _note(self, node: _Node) -> None:
        await self._executor.command("SET", node.note_key, node.replication_id, key=node.note_key)

    async def _acquire_lease(self) -> bool:
        key = Keys.reconciling
        self._renew_at_s = time.monotonic() + LEASE_MS / 4000
        return await self._executor.command("SET", key, self._holder, "NX", "PX", LEASE_MS, key=key) is not None

    async def _release(self) -> None:
        key = Keys.reconciling
        if await self._executor.command("GET", key, key=key) == self._holder.encode():
            await self._executor.command("DEL", key, key=key)

    async def _rest(self, began_s: float) -> None:
        """After a batch that began then."""
        now_s = time.monotonic()
        if now_s > self._renew_at_s:
            await self._executor.command("PEXPIRE", Keys.reconciling, LEASE_MS, key=Keys.reconciling)
            self._renew_at_s = now_s + LEASE_MS / 4000
        await asyncio.sleep(min((now_s - began_s) * REST, LEASE_MS / 4000))

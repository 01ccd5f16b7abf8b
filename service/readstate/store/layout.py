"""How the layout of a store's data becomes that of this version.

A node gets the number (noted_layout.py) when a service of this version begins to work on it. From
then on versions of an earlier layout are shut out (released.py). What is of an earlier layout is
migrated when it is asked for (migration.py); the rest here, key by key. A node that has no
number, because it is new or because the number has moved to another one with its slot, gets it, and
is looked through.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic

from readstate.batches import as_batches
from readstate.errors import Unavailable
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.key_scan import keys_of
from readstate.store.keys import Keys
from readstate.store.migration import Migration
from readstate.store.noted_layout import LAYOUT, Noted, Ranges, as_text, layout_of, noted_layouts, why_refused, without
from readstate.store.released import shut_out_releases
from readstate.store.replies import ScriptFailed
from readstate.store.server_check import ServerRefused
from readstate.store.workers import earlier_workers
from readstate.tasks import repeat

ROOMS_AT_ONCE = 100
KEYS_AT_ONCE = 8  # migrated at the same time; beside a service one after the other
LOOK_EVERY_S = 5.0
LEASE_MS = 60_000  # of the worker that migrates the rest
REST = 4  # in the background, for so many times as long as a batch took the store is left alone

logger = logging.getLogger(__name__)


class StoreLayout:
    """The layout of a store's data: what the nodes say, and how it becomes that of this version."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._migration = Migration(executor.call)
        self.is_whole = False  # nothing of an earlier layout is left, as `begin` or `look` found it
        self.rooms = 0  # looked at in the background

    def describe(self) -> str:
        """The number, and whether everything was migrated, as `begin` or `look` found it."""
        return f"{LAYOUT}" if self.is_whole else f"{LAYOUT}, migrating"

    async def look(self) -> dict[str, Noted]:
        """Read what is noted of each node. Raises ServerRefused where the layout is a later one."""
        noted = await noted_layouts(self._executor)
        if sentence := why_refused(noted):
            raise ServerRefused(sentence)
        slots = await self._executor.slots()
        self.is_whole = all(
            one.number == LAYOUT and not without(slots.get(node, ()), one.slots) for node, one in noted.items()
        )
        return noted

    async def require(self) -> None:
        """Raises ServerRefused when a service of this version has not begun to work on the data."""
        for node, one in (await self.look()).items():
            if one.number < LAYOUT and (layout := await self._layout_at(node)) and layout < LAYOUT:
                raise ServerRefused(
                    f"the data have layout {layout}, of an earlier readstate; start the service of this version, "
                    "or run `readstate migrate`, which migrate them"
                )

    async def begin(self, *, alone: bool = False) -> None:
        """Begin to work on the data, or go on: nodes get the number, earlier versions are shut out.

        `alone`: no other service can be at work. Raises ServerRefused when the layout is a later
        one, or a service of an earlier one is at work, and what Executor.command does.
        """
        noted = await self.look()
        begun = [node for node, one in noted.items() if one.number < LAYOUT]
        if begun and not alone and (workers := await earlier_workers(self._executor)):
            raise ServerRefused(
                f"{workers} worker(s) of an earlier readstate are at work on these data; stop that service, "
                "then start this one (a worker that crashed is forgotten after two minutes)"
            )
        await shut_out_releases(self._executor)
        for node in begun:
            empty = await self._layout_at(node) is None
            await self._note(node, (await self._executor.slots()).get(node, ()) if empty else ())
        if begun:
            await self.look()

    async def migrate(self, look_at: Callable[[int], Awaitable[None]], at_once: int = KEYS_AT_ONCE) -> None:
        """Migrate all that is of an earlier layout. `look_at` is told of so many more rooms.

        Raises what Executor.call does. Interrupted, it can be begun again.
        """
        failed = False
        before = await self._executor.slots()
        async for keys in as_batches(keys_of(self._executor, Keys.every_room), ROOMS_AT_ONCE):
            layouts = await asyncio.gather(*map(self._layout_of, keys))
            earlier = [key for key, layout in zip(keys, layouts, strict=True) if layout and layout < LAYOUT]
            for first in range(0, len(earlier), at_once):
                done = await asyncio.gather(*map(self._migrate_room, earlier[first : first + at_once]))
                failed = failed or not all(done)
            await look_at(len(keys))
        if failed:
            raise Unavailable("some rooms could not be migrated; the log says which")
        # A slot that came or went meanwhile may have been missed.
        for node, slots in (await self._executor.slots()).items():
            await self._note(node, without(slots, without(slots, before.get(node, ()))))
        await self.look()

    async def keep_migrating(self) -> None:
        """Migrate the rest beside the service, until cancelled; one worker of all does it."""
        await repeat(self._go_on, LOOK_EVERY_S, logger, "the migration was put off")

    async def _go_on(self) -> None:
        try:
            # A restarted server, or a new node of a cluster, may not know the layout.
            await self.begin(alone=True)
        except ServerRefused as error:
            raise Unavailable(str(error)) from None
        if not self.is_whole and await self._acquire_lease():
            await self._migrate_slowly()

    async def _migrate_slowly(self) -> None:
        started_s, self.rooms = monotonic(), 0
        renewed_s = began_s = started_s
        logger.info("migrating to layout %d what is of an earlier one", LAYOUT)

        async def look_at(rooms: int) -> None:
            nonlocal began_s, renewed_s
            self.rooms += rooms
            if monotonic() - renewed_s > LEASE_MS / 4000:
                await self._executor.command("PEXPIRE", Keys.migration, LEASE_MS, key=Keys.migration)
                renewed_s = monotonic()
            await asyncio.sleep(min((monotonic() - began_s) * REST, LEASE_MS / 4000))
            began_s = monotonic()

        await self.migrate(look_at, at_once=1)
        await self._executor.command("DEL", Keys.migration, key=Keys.migration)
        logger.info("migrated: looked at %d rooms in %.0f s", self.rooms, monotonic() - started_s)

    async def _acquire_lease(self) -> bool:
        holder, key = secrets.token_hex(8), Keys.migration
        return await self._executor.command("SET", key, holder, "NX", "PX", LEASE_MS, key=key) is not None

    async def _layout_at(self, node: str) -> int | None:
        """The layout of the first room that is found on a node; None when there is none."""
        async for key in self._executor.scan(Keys.every_room, node):
            if layout := await self._layout_of(key):
                return layout
        return None

    async def _layout_of(self, key: str) -> int | None:
        """The layout of a room, None if there is none."""
        try:
            head = await self._executor.command("HGET", key, "", key=key)
        except ScriptFailed:  # foreign data
            return None
        return layout_of(head) if head else None

    async def _migrate_room(self, key: str) -> bool:
        """Whether it could be done: what another program has written must not hold up the rest."""
        try:
            await self._migration.migrate(key)
        except ScriptFailed:
            logger.exception("%s cannot be migrated", key)
            return False
        return True

    async def _note(self, node: str, slots: Ranges) -> None:
        ranges = (await self._executor.slots()).get(node)
        if ranges:
            call = lua.note_layout(number=LAYOUT, slots=as_text(slots))
            await self._executor.call(call, Keys.layout(ranges[0][0]))

"""Keys of an earlier layout are migrated to the present one, each by itself.

A script that meets such a key is refused before it writes (lua/lib/layouts.lua). Then the executor
migrates the key and repeats the call, so that a service can work on a store in which most is
still of an earlier layout. What is not asked for is migrated beside that (layout.py).

A migration goes in short steps. Each leaves a state from which any process can go on, so it
does no harm to be interrupted, or to be done by several processes at once.
"""

from collections.abc import Awaitable, Callable

from hiredis import ReplyError

from readstate.errors import LaterLayout
from readstate.store import lua
from readstate.store.noted_layout import LAYOUT, later_layout
from readstate.store.replies import other_layout
from readstate.store.script_calls import Call
from readstate.tasks import Shared

VALUES_AT_ONCE = 250  # in one step; some milliseconds

_STEPS = {"r": lua.migrate_room}  # by the kind of the key; a step answers whether more is to be done


class Migration:
    """Migrates keys. `call` runs a script in the slot of a key."""

    def __init__(self, call: Callable[[Call[bool], str], Awaitable[bool]]) -> None:
        self._call = call
        self._running: Shared[str, None] = Shared()

    async def migrate(self, key: str) -> None:
        """Migrate a key. All calls that need the same one wait for the same steps."""
        await self._running.result(key, self._migrate)

    async def after(self, reply: ReplyError) -> None:
        """Migrate what a script met, so that it can be called again.

        Raises LaterLayout, or Unavailable when the store does not answer.
        """
        number, key = other_layout(reply)
        if number > LAYOUT:
            raise LaterLayout(later_layout(number))
        await self.migrate(key)

    async def _migrate(self, key: str) -> None:
        step = _STEPS[key[1]](most=VALUES_AT_ONCE)
        while await self._call(step, key):
            pass

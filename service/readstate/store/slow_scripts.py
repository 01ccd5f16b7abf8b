"""Scripts that keep a server busy too long are ended, as long as they have written nothing.

While a script runs, a server answers no command. After `busy-reply-threshold` it refuses commands
with BUSY, except a few, among them FUNCTION STATS and FUNCTION KILL. So beside each shared
connection there is a second one for these two, made before it is needed. It is used only when there
is reason: a call that is under way for long, or a reply that says BUSY. Every process looks for
itself, so it does not matter which one called the script, or whether that one still lives.

A script that has written cannot be ended (UNKILLABLE), because half of its work would stay. Then
only waiting helps.

Between the two commands another script may have taken the place of the first. It is ended only if
it runs longer than `busy-reply-threshold` itself: before that the server reads no command.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable

from hiredis import ReplyError
from msgspec import Struct
from redis.asyncio.connection import AbstractConnection

from readstate import metrics
from readstate.errors import Fault
from readstate.store.executor import by_field
from readstate.store.pipelined_connection import PipelinedConnection
from readstate.store.replies import Meaning, classify
from readstate.store.scripts import PREFIX

logger = logging.getLogger(__name__)

LIMIT_MS = 500  # far above any script within the limits
_AGAIN_S = 0.5  # between two tries to end a script that has written
_DIGEST = re.compile(r"_[0-9a-f]{16}$")


class _Running(Struct, frozen=True):
    """What FUNCTION STATS says of the script that runs."""

    function: str
    duration_ms: int

    @property
    def script(self) -> str:
        """The operation, as it is called in `lua/`."""
        return _DIGEST.sub("", self.function.removeprefix(PREFIX))


class SlowScripts:
    """See the module; for one server."""

    def __init__(self, make_connection: Callable[[], AbstractConnection]) -> None:
        # It is lost together with the other connection, which logs it.
        self._connection = PipelinedConnection(make_connection, logs=False)
        self._checking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect. Raises Unavailable."""
        await self._connection.open()

    def reconnect(self) -> None:
        """Connect anew, by name."""
        self._connection.reconnect()

    async def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait({self._checking})
        await self._connection.close()

    def check(self) -> None:
        """Check in the background whether a script of this service runs too long, and end it.

        Does nothing while that is done already.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())

    async def _check(self) -> None:
        with contextlib.suppress(Fault):  # a server that is away runs no script
            written = ""
            while running := await self._running():
                if running.duration_ms < LIMIT_MS:
                    await asyncio.sleep((LIMIT_MS - running.duration_ms) / 1000)
                elif await self._end(running, log=written != running.function):
                    return
                else:
                    written = running.function
                    await asyncio.sleep(_AGAIN_S)

    async def _running(self) -> _Running | None:
        """The script that runs, if it is one of this service."""
        reply = await self._connection.call("FUNCTION", "STATS", repeatable=True)
        if isinstance(reply, ReplyError):
            return None  # an older server, or one where the user may not ask
        stats = by_field(reply)[b"running_script"]
        if stats is None:
            return None
        facts = by_field(stats)
        function = facts[b"name"].decode(errors="replace")
        return _Running(function, facts[b"duration_ms"]) if function.startswith(PREFIX) else None

    async def _end(self, running: _Running, *, log: bool) -> bool:
        """Whether the script was ended. `log`: log when it cannot be."""
        reply = await self._connection.call("FUNCTION", "KILL", repeatable=False)
        if not isinstance(reply, ReplyError):
            metrics.SCRIPTS_KILLED.labels(running.script).inc()
            text = "the script %s was ended: it ran for %d ms and had written nothing"
            logger.warning(text, running.script, running.duration_ms)
            return True
        if log and classify(reply) is Meaning.UNKILLABLE:
            text = "the script %s runs for %d ms and cannot be ended: it has written"
            logger.warning(text, running.script, running.duration_ms)
        return False

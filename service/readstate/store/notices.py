"""The stream of notices: one pub/sub connection per worker, for all apps that have listeners.

Redis forgets what it could not deliver. So this file has to find out when notices may have been
missed, and to report the gap:
- Every loss of the connection is a gap for every app that was heard on it.
- A connection can look alive and hear nothing (a half-open TCP connection; a cluster node cut off
  from the others). When it has been silent for a while, a probe is published through the ordinary
  connections, on a channel of our own. If it does not arrive here, this connection is given up.

On a cluster a plain PUBLISH reaches every node. So one node is listened to, and another one when it
fails.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Awaitable, Callable

import msgspec
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from readstate.domain.notices import Notice, decode_notice
from readstate.errors import Fault, Unavailable
from readstate.store.connections import ConnectionFactory
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.urls import at_node
from readstate.tasks import Backoff, cancel_and_wait

logger = logging.getLogger(__name__)

CONFIRM_S = 5.0  # how long `subscribe` waits for a subscription
CONNECT_S = 3.0
SILENCE_S = 5.0  # after so long without any reply a probe is sent
PROBE_S = 5.0  # ... and has so long to come back
MIN_BACKOFF_S = 0.05
MAX_BACKOFF_S = 2.0
BURST = 100  # notices handled before others get their turn

# What a lost connection raises.
_LOST = (RedisError, OSError, EOFError, TimeoutError)


class RedisNotices:
    """`domain.ports.Notices` over Redis pub/sub.

    `start` it inside the running loop, `stop` it at the end. `url` is that of the server or cluster
    that `executor` reaches. `undecodable` counts what arrived and was no notice, `reconnects` how
    often the connection was made again.
    """

    def __init__(self, executor: Executor, url: str) -> None:
        self._executor = executor
        self._url = url
        self._on_notice: Callable[[str, Notice], None] = lambda app, notice: None
        self._on_gap: Callable[[str], Awaitable[None]] = _nothing
        self._listeners: dict[str, int] = {}  # app -> how many
        self._subscribed: dict[str, asyncio.Future[None]] = {}  # app -> done when it is heard on the present connection
        self._unconfirmed: dict[str, int] = {}  # app -> SUBSCRIBEs that were sent and not yet confirmed
        self._missed: set[str] = set()  # apps that were heard before and are not now
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._probe = f"n::{secrets.token_hex(8)}"  # no app's name begins with a colon
        self._heard = 0  # replies so far: any is a sign of life
        self._reporting = False  # a gap is being reported, and meanwhile nothing is read
        self._node = random.randrange(1024)
        self.undecodable = 0
        self.reconnects = -1  # the first connection is none

    def attach(self, on_notice: Callable[[str, Notice], None], on_gap: Callable[[str], Awaitable[None]]) -> None:
        """Set what is called with (app, notice), and with an app after a gap.

        `on_gap` is awaited before any later notice is handed on, so that notices meet repaired
        state.
        """
        self._on_notice, self._on_gap = on_notice, on_gap

    async def start(self) -> None:
        """Begin to connect, in the background: `subscribe` waits for it."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        await cancel_and_wait(self._keeper)

    async def subscribe(self, app: str) -> None:
        """Subscribe to `app`; every notice after the return arrives.

        Needs one `unsubscribe`. Raises Unavailable.
        """
        self._listeners[app] = self._listeners.get(app, 0) + 1
        try:
            if self._listeners[app] == 1:
                self._subscribed[app] = asyncio.get_running_loop().create_future()
                await self._send("SUBSCRIBE", app)
            await asyncio.wait_for(asyncio.shield(self._subscribed[app]), CONFIRM_S)
        except TimeoutError:
            await self.unsubscribe(app)
            raise Unavailable("the stream of notices cannot be reached") from None
        except BaseException:
            await self.unsubscribe(app)
            raise

    async def unsubscribe(self, app: str) -> None:
        """Undo one `subscribe`."""
        self._listeners[app] -= 1
        if not self._listeners[app]:
            del self._listeners[app], self._subscribed[app]
            self._missed.discard(app)
            await self._send("UNSUBSCRIBE", app)

    # The connection

    async def _keep(self) -> None:
        backoff = Backoff(MIN_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._connect_and_hear()
            except _LOST as error:
                logger.warning("notices: connection lost: %s", error or type(error).__name__)
            except Exception:
                # A fault of this program. Trying again is better than hearing nothing from now on.
                logger.exception("notices: the listener failed")
            if asyncio.get_running_loop().time() - began > MAX_BACKOFF_S:
                backoff.reset()
            await backoff.pause()

    async def _connect_and_hear(self) -> None:
        connection = self._make_connection()
        try:
            # Not wait_for: on Python 3.11 it can swallow the cancellation by which `stop` ends us.
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
            self._connection = connection
            self.reconnects += 1
            await connection.send_command("SUBSCRIBE", self._probe)
            for app in list(self._listeners):
                if app in self._listeners:  # it may have been left meanwhile
                    await self._send("SUBSCRIBE", app)
            await self._hear_while_alive(connection)
        finally:
            self._lose()
            await connection.disconnect(nowait=True)

    def _make_connection(self) -> AbstractConnection:
        """A connection to the server or, on a cluster, to another node than the last time."""
        nodes = (self._executor.nodes() if self._executor.plan == "split" else None) or [self._url]
        self._node = (self._node + 1) % len(nodes)
        node = nodes[self._node]
        if "://" not in node:
            node = at_node(self._url, node)
        return ConnectionFactory(node)()

    def _lose(self) -> None:
        self._connection = None
        self._unconfirmed.clear()
        for app, subscribed in self._subscribed.items():
            if subscribed.done():
                self._missed.add(app)
                self._subscribed[app] = asyncio.get_running_loop().create_future()

    async def _send(self, command: str, app: str) -> None:
        """Subscribe or unsubscribe.

        Without a connection, the next one subscribes to what is wanted then.
        """
        connection = self._connection
        if connection is None or not connection.is_connected:
            return
        if command == "SUBSCRIBE":
            self._unconfirmed[app] = self._unconfirmed.get(app, 0) + 1
        with contextlib.suppress(*_LOST):  # the reader of this connection finds it out as well
            await connection.send_command(command, Keys.notices(app))

    async def _hear_while_alive(self, connection: AbstractConnection) -> None:
        reader = asyncio.create_task(self._hear(connection))
        try:
            while True:
                heard = self._heard
                if (await asyncio.wait({reader}, timeout=SILENCE_S))[0]:
                    return await reader
                if heard == self._heard and not self._reporting:
                    await self._check_alive(reader)
        finally:
            reader.cancel()
            await asyncio.wait({reader})
            if not reader.cancelled():
                reader.exception()  # was raised above, or the connection is given up anyway

    async def _check_alive(self, reader: "asyncio.Task[None]") -> None:
        heard = self._heard
        try:
            # The key decides which node of a cluster publishes: a different one each time.
            await self._executor.command("PUBLISH", self._probe, "", key=secrets.token_hex(4))
        except Fault:
            return  # nothing was published, so silence says nothing
        until = asyncio.get_running_loop().time() + PROBE_S
        while heard == self._heard and not reader.done():
            if asyncio.get_running_loop().time() > until:
                raise TimeoutError("a probe did not come back")
            await asyncio.sleep(0.02)

    # What is heard

    async def _hear(self, connection: AbstractConnection) -> None:
        # The connection stays open on errors: only _connect_and_hear closes it, so that nothing is
        # written to one that redis-py has connected again.
        channels: dict[bytes, str] = {}
        while True:
            for _ in range(BURST):
                kind, channel, content = await connection.read_response(
                    disable_decoding=True, disconnect_on_error=False
                )
                self._heard += 1
                if kind == b"message":
                    if app := channels.get(channel):
                        self._hand_on(app, content)
                elif kind == b"subscribe" and channel != self._probe.encode():
                    app = channels[channel] = channel.decode().removeprefix(Keys.notices(""))
                    await self._confirm(app)
            await asyncio.sleep(0)

    async def _confirm(self, app: str) -> None:
        self._unconfirmed[app] -= 1
        if self._unconfirmed[app]:
            return  # left and listened to again meanwhile: only the last confirmation counts
        del self._unconfirmed[app]
        subscribed = self._subscribed.get(app)
        if subscribed is not None and not subscribed.done():
            subscribed.set_result(None)
        if app in self._missed:
            self._missed.remove(app)
            await self._report_gap(app)

    async def _report_gap(self, app: str) -> None:
        self._reporting = True
        try:
            await self._on_gap(app)
        except Exception:
            logger.exception("notices: a gap could not be dealt with", extra={"app": app})
        finally:
            self._reporting = False

    def _hand_on(self, app: str, content: bytes) -> None:
        try:
            notice = decode_notice(content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.undecodable += 1
            logger.warning("notices: not a notice: %s", error, extra={"app": app})
            return
        try:
            self._on_notice(app, notice)
        except Exception:
            logger.exception("notices: a notice could not be handed on", extra={"app": app})


async def _nothing(app: str) -> None:
    pass

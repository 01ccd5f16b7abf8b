"""A connection to one node over which a worker listens to channels.

It lives until it is lost, and is not made again: who uses it decides what that means.

A connection can look alive and hear nothing (a half-open TCP connection, a node that is cut off).
When it has been silent for a while, an empty message is published to one of its channels through
the ordinary connections. If nothing arrives here then, the connection is given up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from readstate.errors import Fault
from readstate.tasks import cancel_and_wait

CONNECT_S = 3.0
SILENCE_S = 5.0  # after so long without any reply a probe is sent
PROBE_S = 5.0  # ... and has so long to come back
BURST = 100  # messages handled before others get their turn

logger = logging.getLogger(__name__)

# What a lost connection raises.
LOST = (RedisError, OSError, EOFError, TimeoutError, hiredis.HiredisError)


class ChannelConnection(asyncio.Protocol):
    """Made inside the running loop; `run` it in a task.

    `on_message(channel, content)` is called with what is published, `on_subscribed(channel)` when a
    subscription is confirmed, and `on_ended(channel)` when the node has refused it or ended it,
    since the channel's slot is elsewhere. `probe(channel)` publishes an empty message.

    `one_by_one`: the node is of a cluster, where a command may name channels of one slot only.
    """

    def __init__(
        self,
        make_connection: Callable[[], AbstractConnection],
        *,
        one_by_one: bool,
        on_message: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[bytes], None],
        on_ended: Callable[[bytes], None],
        probe: Callable[[bytes], Awaitable[Any]],
    ) -> None:
        self._make_connection = make_connection
        self._one_by_one = one_by_one
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._on_ended = on_ended
        self._probe = probe
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._parser = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._early: dict[bytes, None] = {}  # wanted before there was a connection
        # (channel, whether to subscribe, last of its command) not answered yet, in order
        self._asked: deque[tuple[bytes, bool, bool]] = deque()
        self._unsent: list[bytes] = []  # commands of this turn
        self._channels: dict[bytes, None] = {}  # confirmed
        self._draining = False
        self._heard = 0  # replies so far: any shows that it lives

    def subscribe(self, channels: Sequence[bytes]) -> None:
        """Ask for subscriptions."""
        if self._transport is None:
            self._early |= dict.fromkeys(channels)
        else:
            self._ask(b"SSUBSCRIBE", channels)

    def unsubscribe(self, channels: Sequence[bytes]) -> None:
        """End subscriptions. Nothing more is handed on of them."""
        for channel in channels:
            self._early.pop(channel, None)
            self._channels.pop(channel, None)
        self._ask(b"SUNSUBSCRIBE", channels)

    async def run(self) -> None:
        """Connect and listen until the connection is lost. Raises one of LOST, or a defect."""
        connection = self._make_connection()
        try:
            # Not wait_for: on Python 3.11 it can swallow the cancellation that ends this task.
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
            reader, writer = connection._reader, connection._writer
            assert reader is not None
            assert writer is not None
            if reader.at_eof() or writer.is_closing():
                raise EOFError("the server closed the connection")
            self._transport = writer.transport  # type: ignore[assignment]
            writer.transport.set_protocol(self)
            early, self._early = self._early, {}
            self._ask(b"SSUBSCRIBE", list(early))
            await self._listen()
        finally:
            if not self._lost.done():
                self._lost.cancel()
            await connection.disconnect(nowait=True)

    async def _listen(self) -> None:
        prober = asyncio.create_task(self._check_alive())
        try:
            await self._lost
        finally:
            await cancel_and_wait(prober)

    async def _check_alive(self) -> None:
        while True:
            heard = self._heard
            await asyncio.sleep(SILENCE_S)
            if heard != self._heard or not self._channels:
                continue
            try:
                await self._probe(next(iter(self._channels)))
            except Fault:
                continue  # nothing was published, so silence says nothing
            except Exception:
                logger.exception("notices: a probe failed")
                continue
            await asyncio.sleep(PROBE_S)
            if heard == self._heard:
                self._end(TimeoutError("a probe did not come back"))

    def _ask(self, command: bytes, channels: Sequence[bytes]) -> None:
        if not channels or self._transport is None or self._transport.is_closing():
            return
        last = channels[-1]
        self._asked.extend(
            (channel, command == b"SSUBSCRIBE", self._one_by_one or channel is last) for channel in channels
        )
        groups = [(channel,) for channel in channels] if self._one_by_one else [tuple(channels)]
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += [_pack(command, *group) for group in groups]

    def _flush(self) -> None:
        """Write what this turn of the event loop has asked for."""
        unsent, self._unsent = self._unsent, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    # What is heard (asyncio.Protocol)

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        if not self._draining:
            self._drain()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or EOFError("the server closed the connection"))

    def _end(self, error: Exception) -> None:
        if not self._lost.done():
            self._lost.set_exception(error)

    def _drain(self) -> None:
        """Handle what was read, BURST replies in one turn; meanwhile no more is read."""
        if self._lost.done() or self._transport is None:
            return
        try:
            for _ in range(BURST):
                if (reply := self._parser.gets()) is False:
                    if self._draining:
                        self._draining = False
                        self._transport.resume_reading()
                    return
                self._heard += 1
                self._handle(reply)
        except Exception as error:  # of a defect as well: else nothing more would be read
            self._end(error)
            return
        if not self._draining:
            self._draining = True
            self._transport.pause_reading()
        self._loop.call_soon(self._drain)

    def _handle(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            self._refused()
            return
        kind, channel, content = reply
        if kind == b"smessage":
            if channel in self._channels and content:
                self._on_message(channel, content)
        elif kind == b"ssubscribe":
            self._asked.popleft()
            self._channels[channel] = None
            self._on_subscribed(channel)
        elif self._asked and self._asked[0][:2] == (channel, False):
            self._asked.popleft()
            self._channels.pop(channel, None)
        elif self._channels.pop(channel, 0) is None:
            self._on_ended(channel)

    def _refused(self) -> None:
        """The first command that is not answered has failed, with all its channels."""
        is_last = False
        while not is_last:
            channel, subscribes, is_last = self._asked.popleft()
            if subscribes:
                self._on_ended(channel)


def _pack(*parts: bytes) -> bytes:
    packed: bytes = hiredis.pack_command(parts)  # type: ignore[arg-type]  # it takes any number of parts
    return packed

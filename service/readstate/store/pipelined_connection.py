"""A pipelined connection: one connection to one server that all callers of a worker share.

Calls of one turn of the event loop go out in one write. Calls that are made while replies are
under way go out when the next reply arrives, or as soon as FULL_BATCH are waiting, so that worker
and server need not take turns. So a busy connection sends few large batches, which is cheaper at
both ends, and an idle one sends at once. Replies come back in order. redis-py makes the connection
(URL, TLS, login); then this file is its protocol, because a stream and a task in between would
cost a small batch more than its calls do. hiredis packs and parses.

Why a caller can trust it:
- A caller that goes away leaves a slot behind; its reply is read and dropped. No reply reaches
  another caller.
- When the connection is lost, the outcome of what was sent is unknown. Repeatable calls are sent
  once more, if there is a connection again before their deadline; all others end in UnknownOutcome.
- What was not sent yet waits for the new connection until its deadline, then ends in Unavailable:
  nothing was done.
- A server that turned replica is left: what was sent is answered, all else goes where the name
  leads now.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from readstate import metrics
from readstate.errors import ConnectionLost, Fault, Unavailable, UnknownOutcome
from readstate.store.replies import is_busy, is_of_replica, refusing_word
from readstate.tasks import Backoff, cancel_and_wait

logger = logging.getLogger(__name__)

DEADLINE_S = 3.0  # of one call, above the slowest healthy script
FULL_BATCH = 16  # calls
MAX_IN_FLIGHT = 20_000  # calls; beyond this a new one is refused at once
SLOW_S = 0.3  # a call that is under way for so long may wait for a script that ought to be ended
_SWEEP_S = 0.1
_MIN_BACKOFF_S = 0.01
_MAX_BACKOFF_S = 1.0
_RECONNECT_EVERY_S = 1.0
_LOST_UNSENT = "the store connection was lost"
_LOST = "the store connection was lost; the call may or may not have been carried out"

Command = tuple[str | int | bytes, ...]
Reply = Any


class _Call:
    """One command on its way."""

    __slots__ = ("deadline", "future", "packed", "repeatable", "was_lost")

    def __init__(self, packed: bytes, future: "asyncio.Future[Reply]", deadline: float, repeatable: bool) -> None:
        self.packed = packed
        self.future = future
        self.deadline = deadline
        self.repeatable = repeatable
        self.was_lost = False  # sent once, and the connection was lost before the reply came

    def on_reply(self, reply: Reply) -> bool:
        """A reply has come. Returns whether it was the last one."""
        if not self.future.done():
            self.future.set_result(reply)
        return True

    def fail(self, fault: Fault) -> None:
        """End it without a reply, unless it has ended."""
        if not self.future.done():
            self.future.set_exception(fault)

    def expire(self, why: str) -> None:
        """End it, while it waits to be sent."""
        self.fail(ConnectionLost(_LOST) if self.was_lost else Unavailable(why))


class _Batch(_Call):
    """Several commands on their way together, with one future for what they end in."""

    __slots__ = ("count", "replies")

    def __init__(self, packed: bytes, future: "asyncio.Future[Reply]", deadline: float, *, count: int) -> None:
        super().__init__(packed, future, deadline, repeatable=False)
        self.count = count
        self.replies: list[Reply] = []

    def on_reply(self, reply: Reply) -> bool:
        self.replies.append(reply)
        return len(self.replies) == self.count and super().on_reply(self.replies)

    def fail(self, fault: Fault) -> None:
        if not self.future.done():
            self.future.set_result([*self.replies, *[fault] * (self.count - len(self.replies))])


class _ReplyProtocol(asyncio.Protocol):
    """What the server sends.

    `on_reply` is called with each reply, `after` when all that came at once were handled,
    `on_error` with the text of an error reply. `lost` fails with what ended the connection.
    """

    def __init__(
        self,
        on_reply: Callable[[Reply], None],
        after: Callable[[], None],
        on_error: Callable[[str], None],
        lost: "asyncio.Future[None]",
    ) -> None:
        self._on_reply = on_reply
        self._after = after
        self._on_error = on_error
        self._parser = hiredis.Reader(replyError=self._error)
        self.lost = lost

    def data_received(self, data: bytes) -> None:
        if self.lost.done():
            # Late data of a lost connection must not be taken for replies of the next one.
            return
        try:
            self._parser.feed(data)
            while (reply := self._parser.gets()) is not False:
                self._on_reply(reply)
        except hiredis.HiredisError as error:
            self._end(error)
        else:
            self._after()

    def _error(self, text: str) -> hiredis.ReplyError:
        self._on_error(text)
        return hiredis.ReplyError(text)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or EOFError("the server closed the connection"))

    def _end(self, error: Exception) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)


class PipelinedConnection:
    """See the module. Make it inside the running loop, then `open` it, and `close` it at the end.

    `on_slow` is called while a call is under way for more than SLOW_S (several times a second), and
    when the server says that it is busy. A connection is given up when its oldest call is not
    answered after `silent_deadlines` deadlines; a batch counts as one call, and as not answered
    while it is so in part. `logs`: log when the connection is lost, and when there is one again.
    """

    # Whether calls that are not repeatable end at once when the connection is lost, also if they
    # were not sent: who made them sends them elsewhere.
    hands_back = False

    def __init__(
        self,
        make_connection: Callable[[], AbstractConnection],
        *,
        deadline_s: float = DEADLINE_S,
        silent_deadlines: int = 2,
        on_slow: Callable[[], None] = lambda: None,
        logs: bool = True,
    ) -> None:
        self._make_connection = make_connection
        self._deadline_s = deadline_s
        self._silent_s = silent_deadlines * deadline_s
        self._on_slow = on_slow
        self._logs = logs
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Call] = []  # not written yet
        self._sent: deque[_Call] = deque()  # written, in the order in which replies will come
        self._connection: AbstractConnection | None = None
        self._transport: asyncio.WriteTransport | None = None  # while replies are read from it
        self._former: asyncio.WriteTransport | None = None  # closed as soon as what was sent is answered
        self._reconnect_from_s = 0.0  # not before that
        self._flush_due = False
        self._keeper: asyncio.Task[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self.round_trips = 0  # writes so far, each carrying one or more commands
        self.connects = 0  # how often there was a connection so far
        self.why_away = ""  # why there is no connection now; "" while there is one

    async def open(self) -> None:
        """Connect.

        Raises Unavailable when that fails. A connection that is lost later is made again.
        """
        self._connection = await self._connect()
        self._keeper = asyncio.create_task(self._keep())
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    async def close(self) -> None:
        """Drop the connection. Calls that still wait end in UnknownOutcome or Unavailable."""
        self._closed = True
        if self._sweeper:
            self._sweeper.cancel()
        await cancel_and_wait(self._keeper)
        await self._disconnect()  # a keeper that was cancelled before it began has not done it
        # The keeper has ended what was sent, in _repeat_or_fail.
        for call in self._waiting:
            call.expire("the store connection is closed")
        self._waiting.clear()

    def reconnect(self) -> None:
        """Connect anew, by name, as soon as what was sent is answered.

        Nothing is done when that has just happened: a name may still lead to the same server.
        """
        if self._transport is not None and self._loop.time() > self._reconnect_from_s:
            self._log(logging.WARNING, "the server takes no writes, as a replica; the connection is made anew")
            self._former, self._transport = self._transport, None

    @property
    def connected(self) -> bool:
        return self._transport is not None

    def call(self, *parts: str | int | bytes, repeatable: bool) -> "asyncio.Future[Reply]":
        """Send one command. The future gives its reply.

        An error reply is a *result* of type hiredis.ReplyError. `repeatable`: doing it twice is the
        same as doing it once. The future may raise Unavailable or UnknownOutcome.
        """
        packed = hiredis.pack_command(parts)  # type: ignore[arg-type]  # it takes more kinds of parts than we send
        return self._send(_Call(packed, self._loop.create_future(), self._loop.time() + self._deadline_s, repeatable))

    def call_all(self, commands: Sequence[Command]) -> "asyncio.Future[list[Reply | Fault]]":
        """Send several commands, at least one, which are not repeated.

        The future gives for each its reply, or what it raises in `call`. It costs less than as many
        calls. In MAX_IN_FLIGHT they count as one.
        """
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # as in `call`
        deadline = self._loop.time() + self._deadline_s
        return self._send(_Batch(packed, self._loop.create_future(), deadline, count=len(commands)))

    def _send(self, call: _Call) -> "asyncio.Future[Any]":
        """Send it with this turn of the event loop, or when the next reply comes."""
        if self._closed or len(self._waiting) + len(self._sent) >= MAX_IN_FLIGHT:
            call.expire("the store connection is closed" if self._closed else "too many calls are in flight")
            return call.future
        self._waiting.append(call)
        if len(self._waiting) >= FULL_BATCH:
            self._flush()
        elif not self._flush_due and not self._sent and self._transport is not None:
            self._flush_due = True
            self._loop.call_soon(self._flush)
        return call.future

    def _flush(self) -> None:
        self._flush_due = False
        # One that is closing takes no more (uvloop raises), and `_keep` hears of it in a moment.
        if self._transport is None or self._transport.is_closing() or not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        self._sent.extend(batch)
        self.round_trips += 1
        self._transport.write(batch[0].packed if len(batch) == 1 else b"".join([call.packed for call in batch]))

    async def _connect(self) -> AbstractConnection:
        connection = self._make_connection()
        try:
            # Not wait_for: on Python 3.11 it can swallow a cancellation that comes with the result.
            async with asyncio.timeout(self._deadline_s):
                await connection.connect()  # type: ignore[no-untyped-call]
                await self._examine(connection)
        except BaseException as error:
            # redis-py leaves it open when it is cancelled, as by the time-out.
            await connection.disconnect(nowait=True)
            if isinstance(error, (RedisError, OSError, TimeoutError)):
                raise Unavailable(f"the store cannot be reached: {error}") from error
            raise
        return connection

    async def _examine(self, connection: AbstractConnection) -> None:
        """Raise OSError when a connection that was just made leads to the wrong server."""

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _keep(self) -> None:
        """Read replies; when the connection is lost, connect again, for ever."""
        backoff = Backoff(_MIN_BACKOFF_S, _MAX_BACKOFF_S)
        lost_at = 0.0
        while True:
            if self._connection is None:
                await backoff.pause()
                try:
                    self._connection = await self._connect()
                except Exception as error:  # of a defect as well: else there would never be one again
                    why = str(error) or type(error).__name__
                    if why != self.why_away:
                        self._log(logging.WARNING, "%s", why, exc_info=_unless_expected(error))
                    self.why_away = why
                    continue
                self.why_away = ""
                self._log(logging.INFO, "the store is connected again, after %.1f s", self._loop.time() - lost_at)
            try:
                await self._read_until_lost(self._connection)
            except Exception as error:
                lost_at, why = self._loop.time(), str(error) or type(error).__name__
                if self._former is None:
                    self._log(logging.WARNING, "store connection lost: %s", why, exc_info=_unless_expected(error))
            finally:
                # Also on cancellation: nothing may be written to a connection that is not read.
                self._transport = self._former = None
                self._repeat_or_fail()
                await self._disconnect()
            backoff.reset()

    def _log(self, level: int, text: str, *args: object, exc_info: Exception | None = None) -> None:
        if self._logs:
            logger.log(level, text, *args, exc_info=exc_info)

    async def _read_until_lost(self, connection: AbstractConnection) -> None:
        reader, writer = connection._reader, connection._writer
        assert reader is not None
        assert writer is not None
        if reader.at_eof() or writer.is_closing():
            raise EOFError("the server closed the connection")
        replies = _ReplyProtocol(self._on_reply, self._flush, self._on_error, self._loop.create_future())
        writer.transport.set_protocol(replies)
        self._transport = writer.transport
        self._reconnect_from_s = self._loop.time() + _RECONNECT_EVERY_S
        self.connects += 1
        self._flush()
        await replies.lost

    def _on_reply(self, reply: Reply) -> None:
        if not self._sent:
            raise hiredis.ProtocolError("a reply came to no command")
        if self._sent[0].on_reply(reply):
            self._sent.popleft()

    def _on_error(self, text: str) -> None:
        if is_busy(text):
            self._on_slow()
        elif is_of_replica(text):
            self.reconnect()
        if word := refusing_word(text):
            metrics.STORE_REFUSALS.labels(word).inc()

    def _repeat_or_fail(self) -> None:
        """Decide about everything that was not answered."""
        lost, self._sent = self._sent, deque()
        repeat = []
        for call in lost:
            if call.future.done():
                continue
            if call.repeatable and not call.was_lost:
                call.was_lost = True
                repeat.append(call)
            else:
                call.fail(ConnectionLost(_LOST))
        waiting = self._waiting
        if self.hands_back:
            for call in waiting:
                if not call.repeatable:
                    call.expire(_LOST_UNSENT)
            waiting = [call for call in waiting if call.repeatable]
        self._waiting = [*repeat, *waiting]

    def _sweep(self) -> None:
        """End calls whose deadline has passed.

        Deadlines rise along both queues, so the fronts tell.
        """
        now = self._loop.time()
        if self._sent and self._sent[0].deadline - self._deadline_s + SLOW_S < now:
            self._on_slow()
        overdue = 0
        for call in self._sent:
            if call.deadline > now:
                break
            overdue += 1
            call.fail(UnknownOutcome("the store did not answer in time; the call may or may not have been carried out"))
        transport = self._transport or self._former
        if self._former is not None and not self._sent:
            self._former.abort()
        elif overdue and transport is not None and self._sent[0].deadline - self._deadline_s + self._silent_s < now:
            # Closing it makes `_keep` connect again.
            transport.abort()
        expired = 0
        for call in self._waiting:
            if call.deadline > now:
                break
            expired += 1
            call.expire(self.why_away or "the store cannot be reached")
        del self._waiting[:expired]
        self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)


def _unless_expected(error: Exception) -> Exception | None:
    """What a log has to tell of in full: a defect."""
    return None if isinstance(error, (Unavailable, OSError, hiredis.HiredisError, EOFError)) else error

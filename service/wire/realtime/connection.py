"""One socket: how it wants to be spoken to, whose it is, and how it ends."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from engineio import packet as engine
from msgspec import Struct

from service.domain.identity import Session
from service.wire.realtime.backlog import Allowance, Backlog
from service.wire.realtime.encoding import Encoding, Outgoing, as_argument
from service.wire.realtime.frames import Bucket, Wire

AUTHENTICATE_WITHIN_S = 30.0
LINGER_S = 2.0  # between the last packet and cutting the line
LONGEST_TIMER_S = 86_400.0


class Farewell(Struct, frozen=True):
    """Why a connection ends. `final`: the client is told not to come back by itself (Socket.IO DISCONNECT). `at_once`: nothing more
    is sent, because the client would not read it."""

    code: int  # of the websocket close frame
    reason: str
    final: bool = False
    at_once: bool = False


REFUSED = Farewell(1008, "not authenticated", final=True)
INVALID_TOKEN = Farewell(1008, "the token is no longer valid", final=True)
TOO_LATE = Farewell(1008, "not authenticated in time")
VIOLATION = Farewell(1008, "protocol violation")
TOO_SLOW = Farewell(1013, "reads too slowly", at_once=True)
TOO_OFTEN = Farewell(1013, "too many requests")
STATE_LOST = Farewell(1011, "try again")
STOPPING = Farewell(1012, "service restart")
GONE = Farewell(1000, "gone")


class Connection:
    """See the module. `on_end` is called once, when it is decided that the connection ends."""

    def __init__(self, socket: Any, client_key: str, address: str, on_end: Callable[["Connection", Farewell], None]) -> None:
        self._socket = socket  # of python-engineio
        self._backlog: Backlog = socket.queue
        self._backlog.on_full = lambda: self.end(TOO_SLOW)
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(AUTHENTICATE_WITHIN_S, self.end, TOO_LATE)
        # The library's own pings are a task for each connection, which outlives it by up to a whole interval.
        socket.schedule_ping = self._ping_later
        self._pinging: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self.wire: Wire | None = None  # None while it is long-polling
        self.client_key = client_key  # named in the handshake
        self.address = address  # that it was opened from
        self.encoding = Encoding.RAW
        self.session: Session | None = None
        self.since_s = 0.0
        self.ended = False
        self.bucket = Bucket(self._loop.time)
        self.turn = asyncio.Lock()  # what a client says is dealt with in its order

    @property
    def sid(self) -> str:
        return str(self._socket.sid)

    def expect_end(self, seconds_left: float) -> None:
        """The token ends in so many seconds, and the connection with it. Replaces what was expected before."""
        self._timer.cancel()
        if seconds_left <= 0:
            self.end(INVALID_TOKEN)
        else:
            wait_s = min(seconds_left, LONGEST_TIMER_S)  # the loop's timers are not made for years
            self._timer = self._loop.call_later(wait_s, self.expect_end, seconds_left - wait_s)

    def count_towards(self, allowance: Allowance) -> None:
        """What waits for this client is part of what its user may leave waiting."""
        self._backlog.count_towards(allowance)

    def send(self, outgoing: Outgoing) -> None:
        self._backlog.put_nowait(outgoing.packet(self.encoding))

    def acknowledge(self, ack_id: int, payload: bytes, encoding: Encoding) -> None:
        if not self.ended:
            self._backlog.put_nowait(engine.Packet(engine.MESSAGE, f"3{ack_id}[{as_argument(payload, encoding)}]"))

    def end(self, farewell: Farewell) -> None:
        """Send what waits, then say goodbye and close. Returns at once; doing it twice is the same as once."""
        if self.ended:
            return
        self.ended = True
        self._timer.cancel()
        self._on_end(self, farewell)
        if farewell.final:
            self._backlog.put_nowait(engine.Packet(engine.MESSAGE, "1"))
        if self.wire is None:
            # A final goodbye makes the client close by itself. A close packet in the same answer would, in some clients, overtake
            # the ack that says why.
            if not farewell.final:
                self._backlog.put_nowait(engine.Packet(engine.CLOSE))
            self._timer = self._loop.call_later(LINGER_S, self._close_polling)
        elif farewell.at_once:
            self.wire.abort()
        else:
            self.wire.part(farewell.code, farewell.reason)
            self._backlog.put_nowait(None)
            self._timer = self._loop.call_later(LINGER_S, self.wire.abort)

    def gone(self) -> None:
        """The transport is no more."""
        self.end(GONE)
        self._backlog.on_full = self._socket.schedule_ping = _nobody
        self._backlog.count_towards(None)
        if self._pinging is not None:
            self._pinging.cancel()

    def _ping_later(self) -> None:
        """The client has come, or has answered the last ping: one ping is awaited at a time."""
        if self._socket.last_ping:
            self._socket.last_ping = None
            self._pinging = self._loop.call_later(self._socket.server.ping_interval, self._ping)

    def _ping(self) -> None:
        self._socket.last_ping = time.time()
        self._backlog.put_nowait(engine.Packet(engine.PING))

    def _close_polling(self) -> None:
        self._closing = asyncio.ensure_future(self._leave_polling())

    async def _leave_polling(self) -> None:
        await self._socket.close(wait=False)
        self._socket.server.sockets.pop(self.sid, None)  # the library would look for it now and then, and keep it until then


def _nobody() -> None:
    pass

"""The connections of this worker, and the Engine.IO and Socket.IO protocol on each of them.

A packet is processed before the next one is read. So a client that sends much is slowed down by
not being read, and nothing that it sends is lost. Each transport (websocket, polling) passes the
packets to `receive` one by one.
"""

import asyncio
import contextlib
import logging
import secrets
from itertools import islice
from typing import Any, Protocol

import msgspec

from readstate import metrics
from readstate.dialects.http.client_address import AddressCounts
from readstate.dialects.imkit.reply import Failure
from readstate.dialects.imkit.sockets import packets
from readstate.dialects.imkit.sockets.connection import (
    AUTH_TIMEOUT,
    CLIENT_LEFT,
    PING_TIMEOUT,
    SLOW_CLIENT,
    CloseReason,
    Connection,
    Transport,
)
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.packets import ClientPacket, PacketRate, ProtocolError, decode_packet
from readstate.dialects.imkit.sockets.send_queue import QueueBudgets
from readstate.dialects.imkit.sockets.session_ids import new_session_id
from readstate.dialects.imkit.sockets.timers import Timeouts
from readstate.dialects.imkit.sockets.turns import PacedTasks
from readstate.domain.limits import MAX_BODY_BYTES

logger = logging.getLogger(__name__)

AUTHENTICATE_WITHIN_S = 30.0
CLOCK_EVERY = 32  # connections flushed between two looks at the clock
FLUSH_S = 0.005  # of one turn of the event loop, so that other work does not wait longer
LINGER_S = 2.0  # between the last packet and aborting the transport

_failure = msgspec.json.Decoder(Failure).decode


class ProtocolHandler(Protocol):
    """Acts on what clients send. No method raises because of it."""

    async def on_connect(self, connection: Connection, auth: dict[str, Any]) -> tuple[bytes, CloseReason | None]:
        """The client has sent a token when it connected.

        Returns what `auth2` would answer, and why to close, if so.
        """

    async def on_client_event(self, connection: Connection, packet: ClientPacket) -> None: ...
    def on_closing(self, connection: Connection) -> None: ...


class Connections:
    """All connections. To be made inside the running loop.

    `addresses` counts the connections of each address. Times are in seconds.
    """

    def __init__(
        self, handler: ProtocolHandler, addresses: AddressCounts, *, ping_interval_s: float, ping_timeout_s: float
    ) -> None:
        self._handler = handler
        self._addresses = addresses
        self._loop = asyncio.get_running_loop()
        self._open: dict[str, Connection] = {}
        self._none_open = asyncio.Event()
        self._to_flush: dict[Connection, None] = {}
        self._flush_is_due = False
        self._budgets = QueueBudgets()
        self.pings = Timeouts(ping_interval_s, Connection.send_ping)
        self.pongs: Timeouts[Connection] = Timeouts(ping_timeout_s, lambda late: self.close_now(late, PING_TIMEOUT))
        self.auth_deadlines: Timeouts[Connection] = Timeouts(
            AUTHENTICATE_WITHIN_S, lambda late: late.close(AUTH_TIMEOUT)
        )
        self.processing = PacedTasks()  # packets that take time
        self.lingers: Timeouts[Connection] = Timeouts(LINGER_S, lambda closing: closing.transport.abort())

    # From the handshake to the end

    def get(self, sid: str) -> Connection | None:
        """The connection with this Engine.IO session id."""
        return self._open.get(sid)

    def all(self) -> list[Connection]:
        """All connections that are open or closing."""
        return list(self._open.values())

    def open(
        self, transport: Transport, upgrades: list[str], *, worker: int, client_key: str, address: str
    ) -> Connection:
        """Open a connection and send its handshake.

        `upgrades`: the transports that it may move to. `worker`: the number of this worker.
        """
        sid = new_session_id(worker)
        connection = Connection(
            sid,
            transport,
            host=self,
            budgets=self._budgets,
            rate=PacketRate(self._loop.time),
            client_key=client_key,
            address=address,
        )
        self._open[sid] = connection
        self._none_open.clear()
        self._addresses.hold(address)
        metrics.OPEN_SOCKETS.inc()
        self.auth_deadlines.start(connection)
        self.pings.start(connection)
        handshake = {
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": int(self.pings.after_s * 1000),
            "pingTimeout": int(self.pongs.after_s * 1000),
            "maxPayload": MAX_BODY_BYTES,
        }
        connection.send_text(packets.OPEN + encode_json(handshake).decode())
        return connection

    def close_now(self, connection: Connection, reason: CloseReason) -> None:
        """Close it without delay.

        A long-polling client learns of it only while it has a GET waiting.
        """
        connection.close(reason)
        connection.flush()
        if connection.transport.has_close_packet:
            connection.transport.abort()

    def close_all_now(self, reason: CloseReason) -> None:
        """Close all connections without delay."""
        for connection in self.all():
            self.close_now(connection, reason)

    def remove(self, connection: Connection) -> None:
        """Its transport is closed. A second call does nothing."""
        if self._open.pop(connection.sid, None) is None:
            return
        connection.on_transport_closed()
        for timeouts in (self.pings, self.pongs, self.auth_deadlines, self.lingers):
            timeouts.cancel(connection)
        metrics.OPEN_SOCKETS.dec()
        self._addresses.release(connection.address)
        if not self._open:
            self._none_open.set()

    async def wait_until_none(self, within_s: float) -> None:
        """Return when no connection is open and no packet is processed any more, at the latest
        after `within_s`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._open or self.processing:
                    if self._open:
                        await self._none_open.wait()
                    if self.processing:
                        await asyncio.wait(self.processing)

    def stop(self) -> None:
        """Stop all timers."""
        for timeouts in (self.pings, self.pongs, self.auth_deadlines, self.lingers):
            timeouts.stop()

    # What a connection reports (`connection.ConnectionHost`)

    def flush_soon(self, connection: Connection) -> None:
        """Flush it at the end of this turn of the event loop: one write for several packets."""
        self._to_flush[connection] = None
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def on_ping_sent(self, connection: Connection) -> None:
        """Wait for the pong, and then for the next ping."""
        self.pongs.start(connection)
        self.pings.start(connection)

    def on_authenticated(self, connection: Connection) -> None:
        """It has authenticated in time."""
        self.auth_deadlines.cancel(connection)

    def on_closing(self, connection: Connection, reason: CloseReason) -> None:
        """It is being closed."""
        self.auth_deadlines.cancel(connection)
        if reason is SLOW_CLIENT:
            metrics.NOTICES_DROPPED.labels("slow").inc()
        logger.debug("connection ends: %s", reason.reason)
        self._handler.on_closing(connection)
        if not reason.at_once:
            self.lingers.start(connection)

    def _flush(self) -> None:
        connections, self._to_flush = self._to_flush, {}
        self._flush_is_due = False
        ends_s = self._loop.time() + FLUSH_S
        for number, connection in enumerate(connections, 1):
            connection.flush()
            if number % CLOCK_EVERY == 0 and self._loop.time() > ends_s:
                for later in islice(connections, number, None):
                    self.flush_soon(later)
                break

    # What clients send

    def receive_at_once(self, connection: Connection, text: str) -> bool:
        """Process the packet that comes most often, a pong. Returns False for others: `receive` has
        to process them.
        """
        if text != packets.PONG or connection.is_closing or not connection.rate.has_room():
            return False
        connection.rate.reserve()
        self.pongs.cancel(connection)
        return True

    async def receive(self, connection: Connection, text: str) -> bool:
        """Process one Engine.IO packet. Returns False when the client closes the connection by it.

        Packets to a closing connection are ignored. Raises ProtocolError.
        """
        if not connection.is_closing:
            await _wait_turn(connection)
        if connection.is_closing:
            return True
        packet_type = text[:1]
        if packet_type != packets.MESSAGE and text not in (packets.PONG, packets.CLOSE):
            raise ProtocolError("not a packet that a client sends")
        self.pongs.cancel(connection)  # any packet shows that the client is there
        if packet_type == packets.MESSAGE:
            await self._receive_message(connection, decode_packet(text[1:]))
        return packet_type != packets.CLOSE

    async def slow_down(self, connection: Connection) -> None:
        """Delay a request that carries no packets but costs as much.

        Too many of them close the connection.
        """
        try:
            await _wait_turn(connection)
        except ProtocolError as error:
            self.close_now(connection, CloseReason(packets.POLICY_VIOLATION, str(error)))

    async def _receive_message(self, connection: Connection, packet: ClientPacket) -> None:
        if packet.namespace != packets.MAIN_NAMESPACE:
            if packet.type == packets.CONNECT:
                connection.send_text(
                    f'{packets.MESSAGE}{packets.CONNECT_ERROR}{packet.namespace},{{"message":"Invalid namespace"}}'
                )
        elif packet.type == packets.CONNECT:
            await self._connect(connection, packet.data or {})
        elif packet.type == packets.DISCONNECT:
            connection.close(CLIENT_LEFT)  # there is no other namespace
        elif packet.type == packets.EVENT and connection.is_connected:
            await self._handler.on_client_event(connection, packet)

    async def _connect(self, connection: Connection, auth: dict[str, Any]) -> None:
        if connection.is_connected:
            return
        if auth.get("token") is not None:
            answer, reason = await self._handler.on_connect(connection, auth)
            if reason is not None and not reason.final:
                connection.close(reason)
                return
            if reason is not None:
                # Left open: the client may try another token. If it were closed, some clients would
                # reconnect with the same token for ever.
                error = {"message": _failure(answer).error.message, "data": msgspec.Raw(answer)}
                connection.send_text(packets.MESSAGE + packets.CONNECT_ERROR + encode_json(error).decode())
                return
        connection.is_connected = True
        connection.send_text(
            packets.MESSAGE + packets.CONNECT + encode_json({"sid": secrets.token_urlsafe(15)}).decode()
        )


async def _wait_turn(connection: Connection) -> None:
    if wait_s := connection.rate.reserve():
        await asyncio.sleep(wait_s)

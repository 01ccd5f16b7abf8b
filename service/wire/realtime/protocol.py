"""python-socketio as what turns frames into packets and keeps the connection alive (handshake, heartbeat, upgrade); nothing more.

Its client manager, handlers and emits are not used: who hears what is in `audience`, and packets go straight into each backlog.
This file leans on inner methods of python-socketio and python-engineio, which is why their versions are pinned.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import engineio
import socketio
from engineio.exceptions import QueueEmpty
from socketio import packet as packets

from service.domain.limits import MAX_BODY_BYTES
from service.wire.realtime.backlog import Backlog
from service.wire.realtime.connection import GONE, VIOLATION, Connection
from service.wire.realtime.encoding import dump_json, load_json
from service.wire.realtime.frames import Wire

# At info it would tell of every packet, tokens included. Its warnings are about what clients do, of which there is no end.
_logger = logging.getLogger("service.wire.realtime.protocol")
_logger.setLevel(logging.ERROR)


class Speaker(Protocol):
    """Who deals with connections and with what clients say."""

    def opened(self, socket: Any, environ: dict[str, Any]) -> Connection: ...
    def closed(self, connection: Connection) -> None: ...
    async def said(self, connection: Connection, event: str, args: list[Any], ack_id: int | None) -> None: ...


class _Json:
    loads = staticmethod(load_json)
    dumps = staticmethod(dump_json)


class _Packet(packets.Packet):  # type: ignore[misc]
    """A Socket.IO packet without binary parts; anything else is a ValueError."""

    uses_binary_events = False
    json = _Json

    def decode(self, encoded_packet: Any) -> int:
        if not isinstance(encoded_packet, str):
            raise ValueError("not text")
        if super().decode(encoded_packet):
            raise ValueError("binary attachments are not spoken here")
        if self.packet_type == packets.EVENT and not _is_event(self.data):
            raise ValueError("not an event")
        return 0


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


class _Manager(socketio.AsyncManager):  # type: ignore[misc]
    """The list of connected clients. The original looks through all of them when one goes."""

    def basic_disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        for room in (None, sid):
            self.basic_leave_room(sid, namespace, room)
        for pending in (self.pending_connect, self.pending_disconnect):
            waiting = pending.get(namespace, [])
            if sid in waiting:
                waiting.remove(sid)
                if not waiting:
                    del pending[namespace]


class _Engine(engineio.AsyncServer):  # type: ignore[misc]
    headers = ""  # what pages may send

    def create_queue(self, *_: Any, **__: Any) -> Backlog:
        return Backlog()

    def _log_error_once(self, message: str, message_key: str) -> None:
        # Whatever a client sends is the client's affair.
        self.logger.debug(message)

    def _cors_headers(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        """As for all other calls: the library would let pages send whatever headers they ask for."""
        asked = "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"
        headers: list[tuple[str, str]] = super()._cors_headers({name: value for name, value in environ.items() if name != asked})
        return [*headers, ("Access-Control-Allow-Headers", self.headers)] if asked in environ else headers


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """The server of namespace "/". `transports`: "websocket" and perhaps "polling". Times in seconds.

    Pages of `origins` may send `headers`, and no cookies.
    """

    def __init__(
        self,
        speaker: Speaker,
        *,
        ping_interval: int,
        ping_timeout: int,
        origins: str | list[str],
        headers: Iterable[str],
        transports: list[str],
    ) -> None:
        super().__init__(
            client_manager=_Manager(),
            serializer=_Packet,
            logger=_logger,
            engineio_logger=_logger,
            async_mode="asgi",
            async_handlers=False,
            always_connect=True,
            namespaces=["/"],
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_http_buffer_size=MAX_BODY_BYTES,
            cors_allowed_origins=origins,
            cors_credentials=False,
            transports=transports,
        )
        self.eio.headers = ", ".join(headers)
        self._speaker = speaker
        self._connections: dict[str, Connection] = {}

    def connection(self, sid: str) -> Connection | None:
        """The connection of an Engine.IO session."""
        return self._connections.get(sid)

    def connections(self) -> list[Connection]:
        return list(self._connections.values())

    async def settle(self, wire: Wire) -> None:
        """The websocket is done: its session too, unless this was an upgrade that failed and the session goes on polling."""
        connection = self._connections.get(wire.sid)
        if connection is None or connection.wire is not wire:
            return
        socket = self.eio.sockets.get(wire.sid)
        if socket is None or socket.upgraded:
            await self._handle_eio_disconnect(wire.sid, self.reason.TRANSPORT_CLOSE)
        else:
            connection.wire = None

    # What python-socketio calls

    def _engineio_server_class(self) -> Callable[..., Any]:
        return _Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        socket = self.eio.sockets[eio_sid]
        self._connections[eio_sid] = connection = self._speaker.opened(socket, environ)
        # The library's own makes a task for each look at the queue (before Python 3.12), a third of the cost of a delivery, and takes
        # all that waits. Its time-out is of no use to a websocket: whatever ends the connection ends the backlog.
        socket.poll = socket.queue.take if connection.wire is not None else self._patiently(socket.queue)
        self.environ[eio_sid] = {}  # the library keeps one per connection; nothing of it is needed

    def _patiently(self, backlog: Backlog) -> Callable[[], Awaitable[list[Any]]]:
        """How a long-polling request waits: until a ping must have come."""
        patience_s = self.eio.ping_interval + self.eio.ping_timeout

        async def take() -> list[Any]:
            try:
                async with asyncio.timeout(patience_s):
                    return await backlog.take()
            except TimeoutError:
                raise QueueEmpty from None

        return take

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        connection = self._connections.pop(eio_sid, None)
        if connection is not None:
            connection.gone()
            self._speaker.closed(connection)
        await super()._handle_eio_disconnect(eio_sid, reason)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        connection = self._connections.get(eio_sid)
        if connection is None:
            return
        async with connection.turn:
            if connection.ended:
                return
            try:
                packet = self.packet_class(encoded_packet=data)
            except ValueError:
                connection.end(VIOLATION)
                return
            await self._handle_packet(eio_sid, connection, packet)

    async def _handle_packet(self, eio_sid: str, connection: Connection, packet: _Packet) -> None:
        if packet.packet_type == packets.CONNECT:
            await self._handle_connect(eio_sid, packet.namespace, None)
        elif packet.packet_type == packets.DISCONNECT:
            connection.end(GONE)  # with its only namespace a client leaves altogether
        elif packet.packet_type == packets.EVENT and self._is_connected(eio_sid, packet.namespace):
            await self._speaker.said(connection, packet.data[0], packet.data[1:], packet.id)

    def _is_connected(self, eio_sid: str, namespace: str | None) -> bool:
        return namespace in (None, "/") and self.manager.is_connected(self.manager.sid_from_eio_sid(eio_sid, "/"), "/")

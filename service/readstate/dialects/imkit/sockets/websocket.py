"""The websocket transport: from the start of a connection, or after an upgrade from long-polling.

With ASGI's `send`, each socket would encode what all of them receive, and the writes would wait for
one another. So the worker's own protocol (`process/websocket_protocol.py`) takes finished
frames and hands on messages; it is the scope's extension FRAMES. A server without it cannot offer
websockets.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from readstate.dialects.http.frame_writer import FrameWriter
from readstate.dialects.imkit.sockets import packets
from readstate.dialects.imkit.sockets.connection import CLIENT_LEFT, STATE_LOST, CloseReason, Connection
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.polling import PollingTransport, Receive

logger = logging.getLogger(__name__)

UPGRADE_WITHIN_S = 10.0

_PROBE_REPLY = packets.Packet(packets.PROBE_REPLY)


class WebSocketTransport:
    """`connection.Transport` over a websocket, and the `MessageHandler` of its connection."""

    __slots__ = ("_connection", "_connections", "_writer")
    has_close_packet: ClassVar[bool] = False

    def __init__(self, connections: Connections, writer: FrameWriter) -> None:
        self._connections = connections
        self._writer = writer

    def attach(self, connection: Connection) -> None:
        """Process what comes over the websocket, until it is closed; then remove the connection."""
        self._connection = connection
        self._writer.attach(self)

    # connection.Transport

    def is_writable(self) -> bool:
        return self._writer.is_writable()

    def send(self, packets: Sequence[packets.Packet]) -> None:
        if len(packets) == 1:
            self._writer.write_frames(packets[0].frame)
        else:
            self._writer.write_frames(b"".join([packet.frame for packet in packets]))

    def direct_writer(self) -> Callable[[bytes], object] | None:
        return self._writer.direct_writer()

    def close(self, code: int, reason: str) -> None:
        self._writer.start_close(code, reason)

    def abort(self) -> None:
        self._writer.abort()

    # MessageHandler

    def on_message(self, text: str | None) -> bool:
        if text is not None and self._connections.receive_at_once(self._connection, text):
            return False
        self._connections.processing.start_in_turn(partial(self._process, self._connection, text))
        return True

    def on_writable(self) -> None:
        self._connection.flush()

    def on_unwritable(self) -> None:
        self._connection.on_unwritable()

    def on_closed(self) -> None:
        self._connections.remove(self._connection)
        del self._connection  # a cycle of references

    async def _process(self, connection: Connection, text: str | None) -> None:
        try:
            if text is None and not connection.is_closing:
                raise packets.ProtocolError("binary frames are not spoken here")
            if not await self._connections.receive(connection, text or ""):
                connection.close(CLIENT_LEFT)
        except packets.ProtocolError as error:
            connection.close(CloseReason(packets.POLICY_VIOLATION, str(error)))
        except Exception:
            logger.exception("a websocket failed")
            connection.close(STATE_LOST)
        # After the flush of this turn: behind it the client may have sent that it leaves.
        asyncio.get_running_loop().call_soon(self._writer.go_on)


async def upgrade(connections: Connections, writer: FrameWriter, receive: Receive, connection: Connection) -> None:
    """Move a connection from long-polling to an accepted websocket, if the client completes it.

    Until it is complete, queued packets are sent by long-polling; none is sent twice. See
    engine.io-protocol, "Upgrade".
    """
    polling, websocket = connection.transport, WebSocketTransport(connections, writer)
    if not isinstance(polling, PollingTransport) or polling.is_upgrading:
        writer.start_close(packets.POLICY_VIOLATION, "the session has a websocket")
        return
    polling.is_upgrading = True
    try:
        completes = await _probe(polling, websocket, receive)
    finally:
        polling.is_upgrading = polling.is_probed = False
    if not completes or connection.is_closing or polling.is_posting:
        writer.start_close(packets.POLICY_VIOLATION, "no upgrade")
        return
    connection.transport = websocket
    polling.release()
    connection.flush()
    websocket.attach(connection)


async def _probe(polling: PollingTransport, websocket: WebSocketTransport, receive: Receive) -> bool:
    """Whether the client probes the websocket and then asks for the upgrade, in time."""
    try:
        async with asyncio.timeout(UPGRADE_WITHIN_S):
            if (await receive()).get("text") != packets.PROBE:
                return False
            websocket.send([_PROBE_REPLY])
            polling.is_probed = True
            polling.release()
            return (await receive()).get("text") == packets.UPGRADE
    except TimeoutError:
        return False

"""The websocket transport: from the start of a connection, or after an upgrade from long-polling.

With ASGI's `send`, each socket would encode what all of them receive, and the writes would wait for
one another. So the worker's own protocol (`readstate.process.http_protocol`) accepts finished
frames; it is the scope's extension FRAMES. A server without it cannot offer websockets.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

from readstate.dialects.http.frame_writer import FrameWriter
from readstate.dialects.imkit.sockets import packets
from readstate.dialects.imkit.sockets.connection import CLIENT_LEFT, STATE_LOST, CloseReason, Connection
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.polling import Message, PollingTransport, Receive

logger = logging.getLogger(__name__)

UPGRADE_WITHIN_S = 10.0

_PROBE_REPLY = packets.Packet(packets.PROBE_REPLY)


class WebSocketTransport:
    """`connection.Transport` over a websocket."""

    __slots__ = ("_writer",)
    has_close_packet: ClassVar[bool] = False

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer

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


async def serve(connections: Connections, writer: FrameWriter, receive: Receive, connection: Connection) -> None:
    """Process what comes over an accepted websocket until it is closed.

    Then the connection is removed.
    """
    writer.on_writable, writer.on_unwritable = connection.flush, connection.on_unwritable
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            await _receive(connections, message, connection)
    except Exception:
        logger.exception("a websocket failed")
        connection.close(STATE_LOST)
        connection.flush()
    finally:
        writer.on_writable = writer.on_unwritable = lambda: None
        connections.remove(connection)


async def _receive(connections: Connections, message: Message, connection: Connection) -> None:
    try:
        text = message.get("text")
        if text is None and not connection.is_closing:
            raise packets.ProtocolError("binary frames are not spoken here")
        if not await connections.receive(connection, text or ""):
            connection.close(CLIENT_LEFT)
    except packets.ProtocolError as error:
        connection.close(CloseReason(packets.POLICY_VIOLATION, str(error)))


async def upgrade(writer: FrameWriter, receive: Receive, connection: Connection) -> bool:
    """Move a connection from long-polling to an accepted websocket.

    Returns False when the client does not complete it.

    Until it is complete, queued packets are sent by long-polling; none is sent twice. See
    engine.io-protocol, "Upgrade".
    """
    polling, websocket = connection.transport, WebSocketTransport(writer)
    if not isinstance(polling, PollingTransport) or polling.is_upgrading:
        writer.start_close(packets.POLICY_VIOLATION, "the session has a websocket")
        return False
    polling.is_upgrading = True
    try:
        completes = await _probe(polling, websocket, receive)
    finally:
        polling.is_upgrading = polling.is_probed = False
    if not completes or connection.is_closing or polling.is_posting:
        writer.start_close(packets.POLICY_VIOLATION, "no upgrade")
        return False
    connection.transport = websocket
    polling.release()
    connection.flush()
    return True


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

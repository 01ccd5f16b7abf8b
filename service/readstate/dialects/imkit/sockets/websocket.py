"""A websocket: a session of its own, or a long-polling session that moves to it.

ASGI's `send` would have every socket encode what all of them get, and wait one by one. So the worker's own protocol
(`readstate.process.websocket_protocol`) takes finished frames, by the name FRAMES among the extensions of the scope. A server without
it cannot offer websockets.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from readstate.dialects.imkit.sockets.connection import GONE, STATE_LOST, Connection, Farewell
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.packets import POLICY_VIOLATION, PROBE, PROBED, UPGRADE, Packet, Violation
from readstate.dialects.imkit.sockets.polling import PollingLine, Receive

logger = logging.getLogger(__name__)

FRAMES = "readstate.frames"
UPGRADE_WITHIN_S = 10.0

_PROBED = Packet(PROBED)


class Pipe(Protocol):
    """What the server offers under FRAMES."""

    on_writable: Callable[[], None]

    def is_writable(self) -> bool: ...
    def write_frames(self, frames: bytes) -> None: ...
    def say_goodbye(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


class WebSocketLine:
    """See `connection.Line`."""

    __slots__ = ("_pipe",)
    says_close: ClassVar[bool] = False

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def is_ready(self) -> bool:
        return self._pipe.is_writable()

    def send(self, packets: Sequence[Packet]) -> None:
        frames = [packet.frame for packet in packets]
        self._pipe.write_frames(frames[0] if len(frames) == 1 else b"".join(frames))

    def close(self, code: int, reason: str) -> None:
        self._pipe.say_goodbye(code, reason)

    def cut(self) -> None:
        self._pipe.abort()


async def serve(connections: Connections, pipe: Pipe, receive: Receive, connection: Connection) -> None:
    """Deal with what comes on a websocket that was accepted, until it is closed. The connection ends with it."""
    pipe.on_writable = connection.flush
    try:
        await _hear(connections, receive, connection)
    except Exception:
        logger.exception("a websocket failed")
        connection.end(STATE_LOST)
        connection.flush()
    finally:
        pipe.on_writable = _nobody
        connections.gone(connection)


async def _hear(connections: Connections, receive: Receive, connection: Connection) -> None:
    while (event := await receive())["type"] != "websocket.disconnect":
        try:
            text = event.get("text")
            if text is None and not connection.ended:
                raise Violation("binary frames are not spoken here")
            if not await connections.hear(connection, text or ""):
                connection.end(GONE)
        except Violation as violation:
            connection.end(Farewell(POLICY_VIOLATION, str(violation)))


async def upgrade(pipe: Pipe, receive: Receive, connection: Connection) -> bool:
    """Move a long-polling session to a websocket that was accepted; False when the client does not want it after all.

    What waits meanwhile is told by long-polling; nothing is told twice. See engine.io-protocol, "Upgrade".
    """
    polling, line = connection.line, WebSocketLine(pipe)
    if not isinstance(polling, PollingLine) or polling.is_moving:
        pipe.say_goodbye(POLICY_VIOLATION, "the session has a websocket")
        return False
    polling.is_moving = True
    try:
        moves = await _probe(polling, line, receive)
    finally:
        polling.is_moving = polling.is_probed = False
    if not moves or connection.ended or polling.is_posting:
        pipe.say_goodbye(POLICY_VIOLATION, "no upgrade")
        return False
    connection.line = line
    polling.release()
    connection.flush()
    return True


async def _probe(polling: PollingLine, line: WebSocketLine, receive: Receive) -> bool:
    """Whether the client says what it has to say, in time."""
    try:
        async with asyncio.timeout(UPGRADE_WITHIN_S):
            if (await receive()).get("text") != PROBE:
                return False
            line.send([_PROBED])
            polling.is_probed = True
            polling.release()
            return (await receive()).get("text") == UPGRADE
    except TimeoutError:
        return False


def _nobody() -> None:
    pass

"""The connections of this worker: what a client says reaches them here, in its order, and what they share.

A packet is dealt with before the next one is looked at, so a client that says much is slowed by not being read, and
nothing of it is lost. Whatever carries the packets (websocket, polling) gives them to `hear` one by one.
"""

import asyncio
import secrets
from typing import Any, Protocol

import msgspec

from readstate.dialects.imkit.reply import Failure
from readstate.dialects.imkit.sockets.backlog import Allowances
from readstate.dialects.imkit.sockets.connection import GONE, SILENT, TOO_LATE, Connection, Farewell, Line
from readstate.dialects.imkit.sockets.delay import Delay
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.packets import (
    CLOSE,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    MAIN,
    MESSAGE,
    OPEN,
    POLICY_VIOLATION,
    PONG,
    Bucket,
    Said,
    Violation,
    understand,
)
from readstate.domain.limits import MAX_BODY_BYTES

AUTHENTICATE_WITHIN_S = 30.0
LINGER_S = 2.0  # between the last packet and cutting the line

_failure = msgspec.json.Decoder(Failure).decode


class Speaker(Protocol):
    """Who deals with connections and with what clients say. Nothing of it raises for what a client said."""

    def closed(self, connection: Connection) -> None: ...
    def ends(self, connection: Connection, farewell: Farewell) -> None: ...
    async def introduced(self, connection: Connection, auth: dict[str, Any]) -> tuple[bytes, Farewell | None]:
        """The handshake named a token: what `auth2` would answer to it, and why the connection would end, if so."""

    async def said(self, connection: Connection, said: Said) -> None: ...


class Connections:
    """See the module. To be made inside the running loop. Times in seconds."""

    def __init__(self, speaker: Speaker, *, ping_interval_s: float, ping_timeout_s: float) -> None:
        self._speaker = speaker
        self._loop = asyncio.get_running_loop()
        self._open: dict[str, Connection] = {}
        self._to_flush: dict[Connection, None] = {}
        self.allowances = Allowances()
        self.pings = Delay(ping_interval_s, Connection.ping)
        self.pongs: Delay[Connection] = Delay(ping_timeout_s, lambda connection: self.end_now(connection, SILENT))
        self.deadlines: Delay[Connection] = Delay(AUTHENTICATE_WITHIN_S, lambda connection: connection.end(TOO_LATE))
        self.lingers: Delay[Connection] = Delay(LINGER_S, lambda connection: connection.line.cut())

    def get(self, sid: str) -> Connection | None:
        """The connection of an Engine.IO session."""
        return self._open.get(sid)

    def all(self) -> list[Connection]:
        return list(self._open.values())

    def open(self, line: Line, upgrades: list[str], *, client_key: str, address: str) -> Connection:
        """A session begins, with the packet that opens it. `upgrades`: the transports that it may move to."""
        sid = secrets.token_urlsafe(15)
        connection = Connection(sid, self, line, Bucket(self._loop.time), client_key=client_key, address=address)
        self._open[sid] = connection
        self.deadlines.put(connection)
        self.pings.put(connection)
        facts = {
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": int(self.pings.after_s * 1000),
            "pingTimeout": int(self.pongs.after_s * 1000),
            "maxPayload": MAX_BODY_BYTES,
        }
        connection.tell(OPEN + encode_json(facts).decode())
        return connection

    def end_now(self, connection: Connection, farewell: Farewell) -> None:
        """End it; a long-polling client hears of that only when a request of it waits."""
        connection.end(farewell)
        connection.flush()
        if connection.line.says_close:
            connection.line.cut()

    def gone(self, connection: Connection) -> None:
        """Its line is no more. Doing it twice is the same as once."""
        if self._open.pop(connection.sid, None) is None:
            return
        connection.gone()
        for delay in (self.pings, self.pongs, self.deadlines, self.lingers):
            delay.drop(connection)
        self._speaker.closed(connection)

    def stop(self) -> None:
        """Nothing is done later any more."""
        for delay in (self.pings, self.pongs, self.deadlines, self.lingers):
            delay.stop()

    # What connections share

    def flush_soon(self, connection: Connection) -> None:
        """Before the turn ends, so that several packets go out in one write."""
        if not self._to_flush:
            self._loop.call_soon(self._flush)
        self._to_flush[connection] = None

    def pinged(self, connection: Connection) -> None:
        self.pongs.put(connection)
        self.pings.put(connection)

    def ends(self, connection: Connection, farewell: Farewell) -> None:
        self.deadlines.drop(connection)
        self._speaker.ends(connection, farewell)

    def _flush(self) -> None:
        connections, self._to_flush = self._to_flush, {}
        for connection in connections:
            connection.flush()

    # What clients say

    async def hear(self, connection: Connection, text: str) -> bool:
        """Deal with one Engine.IO packet; False when the client takes its leave by it. Raises Violation.

        A connection that has ended is not heard any more.
        """
        if not connection.ended:
            await _wait_turn(connection)
        if connection.ended:
            return True
        kind = text[:1]
        if kind != MESSAGE and text not in (PONG, CLOSE):
            raise Violation("not a packet that a client sends")
        self.pongs.drop(connection)  # whatever it says, it is there
        if kind == MESSAGE:
            await self._hear_message(connection, understand(text[1:]))
        return kind != CLOSE

    async def slow_down(self, connection: Connection) -> None:
        """What is no packet, and costs as much, waits for its turn as packets do; too much of it ends the connection."""
        try:
            await _wait_turn(connection)
        except Violation as violation:
            self.end_now(connection, Farewell(POLICY_VIOLATION, str(violation)))

    async def _hear_message(self, connection: Connection, said: Said) -> None:
        if said.namespace != MAIN:
            if said.kind == CONNECT:
                connection.tell(f'{MESSAGE}{CONNECT_ERROR}{said.namespace},{{"message":"Invalid namespace"}}')
        elif said.kind == CONNECT:
            await self._connect(connection, said.data or {})
        elif said.kind == DISCONNECT:
            connection.end(GONE)  # with its only namespace a client leaves altogether
        elif said.kind == EVENT and connection.is_connected:
            await self._speaker.said(connection, said)

    async def _connect(self, connection: Connection, auth: dict[str, Any]) -> None:
        if connection.is_connected:
            return
        if auth.get("token") is not None:
            answer, farewell = await self._speaker.introduced(connection, auth)
            if farewell is not None and not farewell.final:
                connection.end(farewell)
                return
            if farewell is not None:
                # Not closed: a client may try another token, and some would come back with this one again and again.
                error = {"message": _failure(answer).error.message, "data": msgspec.Raw(answer)}
                connection.tell(MESSAGE + CONNECT_ERROR + encode_json(error).decode())
                return
        connection.is_connected = True
        connection.tell(MESSAGE + CONNECT + encode_json({"sid": secrets.token_urlsafe(15)}).decode())


async def _wait_turn(connection: Connection) -> None:
    if wait_s := connection.bucket.take():
        await asyncio.sleep(wait_s)

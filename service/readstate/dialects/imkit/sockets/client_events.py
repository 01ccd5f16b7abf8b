"""The events that clients send, and their acks (docs.imkit.io, Socket Connection, Socket Events).

    conf          {encoding: "base64"}               before or after auth2; the last one counts
    auth2, auth   token, extra                       any number of times
    chat message  {room, messageType, message, ...}  as POST /rooms/:id/message
    lastRead      {room, message}                    as PUT /rooms/:id/lastRead
    sync          {since, limit}                     as GET /me/readState
    watch         {rooms}                            `lastRead` of other rooms is not wanted

The `extra` of auth2 may hold a client key. Other events are ignored: some clients send a `pong`
event of their own. An ack has exactly one argument, and is sent only when the client asks for it.
The acks of the last four are plain objects, also after `conf`.

The token may also come in the handshake (`auth: {token}`). Until the connection is authenticated,
events that need a user are held, in order: Socket.IO's clients send what was emitted offline before
they tell their program that they are connected.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from readstate.dialects.access import costs
from readstate.dialects.base import Services
from readstate.dialects.imkit.errors import INVALID_TOKEN, RATE_LIMIT_EXCEEDED
from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.reply import Problem, ok
from readstate.dialects.imkit.sockets.auth import SocketAuthenticator
from readstate.dialects.imkit.sockets.connection import CloseReason, Connection
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.http_calls import HttpCall
from readstate.dialects.imkit.sockets.packets import ClientPacket, decode_packet
from readstate.dialects.imkit.sockets.turns import FairTurns
from readstate.domain.limits import MAX_ID_BYTES, MAX_WATCHED
from readstate.errors import TooManyRequests

MAX_HELD = 1_000  # events that wait for auth2
MAX_HELD_BYTES = 64 * 1024  # of them together

# Ours. Not a 401: clients would take it for the end of their token.
NOT_AUTHENTICATED = Problem(
    425, "NOT_AUTHENTICATED", "Not authenticated yet: send auth2 first, or the token in the handshake"
)
NOT_ROOMS = Problem(400, "INVALID_BODY", f"rooms must be an array of up to {MAX_WATCHED} room ids, or null for all")
UNSUPPORTED_ENCODING = Problem(400, "UNSUPPORTED_ENCODING", "encoding must be base64")  # ours


class ClientEvents(Struct, frozen=True):
    """`connections.ProtocolHandler`: acts on the events of a client in their order.

    `http_calls` are the events that stand for a call of the HTTP API.
    """

    services: Services
    authenticator: SocketAuthenticator
    http_calls: Mapping[str, HttpCall]
    turns: FairTurns

    async def on_connect(self, connection: Connection, auth: dict[str, Any]) -> tuple[bytes, CloseReason | None]:
        """Authenticate by the handshake's `auth`: the token, and perhaps a client key."""
        return await self.authenticator.authenticate(connection, auth["token"], auth)

    async def on_client_event(self, connection: Connection, packet: ClientPacket) -> None:
        """Act on one event. What a client sends never makes it raise."""
        event, first = packet.data[0], packet.data[1] if len(packet.data) > 1 else None
        if event == "conf":
            _send_ack(connection, packet.ack_id, self._configure(connection, first))
        elif event == "watch":
            _send_ack(connection, packet.ack_id, self._watch(connection, first), Encoding.RAW)
        elif event in ("auth2", "auth"):
            extra = packet.data[2] if len(packet.data) > 2 else None
            answer, reason = await self.authenticator.authenticate(connection, first, extra)
            _send_ack(connection, packet.ack_id, answer)
            if reason is None:
                await self._process_held(connection)
            else:
                connection.close(reason)
        elif (call := self.http_calls.get(event)) is None:
            return
        elif connection.session is None:
            self._hold(connection, packet)
        else:
            answer = await self._call(connection, call, first)
            _send_ack(connection, packet.ack_id, answer, Encoding.RAW)

    def on_closing(self, connection: Connection) -> None:
        """The connection is being closed: refuse its held events, and send it no more."""
        held, connection.held_events = connection.held_events, []
        for text in held:
            _refuse_early(connection, decode_packet(text.decode()))
        self.authenticator.sign_out(connection)

    # Events before auth2

    def _hold(self, connection: Connection, packet: ClientPacket) -> None:
        text = packet.text.encode()  # a str with one rare character takes four bytes for each
        connection.held_bytes += len(text)
        if len(connection.held_events) < MAX_HELD and connection.held_bytes <= MAX_HELD_BYTES:
            connection.held_events.append(text)
        else:
            _refuse_early(connection, packet)

    async def _process_held(self, connection: Connection) -> None:
        """The connection is authenticated: process the held events before any later one."""
        held, connection.held_events, connection.held_bytes = connection.held_events, [], 0
        for text in held:
            await self.on_client_event(connection, decode_packet(text.decode()))

    # conf, and the calls

    def _configure(self, connection: Connection, options: Any) -> bytes:
        try:
            self.authenticator.check_rate_limit(connection, costs.READ)
        except TooManyRequests as error:
            return RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
        encoding = options.get("encoding") if isinstance(options, dict) else None
        if encoding != Encoding.BASE64.value:
            return UNSUPPORTED_ENCODING.reply().payload
        connection.encoding = Encoding.BASE64
        return ok({"encoding": encoding}).payload

    def _watch(self, connection: Connection, content: Any) -> bytes:
        try:
            self.authenticator.check_rate_limit(connection, costs.READ)
        except TooManyRequests as error:
            return RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
        rooms = content.get("rooms", "") if isinstance(content, dict) else ""
        if rooms is not None and not _are_rooms(rooms):
            return NOT_ROOMS.reply().payload
        connection.watched = None if rooms is None else frozenset(rooms)
        return ok({"rooms": rooms}).payload

    async def _call(self, connection: Connection, call: HttpCall, content: Any) -> bytes:
        session = connection.session
        if session is None or not self.services.tokens.still_valid(session):
            return INVALID_TOKEN.reply().payload
        try:
            self.authenticator.check_rate_limit(connection, call.operation.cost)
        except TooManyRequests as error:
            return RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
        principal = Principal(session.app, session.user, False, session)
        turn = await self.turns.begin((session.app, _room_of(content) or session.user))
        try:
            return await call.answer(self.services, principal, content)
        finally:
            self.turns.end(turn)


def _room_of(content: Any) -> str:
    room = content.get("room") if isinstance(content, dict) else ""
    return room if isinstance(room, str) else ""


def _are_rooms(rooms: Any) -> bool:
    return (
        isinstance(rooms, list)
        and len(rooms) <= MAX_WATCHED
        and all(isinstance(room, str) and len(room) <= MAX_ID_BYTES for room in rooms)
    )


def _refuse_early(connection: Connection, packet: ClientPacket) -> None:
    _send_ack(connection, packet.ack_id, NOT_AUTHENTICATED.reply().payload, Encoding.RAW)


def _send_ack(connection: Connection, ack_id: str, payload: bytes, encoding: Encoding | None = None) -> None:
    """Send an ack if the client wants one. `encoding` None: that of the connection."""
    if ack_id:
        connection.send_ack(ack_id, payload, encoding or connection.encoding)

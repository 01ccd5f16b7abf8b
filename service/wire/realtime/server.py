"""The realtime surface as an ASGI application of its own, for everything below `/socket.io/`, and its life.

Websocket works with any number of workers. Long-polling needs every request of a session to reach the same process, so only a service
with one worker offers it.

After a gap in the stream of notices every person's rooms are read anew, so that nobody hears too little or too much from then on. What
was missed is not replayed and nothing is made up for it: clients fetch state when they connect and when they come to the foreground.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from service import metrics
from service.domain.notices import MessagePosted, TokensRevoked
from service.domain.ports import Notices
from service.errors import Fault, TooManyRequests
from service.wire import costs
from service.wire.addresses import Held, client_address
from service.wire.desk import Desk
from service.wire.imkit import views
from service.wire.imkit.room_event import left_event, room_event
from service.wire.imkit.routes import CORS_HEADERS
from service.wire.realtime import polling
from service.wire.realtime.audience import Audience
from service.wire.realtime.connection import INVALID_TOKEN, STATE_LOST, STOPPING, TOO_SLOW, Connection, Farewell
from service.wire.realtime.delivery import Delivery
from service.wire.realtime.encoding import encode_json
from service.wire.realtime.events import Events
from service.wire.realtime.frames import Event, Receive, Send, Wire
from service.wire.realtime.protocol import SocketServer
from service.wire.realtime.requests import REQUESTS

logger = logging.getLogger(__name__)

PATH = "/socket.io/"
CHECK_S = 2.0  # between two looks at whether tokens are still valid
STOP_WITHIN_S = 10.0

Refusal = tuple[str, int, tuple[bytes, bytes]]  # why, status, header

_CLIENT_KEY_HEADERS = ("HTTP_IM_CLIENT_KEY", "HTTP_CLIENT_KEY")
_CLIENT_KEY_PARAMETERS = ("IM-CLIENT-KEY", "CLIENT_KEY", "clientKey")


class Realtime:
    """The ASGI application. Make it and `start` it inside the running loop; `stop` it at the end."""

    def __init__(
        self,
        desk: Desk,
        notices: Notices,
        *,
        workers: int,
        ping_interval_s: int,
        ping_timeout_s: int,
        cors_origins: str,
        address_socket_limit: int,
    ) -> None:
        self._desk = desk
        self._held = Held("sockets", address_socket_limit)
        self._polling = workers == 1
        self._audience: Audience[Connection] = Audience(self._rooms_of)
        self._delivery = Delivery(
            self._audience,
            message_view=self._message_view,
            room_view=self._room_view,
            left_views=self._left_views,
            revoked=self._revoked,
        )
        self._events = Events(desk, notices, self._audience, REQUESTS)
        self.said = self._events.said
        self._sockets = SocketServer(
            self,
            ping_interval=ping_interval_s,
            ping_timeout=ping_timeout_s,
            origins="*" if cors_origins == "*" else [origin.strip() for origin in cors_origins.split(",")],
            headers=("Content-Type", *CORS_HEADERS),
            transports=["websocket", "polling"] if self._polling else ["websocket"],
        )
        self._checker: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Future[None]] = set()
        self._stopping = False
        self._all_gone = asyncio.Event()
        notices.attach(self._delivery.deliver, self._repair)

    async def start(self) -> None:
        logging.getLogger("uvicorn.error").addFilter(_is_ours)
        self._checker = asyncio.create_task(self._check_tokens())

    async def stop(self) -> None:
        """Close every connection in a way that lets clients come back by themselves, and wait until they are gone.

        Takes at most STOP_WITHIN_S. New connections are refused from here on. Doing it twice is the same as once.
        """
        self._stopping = True
        for connection in self._sockets.connections():
            connection.end(STOPPING)
        if self._sockets.connections():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), STOP_WITHIN_S)
        if self._checker is not None:
            self._checker.cancel()
            await asyncio.gather(self._checker, return_exceptions=True)
        await self._delivery.stop()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._sockets.shutdown()

    # ASGI

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        elif self._stopping:
            await polling.refuse(send, "the service is stopping")
        elif polling.has_too_many_parameters(scope):
            await polling.refuse(send, polling.TOO_MANY_PARAMETERS)
        elif refusal := self._admit(scope):
            await polling.refuse(send, *refusal)
        elif self._polling:
            await polling.serve(self._sockets, scope, receive, send)
        else:
            await polling.refuse(send, polling.WEBSOCKET_ONLY)

    def _admit(self, scope: Event) -> Refusal | None:
        """Why a request is refused: too much comes from its address, or it would hold one socket too many. What has a session passes."""
        address = client_address(scope)
        connection = self._sockets.connection(polling.query_of(scope).get("sid", [""])[0])
        if connection is not None and connection.session is not None:
            return None
        try:
            self._desk.rate_limits.take_address(address, costs.UNKNOWN if connection else costs.HANDSHAKE)
        except TooManyRequests as error:
            return str(error), 429, (b"retry-after", b"%d" % error.retry_after_s)
        if connection is None and not self._held.has_room(address):
            return "Too many sockets of this address; close some of them first", 429, (b"retry-after", b"60")
        return None

    async def _serve_websocket(self, scope: Event, receive: Receive, send: Send) -> None:
        if self._stopping:
            await receive()
            await send({"type": "websocket.close"})
            return
        if polling.has_too_many_parameters(scope):
            await _refuse_websocket(receive, send, polling.TOO_MANY_PARAMETERS)
            return
        if refusal := self._admit(scope):
            await _refuse_websocket(receive, send, *refusal)
            return
        wire = Wire(receive, send)
        wire.sid = polling.query_of(scope).get("sid", [""])[0]
        upgrading = self._sockets.connection(wire.sid)
        if upgrading is not None and upgrading.wire is None:
            upgrading.wire = wire
        try:
            await self._sockets.handle_request(scope, wire.receive, wire.send)
        except OSError:
            pass  # it ended while it was written to
        except Exception:
            logger.exception("a websocket failed")
        await self._sockets.settle(wire)

    # What the protocol tells

    def opened(self, socket: Any, environ: Mapping[str, Any]) -> Connection:
        connection = Connection(socket, _client_key(environ), client_address(environ["asgi.scope"]), self._ended)
        self._held.hold(connection.address)
        wire = getattr(environ["asgi.send"], "__self__", None)
        if isinstance(wire, Wire):
            connection.wire, wire.sid = wire, connection.sid
        metrics.OPEN_SOCKETS.inc()
        return connection

    def closed(self, connection: Connection) -> None:
        metrics.OPEN_SOCKETS.dec()
        self._held.release(connection.address)
        if self._stopping and not self._sockets.connections():
            self._all_gone.set()

    def _ended(self, connection: Connection, farewell: Farewell) -> None:
        if farewell is TOO_SLOW:
            metrics.NOTICES_DROPPED.labels("slow").inc()
        logger.debug("connection ends: %s", farewell.reason)
        leaving = self._events.forget(connection)
        if leaving is not None:
            task = asyncio.ensure_future(leaving)
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    # What the audience and the delivery ask for

    async def _rooms_of(self, app: str, user: str) -> list[str]:
        return await self._desk.read_state.rooms(app=app, user=user)

    async def _message_view(self, app: str, posted: MessagePosted) -> bytes:
        async def view() -> bytes:
            return encode_json(
                await views.message_for_everybody(
                    self._desk.people, app, posted.room, posted.message, posted.sender, posted.at_ms, posted.body
                )
            )

        try:
            return await _insist(view)
        except Fault:
            # The message matters more than what its sender is called.
            sender = views.user_ref(posted.sender, None) if posted.sender else None
            return encode_json(views.message_view(app, posted.room, posted.message, sender, posted.at_ms, posted.body))

    async def _room_view(self, app: str, room: str) -> bytes:
        return await _insist(lambda: room_event(self._desk.read_state, self._desk.people, app, room))

    async def _left_views(self, app: str, room: str, users: Sequence[str], deleted: bool) -> dict[str, bytes]:
        badges: Mapping[str, int] = {}
        with contextlib.suppress(Fault):  # that they are out matters more than their badge
            badges = await self._desk.read_state.badges_after(app=app, room=room, users=users)
        return {user: left_event(app, room, badges.get(user), deleted=deleted) for user in users}

    async def _repair(self, app: str) -> None:
        lost = await self._audience.reload(app)
        if lost:
            logger.warning("after a gap the rooms of some users could not be read; their %d connections are closed", len(lost))
        for connection in lost:
            connection.end(STATE_LOST)

    # Tokens that end before their time

    def _revoked(self, app: str, revoked: TokensRevoked) -> None:
        for connection in self._audience.sockets_of(app, revoked.user):
            session = connection.session
            if session and (session.token_id == revoked.token_id or (not revoked.token_id and connection.since_s < revoked.before_s)):
                connection.end(INVALID_TOKEN)

    async def _check_tokens(self) -> None:
        """A notice of a revocation can be lost, and an app can be removed: so everybody is looked at now and then."""
        while True:
            await asyncio.sleep(CHECK_S)
            for connection in self._sockets.connections():
                if connection.session is not None and not self._desk.tokens.still_valid(connection.session):
                    connection.end(INVALID_TOKEN)


async def _refuse_websocket(receive: Receive, send: Send, reason: str, status: int = 400, *headers: tuple[bytes, bytes]) -> None:
    """Answer a handshake with a status instead of opening a socket."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason.encode()})


async def _insist(view: Callable[[], Awaitable[bytes]]) -> bytes:
    """Ask once more when the store failed: a notice that is not sent is missed for good."""
    try:
        return await view()
    except Fault:
        return await view()


def _is_ours(record: logging.LogRecord) -> bool:
    """uvicorn reports a frame that is not UTF-8 as an error, with a traceback. It is the client's, and the connection is closed."""
    return not str(record.msg).startswith("Invalid UTF-8")


def _client_key(environ: Mapping[str, Any]) -> str:
    """The client key that the handshake named, in a header or in the query; "" for none."""
    query = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=polling.MAX_PARAMETERS)
    headers = [environ[name] for name in _CLIENT_KEY_HEADERS if environ.get(name)]
    parameters = [query[name][0] for name in _CLIENT_KEY_PARAMETERS if name in query]
    return str((headers + parameters or [""])[0])

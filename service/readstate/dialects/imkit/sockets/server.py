"""The socket server: an ASGI application for all requests below `/socket.io/`.

A request of a session that another worker of this service has is moved to that worker.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from readstate.dialects.base import Services
from readstate.dialects.http.body import ClientGone, read_body
from readstate.dialects.http.client_address import AddressCounts, client_address
from readstate.dialects.http.frame_writer import FRAMES, FrameWriter
from readstate.dialects.http.moving import movable
from readstate.dialects.http.reply import Headers, retry_after
from readstate.dialects.imkit.sockets import polling, websocket
from readstate.dialects.imkit.sockets.admission import Admission
from readstate.dialects.imkit.sockets.auth import SocketAuthenticator
from readstate.dialects.imkit.sockets.client_events import ClientEvents
from readstate.dialects.imkit.sockets.closing import GapClosing, TokenWatch
from readstate.dialects.imkit.sockets.connection import STOPPING, Connection, Transport
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.following import Following
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.joining import Joining
from readstate.dialects.imkit.sockets.payloads import StorePayloads
from readstate.dialects.imkit.sockets.polling import Message, PollingTransport, Receive
from readstate.dialects.imkit.sockets.session_ids import worker_of
from readstate.dialects.imkit.sockets.turns import FairTurns
from readstate.dialects.imkit.sockets.verifier import Rejection, Verifier, client_key, preflight_headers, query_of
from readstate.dialects.imkit.sockets.websocket import WebSocketTransport
from readstate.domain.limits import MAX_BODY_BYTES
from readstate.domain.notices import Notice, Notices, Topic
from readstate.settings import Settings

STOP_WITHIN_S = 10.0
IS_STOPPING: Rejection = ("the service is stopping", 400, ())
TOO_LONG: Rejection = (f"longer than {MAX_BODY_BYTES} bytes", 400, ())
CANNOT_MOVE: Rejection = ("the worker that has this session cannot answer now", 503, retry_after(1))

Send = Callable[[Message], Awaitable[None]]


class SocketServer:
    """The ASGI application. Make and `start` it inside the running loop; `stop` it at the end."""

    def __init__(self, settings: Settings, services: Services, notices: Notices) -> None:
        addresses = AddressCounts("sockets", settings.address_socket_limit)
        admission = Admission()
        self._verifier = Verifier(services.rate_limits, addresses, admission, origins=settings.cors_origins)
        hub: Hub[Connection] = Hub(services.rooms.rooms_of, notices)
        self._following = Following(hub, services.changes)
        authenticator = SocketAuthenticator(services, hub, self._following, admission)
        self.connections = Connections(
            ClientEvents(services, authenticator, HTTP_CALLS, FairTurns()),
            addresses,
            ping_interval_s=settings.socket_ping_interval_s,
            ping_timeout_s=settings.socket_ping_timeout_s,
        )
        self._token_watch = TokenWatch(services.tokens, hub, self.connections)
        self._gap_closing = GapClosing(hub, self._following)
        payloads = StorePayloads(services, services.people)
        self._delivery = Delivery(hub, payloads, on_revoked=self._token_watch.on_revoked)
        self._is_stopping = False
        self._joining = Joining(hub, notices, self._delivery, self._gap_closing.on_gap)
        hub.on_unsettled = self._joining.on_unsettled
        hub.on_entered = self._following.note
        notices.attach(self._on_notice, self._gap_closing.on_gap)

    async def start(self) -> None:
        """Begin to check tokens."""
        self._token_watch.start()

    def begin_stop(self) -> None:
        """Close all connections in such a way that clients reconnect, and refuse new ones.

        Returns at once.

        To be called before the server waits for running requests, because those of long-polling
        clients are among them. The server calls it once for each of its connections; only the first
        call does something.
        """
        if self._is_stopping:
            return
        self._is_stopping = True
        self.connections.close_all_now(STOPPING)

    async def stop(self) -> None:
        """Close all connections, wait up to STOP_WITHIN_S for their end, and stop all tasks.

        May be called twice.
        """
        self.begin_stop()
        await self.connections.wait_until_none(STOP_WITHIN_S)
        await self.connections.processing.stop()
        await self._token_watch.stop()
        await self._joining.stop()
        await self._delivery.stop()
        await self._gap_closing.stop()
        await self._following.stop()
        self.connections.stop()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        query = query_of(scope)
        sid = query.get("sid", "")
        connection = self.connections.get(sid)
        rejection = IS_STOPPING if self._is_stopping else None
        if connection is None and not rejection and movable(scope, send).can_move_to(worker_of(sid)):
            rejection = await _move(worker_of(sid), scope, receive, send)
            if rejection is None:
                return
        rejection = rejection or self._verifier.rejection(scope, query, connection)
        if connection is not None and (rejection or not polling.is_poll(connection, scope)):
            await self.connections.slow_down(connection)
        if scope["type"] == "websocket":
            await receive()
            if rejection:
                await _refuse_websocket(send, *rejection)
            else:
                await self._serve_websocket(scope, query, receive, send, connection)
            return
        headers = self._verifier.headers(scope, refused=rejection is not None)
        response = polling.Response(scope, receive, send, headers)
        if rejection:
            await response.refuse(*rejection)
        elif scope["method"] == "OPTIONS":
            await response.send(b"", 200, preflight_headers())
        else:
            if connection is None:
                transport = PollingTransport()
                connection = self._open(scope, query, send, transport, ["websocket"])
                transport.on_closed = partial(self.connections.remove, connection)
            await polling.serve(self.connections, connection, scope["method"], receive, response)

    async def _serve_websocket(
        self, scope: Message, query: Mapping[str, str], receive: Receive, send: Send, connection: Connection | None
    ) -> None:
        writer: FrameWriter = scope["extensions"][FRAMES]
        await send({"type": "websocket.accept"})
        if connection is None:
            transport = WebSocketTransport(self.connections, writer)
            transport.attach(self._open(scope, query, send, transport, []))
        else:
            await websocket.upgrade(self.connections, writer, receive, connection)

    def _on_notice(self, topic: Topic, notice: Notice) -> None:
        self._following.on_notice(topic, notice)
        self._delivery.deliver(topic, notice)

    def _open(
        self, scope: Message, query: Mapping[str, str], send: Send, transport: Transport, upgrades: list[str]
    ) -> Connection:
        return self.connections.open(
            transport,
            upgrades,
            worker=movable(scope, send).own_worker(),
            client_key=client_key(scope, query),
            address=client_address(scope),
        )


async def _move(worker: int, scope: Message, receive: Receive, send: Send) -> Rejection | None:
    """Move a request, once it is there as a whole, to the worker that has its session.

    Returns why it is refused instead, if so.
    """
    body = b""
    if scope["type"] == "http":
        try:
            body = await read_body(receive)
        except ClientGone:
            return None
        except RequestEntityTooLarge:
            return TOO_LONG
    return None if await movable(scope, send).move(worker, body) else CANNOT_MOVE


async def _refuse_websocket(send: Send, reason: str, status: int, headers: Headers) -> None:
    """Answer a handshake with a status instead of opening the websocket."""
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason.encode()})

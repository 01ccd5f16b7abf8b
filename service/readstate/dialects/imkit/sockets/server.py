"""The realtime surface as an ASGI application of its own, for everything below `/socket.io/`, and its life.

Websocket works with any number of workers. Long-polling needs every request of a session to reach the same process, so
only a service with one worker offers it.

After a gap in the stream of notices every person's rooms are read anew, so that no user hears too little or too much
from then on, and the connections are closed one after the other: what was missed is not made up for, and clients fetch
state when they connect.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from readstate import metrics
from readstate.dialects.http.client_address import Held, client_address
from readstate.dialects.http.reply import Headers
from readstate.dialects.imkit import views
from readstate.dialects.imkit.room_event import left_event, room_event
from readstate.dialects.imkit.sockets import polling, websocket
from readstate.dialects.imkit.sockets.admission import Admission, Refusal, client_key, may_send, query_of
from readstate.dialects.imkit.sockets.audience import Audience
from readstate.dialects.imkit.sockets.connection import (
    INVALID_TOKEN,
    STATE_LOST,
    STOPPING,
    TOO_SLOW,
    Connection,
    Farewell,
    Line,
)
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.imkit.sockets.events import Events
from readstate.dialects.imkit.sockets.polling import Event, Receive
from readstate.dialects.imkit.sockets.requests import REQUESTS
from readstate.dialects.services import Services
from readstate.domain.notices import MessagePosted, TokensRevoked
from readstate.domain.ports import Notices
from readstate.errors import Fault

logger = logging.getLogger(__name__)

PATH = "/socket.io/"
CHECK_S = 2.0  # between two looks at whether tokens are still valid
STOP_WITHIN_S = 10.0
GAP_SPREAD_S = 5.0  # within which connections are closed that may have missed something
STOPS: Refusal = ("the service is stopping", 400, ())

Send = Callable[[Event], Awaitable[None]]


class SocketServer:
    """The ASGI application. Make it and `start` it inside the running loop; `stop` it at the end."""

    def __init__(
        self,
        services: Services,
        notices: Notices,
        *,
        workers: int,
        ping_interval_s: int,
        ping_timeout_s: int,
        cors_origins: str,
        address_socket_limit: int,
    ) -> None:
        self._services = services
        self._held = Held("sockets", address_socket_limit)
        self._admission = Admission(services.rate_limits, self._held, polling=workers == 1, origins=cors_origins)
        self._audience: Audience[Connection] = Audience(self._rooms_of)
        self._delivery = Delivery(
            self._audience,
            message_view=self._message_view,
            room_view=self._room_view,
            left_views=self._left_views,
            revoked=self._revoked,
        )
        self._events = Events(services, notices, self._audience, REQUESTS)
        self.said, self.introduced = self._events.said, self._events.introduced
        self.connections = Connections(self, ping_interval_s=ping_interval_s, ping_timeout_s=ping_timeout_s)
        self._checker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._closings: set[asyncio.Task[None]] = set()  # after gaps
        self._stopping = False
        self._all_gone = asyncio.Event()
        notices.attach(self._delivery.deliver, self._repair)

    async def start(self) -> None:
        self._checker = asyncio.create_task(self._check_tokens())

    def begin_stop(self) -> None:
        """Close every connection in a way that lets clients come back by themselves, and refuse new ones, at once.

        To be called before the server waits for the requests that it is answering: those of long-polling clients are
        among them. Doing it again does nothing: the server does so for each of its connections.
        """
        if self._stopping:
            return
        self._stopping = True
        for connection in self.connections.all():
            self.connections.end_now(connection, STOPPING)

    async def stop(self) -> None:
        """The same, and wait until all are gone, at most STOP_WITHIN_S. Doing it twice is the same as once."""
        self.begin_stop()
        if self.connections.all():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), STOP_WITHIN_S)
        if self._checker is not None:
            self._checker.cancel()
            await asyncio.gather(self._checker, return_exceptions=True)
        await self._delivery.stop()
        for closing in self._closings:
            closing.cancel()
        await asyncio.gather(*self._tasks, *self._closings, return_exceptions=True)
        self.connections.stop()

    # ASGI

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        query = query_of(scope)
        connection = self.connections.get(query.get("sid", ""))
        refusal = STOPS if self._stopping else self._admission.refusal(scope, query, connection)
        if connection is not None and (refusal or not polling.goes_on(connection, scope)):
            await self.connections.slow_down(connection)
        if scope["type"] == "websocket":
            await receive()
            if refusal:
                await _refuse_websocket(send, *refusal)
            else:
                await self._serve_websocket(scope, query, receive, send, connection)
            return
        answer = polling.Answer(scope, receive, send, self._admission.headers(scope, refused=refusal is not None))
        if refusal:
            await answer.refuse(*refusal)
        elif scope["method"] == "OPTIONS":
            await answer.give(b"", 200, may_send())
        else:
            if connection is None:
                line = polling.PollingLine()
                connection = self._open(scope, query, line, ["websocket"])
                line.on_gone = partial(self.connections.gone, connection)
            await polling.serve(self.connections, connection, scope["method"], receive, answer)

    async def _serve_websocket(
        self, scope: Event, query: Mapping[str, str], receive: Receive, send: Send, connection: Connection | None
    ) -> None:
        pipe: websocket.Pipe = scope["extensions"][websocket.FRAMES]
        await send({"type": "websocket.accept"})
        if connection is None:
            connection = self._open(scope, query, websocket.WebSocketLine(pipe), [])
            await websocket.serve(self.connections, pipe, receive, connection)
        elif await websocket.upgrade(pipe, receive, connection):
            await websocket.serve(self.connections, pipe, receive, connection)

    def _open(self, scope: Event, query: Mapping[str, str], line: Line, upgrades: list[str]) -> Connection:
        address = client_address(scope)
        self._held.hold(address)
        metrics.OPEN_SOCKETS.inc()
        return self.connections.open(line, upgrades, client_key=client_key(scope, query), address=address)

    # What connections tell

    def closed(self, connection: Connection) -> None:
        metrics.OPEN_SOCKETS.dec()
        self._held.release(connection.address)
        if self._stopping and not self.connections.all():
            self._all_gone.set()

    def ends(self, connection: Connection, farewell: Farewell) -> None:
        if farewell is TOO_SLOW:
            metrics.NOTICES_DROPPED.labels("slow").inc()
        logger.debug("connection ends: %s", farewell.reason)
        leaving = self._events.forget(connection)
        if leaving is not None:
            task = asyncio.ensure_future(leaving)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # What the audience and the delivery ask for

    async def _rooms_of(self, app: str, user: str) -> list[str]:
        return await self._services.read_state.rooms(app=app, user=user)

    async def _message_view(self, app: str, posted: MessagePosted) -> bytes:
        async def view() -> bytes:
            return encode_json(
                await views.message_for_everybody(
                    self._services.people, app, posted.room, posted.message, posted.sender, posted.at_ms, posted.body
                )
            )

        try:
            return await _insist(view)
        except Fault:
            # The message matters more than what its sender is called.
            sender = views.user_ref(posted.sender, None) if posted.sender else None
            return encode_json(views.message_view(app, posted.room, posted.message, sender, posted.at_ms, posted.body))

    async def _room_view(self, app: str, room: str) -> bytes:
        return await _insist(lambda: room_event(self._services.read_state, self._services.people, app, room))

    async def _left_views(self, app: str, room: str, users: Sequence[str], deleted: bool) -> dict[str, bytes]:
        badges: Mapping[str, int] = {}
        with contextlib.suppress(Fault):  # that they are out matters more than their badge
            badges = await self._services.read_state.badges_after(app=app, room=room, users=users)
        return {user: left_event(app, room, badges.get(user), deleted=deleted) for user in users}

    async def _repair(self, app: str) -> None:
        """Notices of `app` were missed: mend who hears what, then close each connection, at an even pace."""
        metrics.NOTICE_GAPS.inc()
        connections = self.connections.all()
        concerned = [connection for connection in connections if connection.session and connection.session.app == app]
        for connection in await self._audience.reload(app):
            connection.end(STATE_LOST)
        if concerned:
            logger.warning("after a gap in the notices %d sockets are closed within %g s", len(concerned), GAP_SPREAD_S)
            closing = asyncio.create_task(self._close(concerned))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)

    async def _close(self, connections: list[Connection]) -> None:
        """Have clients come back one after the other: all at once would ask the store for everything at once."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for place, connection in enumerate(connections):
            await asyncio.sleep(max(0.0, began_s + GAP_SPREAD_S * place / len(connections) - loop.time()))
            connection.end(STATE_LOST)

    # Tokens that end before their time

    def _revoked(self, app: str, revoked: TokensRevoked) -> None:
        for connection in self._audience.sockets_of(app, revoked.user):
            session = connection.session
            if session and (
                session.token_id == revoked.token_id or (not revoked.token_id and connection.since_s < revoked.before_s)
            ):
                connection.end(INVALID_TOKEN)

    async def _check_tokens(self) -> None:
        """A notice of a revocation can be lost, and an app can be removed: so everybody is looked at now and then."""
        while True:
            await asyncio.sleep(CHECK_S)
            for connection in self.connections.all():
                if connection.session is not None and not self._services.tokens.still_valid(connection.session):
                    connection.end(INVALID_TOKEN)


async def _refuse_websocket(send: Send, reason: str, status: int, headers: Headers) -> None:
    """Answer a handshake with a status instead of opening a socket."""
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason.encode()})


async def _insist(view: Callable[[], Awaitable[bytes]]) -> bytes:
    """Ask once more when the store failed: a notice that is not sent is missed for good."""
    try:
        return await view()
    except Fault:
        return await view()

"""What a client may say (docs.imkit.io, Socket Connection and Socket Events), and what it hears back.

    conf          {encoding: "base64"}              before or after auth2; the last one wins
    auth2, auth   token, extra                      as often as it likes; a client key in `extra` is checked
    chat message  {room, messageType, message, ...} as POST /rooms/:id/message; the ack is always a plain object
    lastRead      {room, message}                   as PUT /rooms/:id/lastRead

Other events are ignored: hand-written clients send a `pong` of their own. An ack has exactly one argument and goes only to who asks.

The token may come in the handshake instead (`auth: {token}`). Until there is one, what needs it waits, in its order:
Socket.IO's clients send what was said while they were offline before they tell their program that they are connected.
"""

import time
from collections.abc import Awaitable, Mapping
from typing import Any

from readstate.dialects.access import costs
from readstate.dialects.imkit.call import Principal
from readstate.dialects.imkit.errors import (
    INVALID_CLIENT_KEY,
    INVALID_TOKEN,
    RATE_LIMIT_EXCEEDED,
    Refused,
    explain,
)
from readstate.dialects.imkit.reply import Problem, ok
from readstate.dialects.imkit.sockets.audience import Audience
from readstate.dialects.imkit.sockets.connection import REFUSED, STATE_LOST, TOO_OFTEN, Connection, Farewell
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.packets import Said, understand
from readstate.dialects.imkit.sockets.requests import COSTS, Request
from readstate.dialects.services import Services
from readstate.domain.identity import App, Session
from readstate.domain.ports import Notices
from readstate.errors import ReadStateError, TooManyRequests

MAX_SOCKETS_PER_USER = 100  # on one worker
RETRY_SOCKET_S = 60  # sockets do not come to an end by themselves

MAX_HELD = 1_000  # events that wait for auth2
MAX_HELD_BYTES = 64 * 1024  # of them together

# Ours. Not a 401, which clients take for the end of their token.
NOT_AUTHENTICATED = Problem(
    425,
    "Too Early",
    "NOT_AUTHENTICATED",
    "Not authenticated yet: send auth2 first, or the token in the handshake",
)
UNSUPPORTED_ENCODING = Problem(400, "Bad Request", "UNSUPPORTED_ENCODING", "encoding must be base64")  # ours

_CLIENT_KEYS = frozenset({"im-client-key", "client_key"})


class TooManySockets(TooManyRequests):
    """The user has as many sockets as one may have."""

    def __init__(self) -> None:
        super().__init__("Too many sockets of this user; close some of them first", RETRY_SOCKET_S)


class Events:
    """Deals with events in the order in which one client says them. `requests` are those that stand for a call of the HTTP API."""

    def __init__(
        self, services: Services, notices: Notices, audience: Audience[Connection], requests: Mapping[str, Request]
    ) -> None:
        self._services = services
        self._notices = notices
        self._audience = audience
        self._requests = requests

    async def said(self, connection: Connection, said: Said) -> None:
        """One event. Never raises for what the client said."""
        event, first = said.data[0], said.data[1] if len(said.data) > 1 else None
        if event == "conf":
            _acknowledge(connection, said.ack_id, self._configure(connection, first))
        elif event in ("auth2", "auth"):
            extra = said.data[2] if len(said.data) > 2 else None
            answer, farewell = await self._authenticate(connection, first, extra)
            _acknowledge(connection, said.ack_id, answer)
            if farewell is None:
                await self._release(connection)
            else:
                connection.end(farewell)
        elif event in self._requests and connection.session is None:
            self._hold(connection, said)
        elif event in self._requests:
            answer = await self._request(connection, event, first)
            _acknowledge(connection, said.ack_id, answer, Encoding.RAW)

    async def introduced(self, connection: Connection, auth: dict[str, Any]) -> tuple[bytes, Farewell | None]:
        """The token in the handshake's `auth`, where a client key may be, too: as `auth2` with both."""
        return await self._authenticate(connection, auth["token"], auth)

    # What is said before auth2

    def _hold(self, connection: Connection, said: Said) -> None:
        text = said.text.encode()  # one rare character makes a string four times as large
        connection.held_bytes += len(text)
        if len(connection.held) < MAX_HELD and connection.held_bytes <= MAX_HELD_BYTES:
            connection.held.append(text)
        else:
            _acknowledge(connection, said.ack_id, NOT_AUTHENTICATED.reply().payload, Encoding.RAW)

    async def _release(self, connection: Connection) -> None:
        """It is authenticated: do what was said before, before anything that follows."""
        held, connection.held, connection.held_bytes = connection.held, [], 0
        for text in held:
            await self.said(connection, understand(text.decode()))

    def _refuse_held(self, connection: Connection) -> None:
        held, connection.held = connection.held, []
        for text in held:
            _acknowledge(connection, understand(text.decode()).ack_id, NOT_AUTHENTICATED.reply().payload, Encoding.RAW)

    def _configure(self, connection: Connection, wish: Any) -> bytes:
        try:
            self._pay(connection, costs.READ)
        except TooManyRequests as error:
            return RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
        return _configure(connection, wish)

    def _pay(self, connection: Connection, cost: float) -> None:
        """A user pays for what their socket says; until there is one, the address does. Raises TooManyRequests."""
        session = connection.session
        if session is None:
            self._services.rate_limits.take_address(connection.address, cost)
        else:
            self._services.rate_limits.take(session.app, session.user, cost)

    def forget(self, connection: Connection) -> Awaitable[None] | None:
        """The connection ends: it hears nothing from here on. What is returned has yet to be awaited."""
        self._refuse_held(connection)
        session, connection.session = connection.session, None
        if session is None:
            return None
        self._audience.dismiss(session.app, session.user, connection)
        return self._notices.leave(session.app)

    async def _request(self, connection: Connection, event: str, body: Any) -> bytes:
        session = connection.session
        if session is None or not self._services.tokens.still_valid(session):
            return INVALID_TOKEN.reply().payload
        try:
            self._pay(connection, COSTS[event])
        except TooManyRequests as error:
            return RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
        principal = Principal(session.app, session.user, False, session)
        return await self._requests[event](self._services, principal, body)

    # auth2

    async def _authenticate(self, connection: Connection, token: Any, extra: Any) -> tuple[bytes, Farewell | None]:
        """The answer, and why the connection has to end if it does."""
        try:
            self._pay(connection, costs.READ)
            session = await self._session_of(connection, token, extra)
            await self._let_in(connection, session)
        except Refused as refusal:
            return refusal.problem.reply().payload, REFUSED
        except TooManyRequests as error:
            answer = RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
            return answer, REFUSED if isinstance(error, TooManySockets) else TOO_OFTEN
        except ReadStateError as error:
            problem, message = explain(error)
            return problem.reply_to(error, message).payload, STATE_LOST
        return ok({"client": session.user}).payload, None

    async def _session_of(self, connection: Connection, token: Any, extra: Any) -> Session:
        app = self._named_app(connection, extra)
        if not isinstance(token, str) or not token:
            raise Refused(INVALID_TOKEN)
        apps = (app,) if app else self._services.apps.all()
        session = await self._services.credentials.session(apps, token, connection.address)
        if session is None:
            raise Refused(INVALID_TOKEN)
        return session

    def _named_app(self, connection: Connection, extra: Any) -> App | None:
        """The app of the client key that came with auth2 or with the handshake; None when there was none. Raises Refused."""
        given = extra if isinstance(extra, dict) else {}
        named = [
            value for name, value in given.items() if isinstance(name, str) and name.lower() in _CLIENT_KEYS and value
        ]
        key = named[0] if named else connection.client_key
        if not key:
            return None
        app = self._services.apps.by_client_key(key.encode("utf-8", "surrogatepass")) if isinstance(key, str) else None
        if app is None:
            self._services.credentials.missed(connection.address)
            raise Refused(INVALID_CLIENT_KEY)
        return app

    async def _let_in(self, connection: Connection, session: Session) -> None:
        """The connection hears `session`'s rooms from here on. The stream flows before the rooms are asked for: see `audience`."""
        before = connection.session
        is_new = before is None or (before.app, before.user) != (session.app, session.user)
        if is_new:
            await self._admit(connection, session)
        connection.belongs_to(session, time.time())
        if is_new and before is not None:
            self._audience.dismiss(before.app, before.user, connection)
            await self._notices.leave(before.app)

    async def _admit(self, connection: Connection, session: Session) -> None:
        await self._notices.listen(session.app)
        try:
            if self._audience.count(session.app, session.user) >= MAX_SOCKETS_PER_USER:
                raise TooManySockets
            await self._audience.admit(session.app, session.user, connection)
            if connection.ended:  # meanwhile, so nobody will forget it any more
                self._audience.dismiss(session.app, session.user, connection)
                raise Refused(INVALID_TOKEN)
        except BaseException:
            await self._notices.leave(session.app)
            raise


def _configure(connection: Connection, wish: Any) -> bytes:
    encoding = wish.get("encoding") if isinstance(wish, dict) else None
    if encoding != Encoding.BASE64.value:
        return UNSUPPORTED_ENCODING.reply().payload
    connection.encoding = Encoding.BASE64
    return ok({"encoding": encoding}).payload


def _acknowledge(connection: Connection, ack_id: str, payload: bytes, encoding: Encoding | None = None) -> None:
    """`encoding`: that of the connection."""
    if ack_id:
        connection.acknowledge(ack_id, payload, encoding or connection.encoding)

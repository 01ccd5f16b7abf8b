"""Authentication of connections: by the event `auth2`, or by a token in the handshake.

An authenticated connection is in the hub.
"""

import time
from typing import Any

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError, Services
from readstate.dialects.imkit.errors import INVALID_CLIENT_KEY, INVALID_TOKEN, RATE_LIMIT_EXCEEDED, explain
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.sockets.admission import Admission
from readstate.dialects.imkit.sockets.connection import AUTH_REFUSED, RATE_LIMITED, STATE_LOST, CloseReason, Connection
from readstate.dialects.imkit.sockets.following import Following
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.domain.identity import App, Session
from readstate.errors import ReadStateError, TooManyRequests

MAX_SOCKETS_PER_USER = 100  # on one worker
RETRY_SOCKET_S = 60  # a guess: sockets do not end by themselves

_CLIENT_KEYS = frozenset({"im-client-key", "client_key"})


class TooManySockets(TooManyRequests):
    """The user has as many connections as a user may have."""

    def __init__(self) -> None:
        super().__init__("Too many sockets of this user; close some of them first", RETRY_SOCKET_S)


class SocketAuthenticator:
    """Signs connections in and out."""

    def __init__(self, services: Services, hub: Hub[Connection], following: Following, admission: Admission) -> None:
        self._services = services
        self._admission = admission
        self._hub = hub
        self._following = following

    async def authenticate(self, connection: Connection, token: Any, extra: Any) -> tuple[bytes, CloseReason | None]:
        """Sign a connection in. Returns the answer, and why the connection has to be closed, if so.

        `extra` may hold a client key, and `badge`: whether the connection follows the read state. A
        connection may be signed in again, as another user too.
        """
        try:
            self.check_rate_limit(connection, costs.READ)
            session = await self._session_of(connection, token, extra)
            if isinstance(extra, dict) and "badge" in extra:
                connection.follows = extra["badge"] is True
            async with self._admission.turn():
                await self._sign_in(connection, session)
        except ProblemError as refusal:
            return refusal.problem.reply().payload, AUTH_REFUSED
        except TooManyRequests as error:
            answer = RATE_LIMIT_EXCEEDED.reply_to(error, str(error)).payload
            return answer, AUTH_REFUSED if isinstance(error, TooManySockets) else RATE_LIMITED
        except ReadStateError as error:
            problem, message = explain(error)
            return problem.reply_to(error, message).payload, STATE_LOST
        return ok({"client": session.user}).payload, None

    def check_rate_limit(self, connection: Connection, cost: float) -> None:
        """Take `cost` from the bucket of the user, or of the address before authentication.

        Raises TooManyRequests.
        """
        session = connection.session
        if session is None:
            self._services.rate_limits.take_address(connection.address, cost)
        else:
            self._services.rate_limits.take(session.app, session.user, cost)

    def sign_out(self, connection: Connection) -> None:
        """The connection receives no more events."""
        session, connection.session = connection.session, None
        if session is not None:
            self._forget(connection, session)

    async def _session_of(self, connection: Connection, token: Any, extra: Any) -> Session:
        app = self._named_app(connection, extra)
        if not isinstance(token, str) or not token:
            raise ProblemError(INVALID_TOKEN)
        apps = (app,) if app else self._services.apps.all()
        session = await self._services.credentials.session(apps, token, connection.address)
        if session is None:
            raise ProblemError(INVALID_TOKEN)
        return session

    def _named_app(self, connection: Connection, extra: Any) -> App | None:
        """The app of the client key from `auth2` or the handshake; None when there is no key.

        Raises ProblemError.
        """
        fields = extra if isinstance(extra, dict) else {}
        keys = [
            value for name, value in fields.items() if isinstance(name, str) and name.lower() in _CLIENT_KEYS and value
        ]
        key = keys[0] if keys else connection.client_key
        if not key:
            return None
        app = self._services.apps.by_client_key(key.encode("utf-8", "surrogatepass")) if isinstance(key, str) else None
        if app is None:
            self._services.credentials.missed(connection.address)
            raise ProblemError(INVALID_CLIENT_KEY)
        return app

    async def _sign_in(self, connection: Connection, session: Session) -> None:
        before = connection.session
        is_new = before is None or (before.app, before.user) != (session.app, session.user)
        if is_new:
            await self._subscribe(connection, session)
        try:
            await self._follow(connection, session)
        except BaseException:
            if is_new:
                self._forget(connection, session)
            raise
        connection.authenticate(session, time.time())
        if is_new and before is not None:
            self._forget(connection, before)

    async def _subscribe(self, connection: Connection, session: Session) -> None:
        if self._hub.count(session.app, session.user) >= MAX_SOCKETS_PER_USER:
            raise TooManySockets
        await self._hub.add(session.app, session.user, connection)
        self._forget_if_closing(connection, session)

    async def _follow(self, connection: Connection, session: Session) -> None:
        if connection.follows:
            await self._following.add(session.app, session.user, connection)
            self._forget_if_closing(connection, session)
        else:
            self._following.remove(session.app, session.user, connection)

    def _forget_if_closing(self, connection: Connection, session: Session) -> None:
        if connection.is_closing:  # `sign_out` came too early to remove it
            self._forget(connection, session)
            raise ProblemError(INVALID_TOKEN)

    def _forget(self, connection: Connection, session: Session) -> None:
        self._hub.remove(session.app, session.user, connection)
        self._following.remove(session.app, session.user, connection)

"""Closes connections whose token has ended, or that may have missed notices."""

import asyncio
import logging
from collections.abc import Collection

from readstate import metrics
from readstate.dialects.imkit.sockets.connection import STATE_LOST, TOKEN_ENDED, Connection
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.following import Following
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.domain.identity import Session
from readstate.domain.notices import TokensRevoked, Topic
from readstate.domain.tokens import Tokens
from readstate.errors import ReadStateError
from readstate.tasks import Tasks, cancel_and_wait, repeat

logger = logging.getLogger(__name__)

CHECK_S = 2.0  # between two checks of all tokens
GAP_SPREAD_S = 5.0  # in which the connections are closed that may have missed notices


class TokenWatch:
    """Closes connections whose token was revoked or has expired, or whose app was removed."""

    def __init__(self, tokens: Tokens, hub: Hub[Connection], connections: Connections) -> None:
        self._tokens = tokens
        self._hub = hub
        self._connections = connections
        self._checker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to check. To be called inside the running loop."""
        failed = "tokens of sockets could not be checked"
        self._checker = asyncio.create_task(repeat(self._check, CHECK_S, logger, failed, at_once=False))

    async def stop(self) -> None:
        await cancel_and_wait(self._checker)

    def on_revoked(self, app: str, revoked: TokensRevoked) -> None:
        """One token of a user was revoked, or all that are older than a moment."""
        for connection in self._hub.connections_of(app, revoked.user):
            session = connection.session
            if session and (
                session.token_id == revoked.token_id
                or (not revoked.token_id and connection.authenticated_at_s < revoked.before_s)
            ):
                connection.close(TOKEN_ENDED)

    async def _check(self) -> None:
        """Check all connections: a notice can be lost, and only a revocation has one."""
        for connection in self._connections.all():
            if connection.session is not None and not self._tokens.still_valid(connection.session):
                connection.close(TOKEN_ENDED)


class GapClosing:
    """After a gap in the notices, closes the connections of the users whom it concerns.

    Until then they are sent nothing more. What was missed is not sent later: clients fetch the
    present state when they reconnect. Those that follow the read state stay, and are told `sync`.
    """

    def __init__(self, hub: Hub[Connection], following: Following) -> None:
        self._hub = hub
        self._following = following
        self._closings = Tasks()

    def on_gap(self, topics: Collection[Topic]) -> None:
        """Notices of these rooms and users were missed."""
        metrics.NOTICE_GAPS.inc()
        concerned = self._hub.remove_concerned(topics)
        if concerned:
            logger.warning(
                "after a gap in the notices %d sockets are closed or told within %g s", len(concerned), GAP_SPREAD_S
            )
            self._closings.start(self._mend_evenly(concerned))

    async def stop(self) -> None:
        """Leave the connections open that are not closed yet."""
        await self._closings.stop()

    async def _mend_evenly(self, connections: list[Connection]) -> None:
        """One after the other, so that the clients do not all fetch the state at once."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for place, connection in enumerate(connections):
            await asyncio.sleep(max(0.0, began_s + GAP_SPREAD_S * place / len(connections) - loop.time()))
            self._closings.start(self._mend(connection))

    async def _mend(self, connection: Connection) -> None:
        if connection.follows and connection.session is not None:
            await self._resubscribe(connection, connection.session)
        else:
            connection.close(STATE_LOST)

    async def _resubscribe(self, connection: Connection, session: Session) -> None:
        """Let it hear again, and then tell it that it has missed something."""
        app, user = session.app, session.user
        if connection in self._hub.connections_of(app, user):
            return  # it has signed in again, and fetches the state
        try:
            await self._hub.add(app, user, connection)
        except Exception as error:
            # Whatever it is: a client that stays connected must not be deaf.
            if not isinstance(error, ReadStateError):
                logger.exception("a socket could not be resubscribed")
            connection.close(STATE_LOST)
            return
        now = connection.session
        if now is None or (now.app, now.user) != (app, user):
            self._hub.remove(app, user, connection)
        else:
            self._following.resubscribe(app, user, connection)

"""Authentication by X-Auth-Token and X-User-Id, which must belong together, and rate limits.

See developer.rocket.chat, authenticate a REST client. Nothing in a request names its app, so a
token is looked for in all apps. Authentication comes before query and body are looked at.

A user may call each route so many times a minute, counted over all workers. The original counts by
address, ten calls a minute, a limit that ordinary users meet. Here the default is far higher
(READSTATE_ROCKETCHAT_RATE_LIMIT). Headers and body are the original's; `Retry-After` is an
addition.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from cachetools import FIFOCache
from litestar.types import ASGIApp, Receive, Scope, Send

from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.base import ProblemError, Services, operation_of
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Headers, retry_after
from readstate.dialects.rocketchat.errors import NOT_LOGGED_IN, SLOW_DOWN, TOO_MANY_REQUESTS, Operation
from readstate.domain.identity import Session
from readstate.domain.limits import MAX_ID_BYTES

RATE_WINDOW_MS = 60_000
MAX_REMEMBERED = 50_000  # tokens, per worker
MAX_USER_BYTES = 3 * MAX_ID_BYTES  # every byte percent-encoded

_TOKEN, _USER = b"x-auth-token", b"x-user-id"


class TokenAppCache:
    """Remembers the app of a token, so that with many apps only its first use asks them all."""

    def __init__(self) -> None:
        self._apps: FIFOCache[tuple[str, bytes], str] = FIFOCache(MAX_REMEMBERED)

    async def session(self, services: Services, token: str, user: bytes, address: str) -> Session | None:
        """The session of `token` if it is a token of `user`, which is given as in the header."""
        app = self._apps.get((token, user))
        session = await services.tokens.verify(app, token) if app else None
        if session is not None and _is(session, user):
            return session
        self._apps.pop((token, user), None)
        found = await services.credentials.sessions(services.apps.all(), token, address)
        for session in found:
            if _is(session, user):
                self._apps[token, user] = session.app
                return session
        if found:  # a valid token with the wrong user
            services.credentials.missed(address)
        return None


class Authenticator:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, services: Callable[[], Services], token_apps: TokenAppCache) -> None:
        self._app = app
        self._services = services
        self._token_apps = token_apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation, asked = operation_of(scope), cast("Any", scope)
        if isinstance(operation, Operation):
            asked["services"] = self._services()
        if not isinstance(operation, Operation) or not operation.signed_in:
            await self._app(scope, receive, send)
            return
        limits: RateLimits = asked["services"].rate_limits
        asked["auth"] = session = await self._authenticate(asked["services"], asked)
        limits.take(session.app, session.user, operation.cost)
        asked["payer"] = session.app, session.user
        with limits.at_once(session.app, session.user, operation.cost):
            await self._app(scope, receive, send)

    async def _authenticate(self, services: Services, scope: Mapping[str, Any]) -> Session:
        given = {name: value for name, value in scope["headers"] if name in (_TOKEN, _USER)}
        token, user, address = given.get(_TOKEN), given.get(_USER), client_address(scope)
        if not token or not user or len(user) > MAX_USER_BYTES:
            services.credentials.absent(address)
            raise ProblemError(NOT_LOGGED_IN)
        session = await self._token_apps.session(services, token.decode("latin-1"), user, address)
        if session is None:
            raise ProblemError(NOT_LOGGED_IN)
        return session


async def count(services: Services, session: Session, operation: str, limit: int) -> Headers:
    """Count one call of at most `limit` a minute (0: any number).

    Returns the headers that say where the count stands. Raises ProblemError above the limit.
    """
    if limit == 0:
        return ()
    hit = await services.throttle.hit_rate_limit(
        app=session.app, what=f"{operation}:{session.user}", limit=limit, window_ms=RATE_WINDOW_MS
    )
    headers: Headers = (
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % hit.left),
        (b"x-ratelimit-reset", b"%d" % hit.window_ends_ms),
    )
    if not hit.allowed:
        wait_s = max(1, -(-(hit.window_ends_ms - time.time_ns() // 1_000_000) // 1000))
        raise ProblemError(TOO_MANY_REQUESTS, SLOW_DOWN.format(wait_s), headers + retry_after(wait_s))
    return headers


def _is(session: Session, header: bytes) -> bool:
    """Whether a header names the session's user.

    As UTF-8, percent-encoded, or in the one-byte characters that some clients send.
    """
    user = session.user.encode()
    return user in (header, unquote_to_bytes(header), header.decode("latin-1").encode())

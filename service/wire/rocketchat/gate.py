"""Who may pass: X-Auth-Token and X-User-Id, which must belong together (developer.rocket.chat, authenticate a REST client).

Nothing in a request names its app, so a token is looked for in all of them. Checked before the query and the body are looked at.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, Receive, Scope, Send

from service.domain.identity import Session
from service.wire.desk import Desk
from service.wire.rocketchat.errors import NOT_LOGGED_IN, Refused

MAX_REMEMBERED = 50_000  # tokens, per worker

_TOKEN, _USER = b"x-auth-token", b"x-user-id"


class Homes:
    """Remembers in which app a token was good, so that with many apps only its first use asks them all."""

    def __init__(self) -> None:
        self._apps: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    async def session(self, desk: Desk, token: str, user: bytes) -> Session | None:
        """The session of `token` in the app where it is a token of `user`, who is named as a header has it."""
        app = self._apps.get((token, user))
        session = await desk.tokens.verify(app, token) if app else None
        if session is not None and _is(session, user):
            return session
        for session in await sessions(desk, token):
            if _is(session, user):
                self._remember(token, user, session.app)
                return session
        return None

    def _remember(self, token: str, user: bytes, app: str) -> None:
        self._apps[token, user] = app
        if len(self._apps) > MAX_REMEMBERED:
            self._apps.popitem(last=False)


class Gate:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, desk: Callable[[], Desk], homes: Homes) -> None:
        self._app = app
        self._desk = desk
        self._homes = homes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opt = scope["route_handler"].opt
        if "signed_in" in opt:
            scope["desk"] = desk = self._desk()  # type: ignore[typeddict-unknown-key]
            if opt["signed_in"]:
                scope["auth"] = await self._admit(desk, scope["headers"])
        await self._app(scope, receive, send)

    async def _admit(self, desk: Desk, headers: Iterable[tuple[bytes, bytes]]) -> Session:
        given = {name: value for name, value in headers if name in (_TOKEN, _USER)}
        token, user = given.get(_TOKEN), given.get(_USER)
        session = await self._homes.session(desk, token.decode("latin-1"), user) if token and user else None
        if session is None:
            raise Refused(NOT_LOGGED_IN)
        return session


async def sessions(desk: Desk, token: str) -> list[Session]:
    """What `token` stands for in each app where it is good. A custom token may be bound in several."""
    found = await asyncio.gather(*(desk.tokens.verify(app.app, token) for app in desk.apps.all()))
    return [session for session in found if session is not None]


def _is(session: Session, header: bytes) -> bool:
    """Whether a header names the session's user: as UTF-8, percent-encoded, or in the one-byte characters that some clients send."""
    user = session.user.encode()
    return user in (header, unquote_to_bytes(header), header.decode("latin-1").encode())

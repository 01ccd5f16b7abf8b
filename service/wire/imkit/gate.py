"""Who may pass: IM-CLIENT-KEY, IM-Authorization, IM-API-KEY, IM-CLIENT-ID and their old names (docs.imkit.io, Authentication).

Checked in this order, before the body is looked at: user token (401), client key (403). A wrong client key is never a 401: clients
answer a 401 by fetching a new token, and would do so for ever.
"""

from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, Receive, Scope, Send

from service.domain.identity import App, Session
from service.domain.limits import check_id
from service.errors import Invalid
from service.wire.body import until_gone
from service.wire.desk import Desk
from service.wire.imkit.call import Caller, Who
from service.wire.imkit.errors import INVALID_API_KEY, INVALID_CLIENT_KEY, INVALID_TOKEN, INVALID_USER_ID, MISSING_PARAMETER, Refused

# What an id with a slash in the path holds in its place until routing is over. No id may hold this character itself.
SLASH_STANDS_IN = "\x1f"

_API_KEY, _TOKEN, _CLIENT_KEY, _CLIENT_ID = "api_key", "token", "client_key", "client_id"
_HEADERS = {b"im-api-key": _API_KEY, b"im-authorization": _TOKEN, b"im-client-key": _CLIENT_KEY, b"im-client-id": _CLIENT_ID}
_OLD_HEADERS = {b"api_key": _API_KEY, b"authorization": _TOKEN, b"client_key": _CLIENT_KEY}


class Gate:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, desk: Callable[[], Desk]) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = scope["route_handler"].opt.get("who")
        if who is not None:
            scope["desk"] = desk = self._desk()  # type: ignore[typeddict-unknown-key]
            scope["auth"] = await admit(desk, who, scope["headers"])
            if SLASH_STANDS_IN in scope["path"]:
                # A new dict: the framework keeps the one it made for the next request to the same path.
                scope["path_params"] = {name: value.replace(SLASH_STANDS_IN, "/") for name, value in scope["path_params"].items()}
        await self._app(scope, until_gone(receive), send)


async def admit(desk: Desk, who: Who, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
    """The caller that `headers` prove, if they may make a call of kind `who`. Raises Refused."""
    given: dict[str, bytes] = {}
    for name, value in headers:
        if name in _HEADERS:
            given[_HEADERS[name]] = value
        elif name in _OLD_HEADERS:
            given.setdefault(_OLD_HEADERS[name], value)
    if who is Who.BACKEND or given.get(_API_KEY):
        return _backend(desk, who, given)
    return await _client(desk, given)


def _backend(desk: Desk, who: Who, given: dict[str, bytes]) -> Caller:
    app = desk.apps.by_api_key(given.get(_API_KEY, b""))
    if app is None:
        raise Refused(INVALID_API_KEY)
    if given.get(_CLIENT_KEY) and desk.apps.by_client_key(given[_CLIENT_KEY]) != app:
        raise Refused(INVALID_CLIENT_KEY)
    user = _client_id(given.get(_CLIENT_ID, b""))
    if who is Who.CLIENT and not user:
        raise Refused(MISSING_PARAMETER, "IM-CLIENT-ID is required with IM-API-KEY")
    return Caller(app.app, user, True, None)


def _client_id(header: bytes) -> str:
    """The user that the backend acts for. A header holds ASCII and loses blanks at its ends, so any id may be percent-encoded."""
    if not header:
        return ""
    try:
        return check_id("IM-CLIENT-ID", unquote_to_bytes(header).decode())
    except UnicodeDecodeError:
        raise Refused(INVALID_USER_ID, "IM-CLIENT-ID must be percent-encoded UTF-8") from None
    except Invalid as error:
        raise Refused(INVALID_USER_ID, str(error)) from None


async def _client(desk: Desk, given: dict[str, bytes]) -> Caller:
    token = _token(given.get(_TOKEN, b""))
    if not token:
        raise Refused(INVALID_TOKEN)
    app = desk.apps.by_client_key(given.get(_CLIENT_KEY, b""))
    session = await desk.tokens.verify(app.app, token) if app else await _of_any_app(desk, desk.apps.all(), token)
    if session is None:
        raise Refused(INVALID_TOKEN)
    if app is None:
        raise Refused(INVALID_CLIENT_KEY)
    return Caller(app.app, session.user, False, session)


async def _of_any_app(desk: Desk, apps: Iterable[App], token: str) -> Session | None:
    """Whether the token is good somewhere: only then is the client key what is wrong."""
    for app in apps:
        session = await desk.tokens.verify(app.app, token)
        if session is not None:
            return session
    return None


def _token(header: bytes) -> str:
    """The token, bare or after `Bearer `."""
    text = header.decode("latin-1")
    return text[7:].strip() if text[:7].lower() == "bearer " else text

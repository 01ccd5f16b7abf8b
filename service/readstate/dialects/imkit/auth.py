"""Authentication: IM-CLIENT-KEY, IM-Authorization, IM-API-KEY, IM-CLIENT-ID and their old names
(docs.imkit.io, Authentication).

Checked in this order, before the body is read: user token (401), client key (403). A wrong client
key is never a 401: clients answer a 401 by fetching a new token, and would repeat that for ever.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, Receive, Scope, Send

from readstate.dialects.base import ProblemError, Services, operation_of
from readstate.dialects.http.body import until_gone
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.hints import unknown
from readstate.dialects.imkit import errors
from readstate.dialects.imkit.operation import Access, Call, Operation, Principal
from readstate.domain.limits import MAX_ID_BYTES, check_id, has_control_characters
from readstate.errors import Invalid

# Replaces a slash in an id in the path until routing is over. No id may contain this character.
SLASH_STANDS_IN = "\x1f"

MAX_CLIENT_ID_BYTES = 3 * MAX_ID_BYTES  # each byte percent-encoded

_API_KEY, _TOKEN, _CLIENT_KEY, _CLIENT_ID = "api_key", "token", "client_key", "client_id"
_HEADERS = {
    b"im-api-key": _API_KEY,
    b"im-authorization": _TOKEN,
    b"im-client-key": _CLIENT_KEY,
    b"im-client-id": _CLIENT_ID,
}
_OLD_HEADERS = {b"api_key": _API_KEY, b"authorization": _TOKEN, b"client_key": _CLIENT_KEY}

# Headers that browsers may send, and their old names. The backend's key must never be in a browser.
CORS_HEADERS = (
    "IM-CLIENT-KEY",
    "IM-Authorization",
    "IM-CLIENT-ID",
    "IM-Device-ID",
    "x-timezone",
    "CLIENT_KEY",
    "Authorization",
)


class Authenticator:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, services: Callable[[], Services]) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = operation_of(scope)
        if not isinstance(operation, Operation):
            await self._app(scope, until_gone(receive), send)
            return
        asked: Any = scope
        asked["services"] = services = self._services()
        asked["auth"] = principal = await authenticate(services, operation, scope)
        if scope["query_string"]:
            check_query(operation, Call(scope).query_params)
        with services.rate_limits.at_once(principal.app, principal.payer, operation.cost):
            if SLASH_STANDS_IN in scope["path"]:
                # A new dict: the framework reuses its own for the next request to the same path.
                asked["path_params"] = {
                    name: value.replace(SLASH_STANDS_IN, "/") for name, value in asked["path_params"].items()
                }
            await self._app(scope, until_gone(receive), send)


async def authenticate(services: Services, operation: Operation, scope: Any) -> Principal:
    """Find the caller by the headers, check that they may make this call, and charge them for it.

    Raises ProblemError, TooManyRequests.
    """
    given = _credentials(scope)
    access = operation.access
    if access is Access.BACKEND or given.get(_API_KEY):
        principal = _backend(services, access, given, scope)
    elif access is Access.TOKENS:
        return _token_holders(services, given, scope, operation.cost)
    else:
        principal = await _client(services, given, scope)
    app, user = scope["payer"] = principal.app, principal.payer
    services.rate_limits.take(app, user, operation.cost)
    return principal


def _credentials(scope: Any) -> dict[str, bytes]:
    """What the headers say of the caller."""
    given: dict[str, bytes] = {}
    for name, value in scope["headers"]:
        if name in _HEADERS:
            given[_HEADERS[name]] = value
        elif name in _OLD_HEADERS:
            given.setdefault(_OLD_HEADERS[name], value)
    return given


def api_key_of(scope: Any) -> bytes:
    """The API key of a request that was let in by it."""
    return _credentials(scope)[_API_KEY]


def _token_holders(services: Services, given: Mapping[str, bytes], scope: Any, cost: float) -> Principal:
    """The caller of a call with the client key alone. The tokens in the body say which users they
    are.

    The client key is public, so the address pays.
    """
    app = services.apps.by_client_key(given.get(_CLIENT_KEY, b""))
    if app is None:
        services.credentials.absent(client_address(scope))
        raise ProblemError(errors.INVALID_CLIENT_KEY if given.get(_CLIENT_KEY) else errors.NO_CLIENT_KEY)
    services.rate_limits.take_address(client_address(scope), cost)
    return Principal(app.app, "", False, None)


def check_query(operation: Operation, given: Iterable[str]) -> None:
    """Check that the call takes these parameters, so that a misspelt one does not silently change
    its meaning.

    Raises ProblemError.
    """
    known = operation.query
    if known is None:
        return
    for name in given:
        if name not in known:
            raise ProblemError(
                errors.INVALID_QUERY, unknown("parameter", name, [one for one in known if not one.endswith("[]")])
            )


def _backend(services: Services, access: Access, given: dict[str, bytes], scope: Any) -> Principal:
    key = given.get(_API_KEY, b"")
    app = services.apps.by_api_key(key)
    if app is None:
        (services.credentials.missed if key else services.credentials.absent)(client_address(scope))
        raise ProblemError(errors.INVALID_API_KEY if key else errors.NO_API_KEY)
    if given.get(_CLIENT_KEY) and services.apps.by_client_key(given[_CLIENT_KEY]) != app:
        raise ProblemError(errors.INVALID_CLIENT_KEY)
    user = _client_id(given.get(_CLIENT_ID, b""))
    if access is Access.CLIENT and not user:
        raise ProblemError(errors.MISSING_PARAMETER, "IM-CLIENT-ID is required with IM-API-KEY")
    return Principal(app.app, user, True, None)


def _client_id(header: bytes) -> str:
    """The user that the backend acts for.

    The id may be percent-encoded, because a header holds only ASCII and loses blanks at its ends.
    """
    if not header:
        return ""
    if len(header) > MAX_CLIENT_ID_BYTES:
        raise ProblemError(
            errors.INVALID_USER_ID, f"IM-CLIENT-ID must have at most {MAX_ID_BYTES} bytes, percent-encoded"
        )
    try:
        return check_id("IM-CLIENT-ID", unquote_to_bytes(header).decode())
    except UnicodeDecodeError:
        raise ProblemError(errors.INVALID_USER_ID, "IM-CLIENT-ID must be percent-encoded UTF-8") from None
    except Invalid as error:
        raise ProblemError(errors.INVALID_USER_ID, str(error)) from None


async def _client(services: Services, given: dict[str, bytes], scope: Any) -> Principal:
    token = _token(given.get(_TOKEN, b""))
    if not token:
        services.credentials.absent(client_address(scope))
        raise ProblemError(errors.NO_TOKEN)
    app = services.apps.by_client_key(given.get(_CLIENT_KEY, b""))
    session = services.tokens.known(app.app, token) if app else None
    if session is None or not services.tokens.still_valid(session):
        # The client key is wrong only if the token is good in some app.
        session = await services.credentials.session(
            (app,) if app else services.apps.all(), token, client_address(scope)
        )
    if session is None:
        raise ProblemError(errors.INVALID_TOKEN)
    if app is None:
        services.credentials.missed(client_address(scope))
        raise ProblemError(errors.INVALID_CLIENT_KEY if given.get(_CLIENT_KEY) else errors.NO_CLIENT_KEY)
    return Principal(app.app, session.user, False, session)


def _token(header: bytes) -> str:
    """The token, bare or after `Bearer `; "" for a scheme without a token."""
    text = header.decode("latin-1")
    return text[7:].strip() if text[:7].lower() in ("bearer ", "bearer") else text


def restore_encoded_slashes(scope: Scope) -> None:
    """Change the path into one that can be routed. Raises ProblemError for a malformed one.

    An id may contain a slash, which clients percent-encode. The server has decoded the path
    already, so such a path is split again as it was sent. SLASH_STANDS_IN, which no id contains,
    replaces the slash until routing is over.
    """
    path, raw = scope["path"], scope.get("raw_path") or b""
    if "%2" in path or b"%" in raw:
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"?")[0].split(b"/")]
        except UnicodeDecodeError:
            raise ProblemError(errors.INVALID_PATH) from None
        if any(map(has_control_characters, segments)):
            raise ProblemError(errors.INVALID_PATH)
        path = "/".join(segment.replace("/", SLASH_STANDS_IN) for segment in segments)
    elif has_control_characters(path):
        raise ProblemError(errors.INVALID_PATH)
    if "//" in path:
        path = f"/{SLASH_STANDS_IN}"  # an empty id is no id: the same 404 as any unknown path
    scope["path"] = path

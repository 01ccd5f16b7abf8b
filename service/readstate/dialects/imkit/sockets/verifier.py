"""Verifies requests before they reach a connection: parameters, origin, rates, connections."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from readstate.dialects.access import costs
from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.http import query_limits
from readstate.dialects.http.client_address import AddressCounts, client_address
from readstate.dialects.http.frame_writer import FRAMES
from readstate.dialects.http.reply import Headers, retry_after
from readstate.dialects.imkit.auth import CORS_HEADERS
from readstate.dialects.imkit.sockets.admission import Admission
from readstate.dialects.imkit.sockets.connection import Connection
from readstate.errors import TooManyRequests

MAX_PARAMETERS = 32
TOO_MANY_PARAMETERS = f"At most {MAX_PARAMETERS} parameters of {query_limits.PLAIN} bytes together"

Scope = Mapping[str, Any]
Rejection = tuple[str, int, Headers]  # reason, status, headers

_CLIENT_KEY_HEADERS = (b"im-client-key", b"client-key", b"client_key", b"im_client_key")
_CLIENT_KEY_PARAMETERS = ("IM-CLIENT-KEY", "CLIENT_KEY", "clientKey")
# A rejection contains nothing about users, and pages need it to find out what is wrong.
_ANY_ORIGIN = ((b"access-control-allow-origin", b"*"),)


class Verifier:
    """Decides which requests are refused.

    `addresses` counts the connections of each address. `origins` are comma-separated; `*` is any.
    """

    def __init__(
        self, rate_limits: RateLimits, addresses: AddressCounts, admission: Admission, *, origins: str
    ) -> None:
        self._admission = admission
        self._rate_limits = rate_limits
        self._addresses = addresses
        self._origins = frozenset(origin.strip() for origin in origins.split(","))

    def rejection(self, scope: Scope, query: Mapping[str, str], connection: Connection | None) -> Rejection | None:
        """Why a request is refused; None when it is not.

        `connection`: the one that its `sid` names.
        """
        if len(scope["query_string"]) > query_limits.PLAIN or scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            return TOO_MANY_PARAMETERS, 400, ()
        if rejection := self._over_limit(client_address(scope), connection):
            return rejection
        is_websocket = scope["type"] == "websocket"
        reason = self._bad_sender(scope, is_websocket) or _bad_parameters(query, is_websocket)
        if not reason and connection is None and ("sid" in query or scope.get("method") == "POST"):
            reason = "no such session"
        if not reason or (scope.get("method") == "OPTIONS" and self._is_allowed_origin(scope)):
            return None
        return reason, 403 if is_websocket else 400, ()

    def headers(self, scope: Scope, *, refused: bool) -> Headers:
        """The CORS headers of the response. Cookies are never allowed."""
        origin = _header(scope, b"origin")
        if not self._is_allowed_origin(scope):
            return ()
        if refused:
            return _ANY_ORIGIN
        return ((b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")) if origin else ()

    def _over_limit(self, address: str, connection: Connection | None) -> Rejection | None:
        """The rejection when the address sends too many requests or has too many connections.

        Requests of an authenticated connection are not limited here.
        """
        if connection is not None and connection.session is not None:
            return None
        try:
            self._rate_limits.take_address(address, costs.UNKNOWN if connection else costs.HANDSHAKE)
        except TooManyRequests as error:
            return str(error), 429, retry_after(error.retry_after_s)
        if connection is None and not self._addresses.may_hold_more(address):
            return "Too many sockets of this address; close some of them first", 429, retry_after(60)
        if connection is None and (retry_after_s := self._admission.retry_after_s()):
            return "too many clients connect at once; come back later", 503, retry_after(retry_after_s)
        return None

    def _is_allowed_origin(self, scope: Scope) -> bool:
        origin = _header(scope, b"origin")
        return not origin or "*" in self._origins or origin in self._origins

    def _bad_sender(self, scope: Scope, is_websocket: bool) -> str:
        """What is wrong with the origin, the transport or the method; "" when nothing is."""
        if not self._is_allowed_origin(scope):
            return "pages of this origin may not connect"
        if is_websocket:
            return "" if FRAMES in scope.get("extensions", ()) else "this server offers no websockets"
        return "" if scope["method"] in ("GET", "POST") else "only GET and POST are spoken here"


def _bad_parameters(query: Mapping[str, str], is_websocket: bool) -> str:
    """What is wrong with the parameters; "" when nothing is.

    See engine.io-protocol, "Query parameters".
    """
    transport = query.get("transport", "")
    if query.get("EIO") != "4":
        return "EIO must be 4: connect with version 3 or 4 of socket.io-client"
    if transport not in ("polling", "websocket"):
        return "transport must be polling or websocket"
    if (transport == "websocket") != is_websocket:
        return "transport must say how the request is made"
    return "JSONP is not spoken here" if "j" in query else ""


def preflight_headers() -> Headers:
    """The headers of the response to a CORS preflight request."""
    names = ", ".join(["Content-Type", *CORS_HEADERS]).encode()
    return ((b"access-control-allow-methods", b"OPTIONS, GET, POST"), (b"access-control-allow-headers", names))


def query_of(scope: Scope) -> Mapping[str, str]:
    """The parameters of a request, the first of each name; none if more than MAX_PARAMETERS."""
    try:
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in query.items()}


def client_key(scope: Scope, query: Mapping[str, str]) -> str:
    """The client key in a header or parameter of a handshake; "" for none."""
    in_headers = [_header(scope, name) for name in _CLIENT_KEY_HEADERS]
    in_query = [query.get(name, "") for name in _CLIENT_KEY_PARAMETERS]
    return next(filter(None, in_headers + in_query), "")


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), "")

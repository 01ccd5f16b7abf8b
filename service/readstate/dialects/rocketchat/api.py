"""The routes of the dialect, and what the OpenAPI document and browsers have to know of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from litestar import HttpMethod, Router, route
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.openapi.spec import SecurityScheme

from readstate.dialects.http.reply import Reply
from readstate.dialects.rocketchat import counters, receipts, session, subscriptions, threads, unread
from readstate.dialects.rocketchat.auth import Gate, Homes
from readstate.dialects.rocketchat.call import Call
from readstate.dialects.rocketchat.reply import JSON
from readstate.dialects.rocketchat.vocabulary import DIALECT
from readstate.dialects.services import Services

PATH = "/api/v1"

HANDLERS = (
    receipts.get_receipts,
    subscriptions.read,
    subscriptions.get_one,
    subscriptions.get_many,
    unread.unread,
    counters.channel_counters,
    counters.group_counters,
    counters.im_counters,
    counters.dm_counters,
    session.login,
    session.logout,
    session.logout_by_get,
    threads.read_thread,
)

# What browsers may send and see.
CORS_HEADERS = ("X-Auth-Token", "X-User-Id")
CORS_EXPOSED = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

SECURITY = {
    "authToken": SecurityScheme(
        type="apiKey", security_scheme_in="header", name="X-Auth-Token", description="A user's token"
    ),
    "userId": SecurityScheme(
        type="apiKey",
        security_scheme_in="header",
        name="X-User-Id",
        description="That user's id, as UTF-8 or percent-encoded",
    ),
}


def rocketchat_router(rate_limit: int, services: Callable[[], Services]) -> Router:
    """All calls of the dialect, of which each user makes `rate_limit` of each route a minute (0: any number).

    `services` gives what they work with; asked at each request.
    """
    calls: defaultdict[str, list[HTTPRouteHandler]] = defaultdict(list)
    for call in HANDLERS:
        (path,) = call.paths
        calls[path].append(call)
    extra = [handler for path, those in calls.items() for handler in _extra(path, those)]
    gate = DefineMiddleware(Gate, services=services, homes=Homes())
    opt = {"rate_limit": rate_limit}
    return Router(path=PATH, route_handlers=[*extra, *HANDLERS], middleware=[gate], opt=opt, tags=[DIALECT.tag])


def _extra(path: str, calls: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """OPTIONS for a path, and HEAD where one of its calls is asked by GET."""
    methods = {HttpMethod.OPTIONS, *(method for call in calls for method in call.http_methods)}
    handlers = []
    for call in calls:
        if HttpMethod.GET in call.http_methods:
            methods.add(HttpMethod.HEAD)
            handlers.append(_head(path, call))
    allow = ", ".join(sorted(methods)).encode()

    @route(path, http_method=HttpMethod.OPTIONS, opt={"operation": "options"}, status_code=200, include_in_schema=False)
    async def options() -> Reply:
        """Which methods the path takes. A browser's preflight is answered before it gets here."""
        return Reply(b"", more_headers=((b"allow", allow),), media_type=JSON)

    # The framework makes an OPTIONS of its own for a path that has none when its first handler comes.
    return [options, *handlers]


def _head(path: str, call: HTTPRouteHandler) -> HTTPRouteHandler:
    @route(
        path, http_method=HttpMethod.HEAD, opt=call.opt, request_class=Call, status_code=200, include_in_schema=False
    )
    async def head(request: Call) -> Reply:
        """The same as GET; the server leaves the body out."""
        reply: Reply = await call.fn(request)
        return reply

    return head

"""The routes of the dialect, and what the OpenAPI document and browsers have to know of them."""

from collections import defaultdict
from collections.abc import Callable

from litestar import HttpMethod, Router, route
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.openapi.spec import SecurityScheme

from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit import badges, batch, me, members, reading, receipts, room_list, rooms
from readstate.dialects.imkit import messages as posts
from readstate.dialects.imkit import users as admin
from readstate.dialects.imkit.auth import Gate
from readstate.dialects.imkit.vocabulary import DIALECT
from readstate.dialects.services import Services

HANDLERS = (
    reading.mark_read,
    reading.mark_read_many,
    reading.badge,
    reading.badges_by_tags,
    badges.badges,
    room_list.rooms,
    room_list.room_ids,
    rooms.room,
    rooms.count_messages,
    rooms.create_room,
    rooms.create_and_join,
    rooms.update_room,
    rooms.delete_room,
    members.join,
    members.add_members,
    members.remove_members,
    members.add_member,
    members.remove_member,
    members.member,
    receipts.receipts,
    receipts.receipt_counts,
    posts.send,
    posts.post_message,
    batch.post_batch,
    posts.delete_message,
    posts.delete_messages,
    me.me,
    me.logout,
    admin.upsert_user,
    admin.upsert_users,
    admin.bind_token,
    admin.revoke_tokens,
)

# What browsers may send: names of today, and those that older clients still use. A backend's key has no place in a browser.
CORS_HEADERS = (
    "IM-CLIENT-KEY",
    "IM-Authorization",
    "IM-CLIENT-ID",
    "IM-Device-ID",
    "x-timezone",
    "CLIENT_KEY",
    "Authorization",
)

SECURITY = {
    "clientKey": SecurityScheme(
        type="apiKey", security_scheme_in="header", name="IM-CLIENT-KEY", description="Names the app"
    ),
    "userToken": SecurityScheme(
        type="apiKey", security_scheme_in="header", name="IM-Authorization", description="A user's token"
    ),
    "apiKey": SecurityScheme(
        type="apiKey", security_scheme_in="header", name="IM-API-KEY", description="The backend's key"
    ),
    "clientId": SecurityScheme(
        type="apiKey",
        security_scheme_in="header",
        name="IM-CLIENT-ID",
        description="The user the backend acts for, percent-encoded. Calls that can do without take it, too",
    ),
}


def imkit_router(services: Callable[[], Services]) -> Router:
    """All calls of the dialect. `services` gives what they work with; asked at each request."""
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for handler in HANDLERS:
        for path in handler.paths:
            methods[path].update(handler.http_methods)
    options = [_options(path, allowed) for path, allowed in methods.items()]
    gate = DefineMiddleware(Gate, services=services)
    return Router(path="/", route_handlers=[*options, *HANDLERS], middleware=[gate], tags=[DIALECT.tag])


def _options(path: str, methods: set[str]) -> HTTPRouteHandler:
    """OPTIONS for one path. The framework's own would name the methods of one of the path's handlers only."""
    allow = ", ".join(sorted({*methods, "OPTIONS"})).encode()

    @route(
        path, http_method=[HttpMethod.OPTIONS], status_code=200, opt={"operation": "options"}, include_in_schema=False
    )
    async def options() -> Reply:
        """Which methods the path takes. A browser's preflight is answered before it gets here."""
        return Reply(b"", more_headers=((b"allow", allow),))

    return options

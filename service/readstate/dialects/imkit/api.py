"""The dialect as one value: its routes, and what the OpenAPI document and browsers need to know."""

from collections.abc import Callable
from functools import partial

from litestar import Router
from litestar.middleware import DefineMiddleware

from readstate.dialects.base import Dialect, Services, api_key, handlers_in, with_options
from readstate.dialects.imkit import (
    batch,
    changes,
    members,
    messages,
    personal_data,
    reading,
    receipts,
    room_list,
    rooms,
    users,
)
from readstate.dialects.imkit.auth import CORS_HEADERS, Authenticator, restore_encoded_slashes
from readstate.dialects.imkit.errors import FAILURES, answer
from readstate.dialects.imkit.sockets.asyncapi import asyncapi_document
from readstate.dialects.imkit.sockets.server import SocketServer
from readstate.dialects.imkit.vocabulary import VOCABULARY
from readstate.settings import Settings

HANDLERS = handlers_in(reading, changes, room_list, rooms, members, receipts, messages, batch, users, personal_data)

SECURITY = {
    "clientKey": api_key("header", "IM-CLIENT-KEY", "Names the app"),
    "userToken": api_key("header", "IM-Authorization", "A user's token"),
    "apiKey": api_key("header", "IM-API-KEY", "The backend's key"),
    "clientId": api_key(
        "header",
        "IM-CLIENT-ID",
        "The user the backend acts for, percent-encoded. Calls that can do without take it, too",
    ),
}


def dialect(settings: Settings, services: Callable[[], Services]) -> Dialect:
    """IMKit over HTTP and on sockets. `services` is asked at each request."""
    middleware = [DefineMiddleware(Authenticator, services=services)]
    return Dialect(
        name="imkit",
        handlers=[Router("/", route_handlers=with_options(HANDLERS), middleware=middleware, tags=[VOCABULARY.tag])],
        owns=lambda _: True,  # every path that no other dialect owns
        answer=answer,
        vocabulary=VOCABULARY,
        security=SECURITY,
        failures=FAILURES,
        cors_headers=CORS_HEADERS,
        prepare_path=restore_encoded_slashes,
        fast_routes=reading.FAST_ROUTES,
        socket_path="/socket.io",
        open_sockets=partial(SocketServer, settings),
        describe_events=asyncapi_document,
    )

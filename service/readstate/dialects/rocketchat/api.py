"""The routes of the dialect, and what the OpenAPI document and browsers have to know of them."""

from collections.abc import Callable

from litestar import Router
from litestar.middleware import DefineMiddleware

from readstate.dialects.base import Dialect, Services, api_key, handlers_in, with_options
from readstate.dialects.rocketchat import counters, reading, receipts, subscriptions, users
from readstate.dialects.rocketchat.auth import Authenticator, TokenAppCache
from readstate.dialects.rocketchat.errors import FAILURES, answer, owns
from readstate.dialects.rocketchat.reply import JSON
from readstate.dialects.rocketchat.vocabulary import VOCABULARY
from readstate.settings import Settings

PATH = "/api/v1"

HANDLERS = handlers_in(receipts, subscriptions, reading, counters, users)

# What browsers may send and see.
CORS_HEADERS = ("X-Auth-Token", "X-User-Id")
CORS_EXPOSED = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

SECURITY = {
    "authToken": api_key("header", "X-Auth-Token", "A user's token"),
    "userId": api_key("header", "X-User-Id", "That user's id, as UTF-8 or percent-encoded"),
}


def dialect(settings: Settings, services: Callable[[], Services]) -> Dialect:
    """Rocket.Chat. `services` is asked at each request."""
    router = Router(
        PATH,
        route_handlers=with_options(HANDLERS, head=True, media_type=JSON),
        middleware=[DefineMiddleware(Authenticator, services=services, token_apps=TokenAppCache())],
        opt={"rate_limit": settings.rocketchat_rate_limit},  # calls of each route a minute and user; 0: any number
        tags=[VOCABULARY.tag],
    )
    return Dialect(
        name="rocketchat",
        handlers=[router],
        owns=owns,
        answer=answer,
        vocabulary=VOCABULARY,
        security=SECURITY,
        failures=FAILURES,
        cors_headers=CORS_HEADERS,
        cors_exposed=CORS_EXPOSED,
    )

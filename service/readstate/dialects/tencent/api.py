"""The dialect as one value: the routes of its API and of its callbacks."""

from collections.abc import Callable
from typing import Any

from litestar import Router
from litestar.middleware import DefineMiddleware

from readstate.dialects.base import Dialect, Services, handlers_in, options_handler
from readstate.dialects.http.reply import Reply
from readstate.dialects.tencent import errors, group, openim
from readstate.dialects.tencent.auth import Authenticator, AuthMiddleware, TencentApp
from readstate.dialects.tencent.callbacks import errors as callback_errors
from readstate.dialects.tencent.callbacks.api import callback_handler
from readstate.dialects.tencent.callbacks.auth import CallbackAuthenticator
from readstate.dialects.tencent.errors import FAILURES, UNREADABLE_REQUEST
from readstate.dialects.tencent.operation import SECURITY
from readstate.dialects.tencent.vocabulary import VOCABULARY
from readstate.domain.identity import FIRST_APP
from readstate.settings import Settings
from readstate.urls import is_loopback

HANDLERS = handlers_in(openim, group)


def dialect(settings: Settings, services: Callable[[], Services]) -> Dialect:
    """Tencent's server API and its callbacks. `services` is asked at each request."""
    tencent_app = tencent_app_of(settings)
    api = Router(
        "/v4",
        route_handlers=[
            # The framework's own answer would not have status 200.
            options_handler(sorted({path for handler in HANDLERS for path in handler.paths}), UNREADABLE_REQUEST.reply),
            *HANDLERS,
        ],
        middleware=[DefineMiddleware(AuthMiddleware, authenticator=Authenticator(tencent_app), services=services)],
        tags=[VOCABULARY.tag],
    )
    return Dialect(
        name="tencent",
        handlers=[api, callback_handler(tencent_app, callback_authenticator(settings), services)],
        owns=lambda path: errors.owns(path) or callback_errors.owns(path),
        answer=_answer,
        vocabulary=VOCABULARY,
        security=SECURITY,
        failures=FAILURES,
    )


def tencent_app_of(settings: Settings) -> TencentApp:
    """Tencent's app as the settings have it. Here it is the first app."""
    return TencentApp(
        app=FIRST_APP,
        sdkappid=settings.tencent_sdkappid,
        key=settings.tencent_key,
        old_key=settings.tencent_old_key,
        admins=frozenset(name.strip() for name in settings.tencent_admin.split(",")) - {""},
        rate_limit=settings.tencent_rate_limit,
    )


def callback_authenticator(settings: Settings) -> CallbackAuthenticator:
    """What checks callbacks, as the settings have it."""
    return CallbackAuthenticator(
        settings.tencent_token,
        settings.tencent_sdkappid,
        is_loopback(settings.host),
        old_token=settings.tencent_old_token,
    )


def _answer(scope: Any, error: Exception) -> Reply:
    if callback_errors.owns(scope["path"]):
        return callback_errors.answer(scope, error)
    return errors.answer(scope, error)

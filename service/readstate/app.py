"""The one place where the parts are joined.

create_app(settings) -> ASGI
    /socket.io/  the sockets
    the rest     Litestar: the IMKit dialect, the Tencent dialect under /v4 and /tencent, Rocket.Chat under /api,
                 /healthz, /readyz, /metrics, /schema
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

from litestar import HttpMethod, Litestar, Request
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.exceptions import HTTPException
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from readstate import metrics
from readstate.dialects.access import costs
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.cors import cors_config
from readstate.dialects.http.health import operating_handlers
from readstate.dialects.http.openapi.config import DescribedStructs, openapi_config
from readstate.dialects.http.reply import Reply
from readstate.dialects.http.untaken import LARGE_BYTES
from readstate.dialects.imkit import api as imkit_routes
from readstate.dialects.imkit import vocabulary as imkit_vocabulary
from readstate.dialects.imkit.errors import FAILURES, INVALID_PATH, answer, answer_in
from readstate.dialects.imkit.path import restore_encoded_slashes
from readstate.dialects.imkit.reading import EXPRESSES
from readstate.dialects.rocketchat import api as rocketchat_routes
from readstate.dialects.rocketchat import errors as rocketchat_errors
from readstate.dialects.rocketchat import vocabulary as rocketchat_vocabulary
from readstate.dialects.tencent import errors as tencent_answers
from readstate.dialects.tencent import vocabulary as tencent_vocabulary
from readstate.dialects.tencent.api import tencent_router
from readstate.dialects.tencent.auth import Access
from readstate.dialects.tencent.callbacks import errors as callback_answers
from readstate.dialects.tencent.callbacks.api import callback_handler
from readstate.dialects.tencent.callbacks.auth import Door, is_loopback
from readstate.dialects.tencent.codes import FAILURES as TENCENT_FAILURES
from readstate.dialects.tencent.operation import SECURITY as TENCENT_SECURITY
from readstate.errors import TooManyRequests
from readstate.parts import Parts, open_parts
from readstate.process.stopping import BEGIN_STOP
from readstate.process.transport import GatheringTransport
from readstate.settings import Settings
from readstate.store.apps import FIRST_APP

logger = logging.getLogger(__name__)

_FAILURES = FAILURES | TENCENT_FAILURES
_SOCKETS = "/socket.io"


def create_app(settings: Settings) -> "Service":
    """The service as an ASGI application. It connects to `settings.redis_url` when the server starts it up."""
    return Service(lambda: open_parts(settings), settings)


def tencent_access(settings: Settings) -> Access:
    """Who may call the Tencent dialect; its app is the first one."""
    return Access(
        app=FIRST_APP,
        sdkappid=settings.tencent_sdkappid,
        key=settings.tencent_key,
        old_key=settings.tencent_old_key,
        admins=frozenset(name.strip() for name in settings.tencent_admin.split(",")) - {""},
        rate_limit=settings.tencent_rate_limit,
    )


def tencent_door(settings: Settings) -> Door:
    """Who may send Tencent's callbacks."""
    return Door(
        settings.tencent_token,
        settings.tencent_sdkappid,
        is_loopback(settings.host),
        old_token=settings.tencent_old_token,
    )


class Service:
    """Opens and closes the parts, and brings each request to the one that answers it."""

    def __init__(self, open_parts: Callable[[], AbstractAsyncContextManager[Parts]], settings: Settings) -> None:
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._http = Litestar(
            route_handlers=[
                imkit_routes.imkit_router(lambda: self.parts.services),
                tencent_router(tencent_access(settings), lambda: self.parts.services),
                callback_handler(tencent_access(settings), tencent_door(settings), lambda: self.parts.services),
                rocketchat_routes.rocketchat_router(settings.rocketchat_rate_limit, lambda: self.parts.services),
                *operating_handlers(self._why_not_ready, self._warnings, _version()),
            ],
            cors_config=cors_config(
                settings.cors_origins,
                headers=[*imkit_routes.CORS_HEADERS, *rocketchat_routes.CORS_HEADERS],
                exposed=rocketchat_routes.CORS_EXPOSED,
            ),
            exception_handlers={HTTPException: self._answer, Exception: self._answer},
            lifespan=[self._lifespan],
            openapi_config=openapi_config(
                _version(),
                {**imkit_routes.SECURITY, **TENCENT_SECURITY, **rocketchat_routes.SECURITY},
                [imkit_vocabulary.DIALECT, rocketchat_vocabulary.DIALECT, tencent_vocabulary.DIALECT],
            ),
            plugins=[DescribedStructs()],
            logging_config=None,
        )

    @property
    def parts(self) -> Parts:
        if self._parts is None:
            raise RuntimeError("the service is not started")
        return self._parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: Any = scope["type"]
        if kind == "lifespan":
            scope.get("state", {})[BEGIN_STOP] = self._begin_stop
            await self._http(scope, receive, send)
        elif scope["path"] == _SOCKETS or scope["path"].startswith(_SOCKETS + "/"):
            await self.parts.sockets(scope, receive, send)  # type: ignore[arg-type]
        elif kind == "http":
            await self._serve(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._http(scope, receive, send)

    def _begin_stop(self) -> None:
        if self._parts:
            self._parts.sockets.begin_stop()

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, as it is served at /schema."""
        return self._http.openapi_schema.to_schema()

    def make_document(self) -> None:
        """Make what is served at /schema. Else its first reader would hold up the worker for longer than any call may."""
        self._http.plugins.get(OpenAPIPlugin).provide_openapi_schema()

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started_s = perf_counter()
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": HttpMethod.GET}, _without_body(send)
        if express := EXPRESSES.find(scope):
            await express[0].serve(self.parts.services, express[1], scope, receive, send)
        elif error_handler_for(scope["path"]) is answer and not restore_encoded_slashes(scope):
            await self._refuse_path(scope)(scope, receive, send)
        elif reply := self._over_limit(scope):
            await reply(scope, receive, send)
        else:
            await self._http(scope, receive, send)
        self._note_untaken(scope, send)
        handler = scope.get("route_handler")
        operation = handler.opt.get("operation", "other") if handler else "unrouted"
        outcome: str = scope.get("outcome", "ok")  # type: ignore[assignment]
        metrics.observe("http", operation, outcome, started_s)
        # A refusal is the caller's doing and no failure of the service.
        level = logging.WARNING if outcome in _FAILURES else logging.DEBUG
        if logger.isEnabledFor(level):
            elapsed_ms = round((perf_counter() - started_s) * 1000, 3)
            logger.log(level, "request", extra={"operation": operation, "outcome": outcome, "elapsed_ms": elapsed_ms})

    def _refuse_path(self, scope: Any) -> Reply:
        """The answer to a malformed path, for any caller."""
        try:
            self._charge_stranger(scope)
        except TooManyRequests as error:
            return answer_in(scope, error)
        scope["outcome"] = INVALID_PATH.code
        return INVALID_PATH.reply()

    def _over_limit(self, scope: Any) -> Reply | None:
        """The answer to an address that asks too often for what needs no credentials; None when the request may go on."""
        cost = (
            costs.UNKNOWN if scope["method"] == "OPTIONS" else costs.STRANGERS.get(scope["path"][1:].partition("/")[0])
        )
        if cost is None:
            return None
        try:
            self._charge_stranger(scope, cost)
        except TooManyRequests as error:
            scope["outcome"] = error.code
            return Reply(
                f"{error}\n".encode(),
                429,
                error.code,
                ((b"retry-after", b"%d" % error.retry_after_s),),
                b"text/plain; charset=utf-8",
            )
        return None

    def _charge_stranger(self, scope: Any, cost: float = costs.UNKNOWN) -> None:
        if self._parts:
            self._parts.services.rate_limits.take_address(client_address(scope), cost)

    def _note_untaken(self, scope: Any, send: Any) -> None:
        """Remember a connection that has much left to send to a user. ASGI has no word for it; uvicorn's `send` knows its transport."""
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if (
            isinstance(transport, GatheringTransport)
            and transport.has_much_left(LARGE_BYTES)
            and scope.get("payer", ("", ""))[1]
        ):
            self.parts.services.rate_limits.untaken.note(scope["payer"], transport)

    def _answer(self, request: Request[Any, Any, Any], error: Exception) -> Any:
        """What the dialect of the path says to an error. A Reply is all that the framework asks of a response here."""
        scope: Any = request.scope
        if isinstance(error, HTTPException) and "auth" not in scope:  # no call that a caller was let in to
            try:
                self._charge_stranger(scope)
            except TooManyRequests as refusal:
                error = refusal
        return error_handler_for(scope["path"])(request, error)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        async with self._open_parts() as self._parts:
            yield
        self._parts = None

    async def _why_not_ready(self) -> str:
        return await self.parts.why_not_ready() if self._parts else "starting"

    def _warnings(self) -> list[str]:
        return (
            [*self._parts.workers.warnings(), *self._parts.memory.warnings(), *self._parts.writes.warnings()]
            if self._parts
            else []
        )


def error_handler_for(path: str) -> Callable[[Request[Any, Any, Any], Exception], Any]:
    """How the dialect that a path belongs to says what went wrong. What is nobody else's is IMKit's."""
    return next(
        (dialect.answer for dialect in (tencent_answers, callback_answers, rocketchat_errors) if dialect.speaks(path)),
        answer,
    )


def _without_body(send: Send) -> Send:
    """`send` for HEAD: what GET would answer, with its length, and without its body."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def _version() -> str:
    try:
        return version("readstate")
    except PackageNotFoundError:
        return "0"

"""The service as an ASGI application: it joins the dialects with the parts of a running service.

create_app(settings) -> ASGI
    sockets and fast routes of the dialects, past the framework
    the rest, by Litestar: the dialects' routes, /healthz, /readyz, /metrics, /schema, /docs
    on the port for operators, if there is one, only /healthz, /readyz, /metrics
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from time import monotonic, perf_counter
from typing import Any

from litestar import HttpMethod, Litestar, Request
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from readstate import metrics
from readstate.dialects.access import costs
from readstate.dialects.base import Dialect, Services, SocketServer, dialect_of, operation_of
from readstate.dialects.docs_page import docs_handlers
from readstate.dialects.health import index_handler, operating_handlers, ops_app
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.cors import cors_config
from readstate.dialects.http.durability import serve_durably
from readstate.dialects.http.openapi.config import DescribedStructs, openapi_config
from readstate.dialects.http.output_buffers import LARGE_BYTES
from readstate.dialects.http.reply import TEXT, Reply, retry_after
from readstate.dialects.http.request_id import for_log, note_request_id
from readstate.dialects.imkit import api as imkit
from readstate.dialects.rocketchat import api as rocketchat
from readstate.dialects.tencent import api as tencent
from readstate.domain.durability import Durability
from readstate.errors import TooManyRequests, Unavailable
from readstate.parts import Connect, Parts, open_parts
from readstate.process.stopping import BEGIN_STOP
from readstate.process.transport import GatheringTransport
from readstate.settings import Settings
from readstate.startup import Startup
from readstate.store.connect import connect
from readstate.tasks import cancel_and_wait
from readstate.vitals import keep_measuring

logger = logging.getLogger(__name__)

SLOW_S = 1.0  # a call of which the log tells
SLOW_AGAIN_S = 1.0  # on one worker


def dialects(settings: Settings, services: Callable[[], Services]) -> tuple[Dialect, ...]:
    """The published APIs. The first one answers on every path that no other one owns."""
    return (
        imkit.dialect(settings, services),
        rocketchat.dialect(settings, services),
        tencent.dialect(settings, services),
    )


def create_app(settings: Settings, *, connect: Connect = connect) -> "Service":
    """The service. When its lifespan starts it connects to `settings.redis_url`, by `connect`."""
    kind = Service if settings.ops_port is None else ServiceWithOpsPort
    return kind(lambda: open_parts(settings, connect=connect), settings)


class Service:
    """Opens and closes the parts, and passes each request to what answers it."""

    def __init__(self, open_parts: Callable[[], AbstractAsyncContextManager[Parts]], settings: Settings) -> None:
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._startup = Startup(self._open)
        self.dialects = dialects(settings, lambda: self.parts.services)
        self._fast_routes = [dialect.fast_routes for dialect in self.dialects if dialect.fast_routes]
        self._failures = frozenset().union(*(dialect.failures for dialect in self.dialects))
        self._socket_paths = tuple(dialect.socket_path for dialect in self.dialects if dialect.socket_path)
        self.sockets: dict[str, SocketServer] = {}  # by path
        operating = operating_handlers(self._why_not_ready, self._warnings, self._layout)
        self._told_of_slow_s = -SLOW_AGAIN_S
        self._http = Litestar(
            route_handlers=[
                index_handler(_version(), docs=settings.shows_docs()),
                *(docs_handlers() if settings.shows_docs() else ()),
                *(handler for dialect in self.dialects for handler in dialect.handlers),
                *self._on_this_port(operating),
            ],
            cors_config=cors_config(
                settings.cors_origins,
                headers=[header for dialect in self.dialects for header in dialect.cors_headers],
                exposed=[header for dialect in self.dialects for header in dialect.cors_exposed],
            ),
            exception_handlers={HTTPException: self._answer, Exception: self._answer},
            lifespan=[self._lifespan],
            openapi_config=openapi_config(
                _version(),
                {name: scheme for dialect in self.dialects for name, scheme in dialect.security.items()},
                [dialect.vocabulary for dialect in self.dialects],
                [dialect.describe_events for dialect in self.dialects if dialect.describe_events],
            ),
            plugins=[DescribedStructs()],
            logging_config=None,
        )

    def _on_this_port(self, operating: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
        """Which of the handlers for operators answer on the port of the callers: all of them."""
        return operating

    @property
    def parts(self) -> Parts:
        """Raises Unavailable while the store is away at the start."""
        if self._parts is None:
            raise Unavailable(self._startup.why)
        return self._parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: Any = scope["type"]
        if kind == "lifespan":
            scope.get("state", {})[BEGIN_STOP] = self._begin_stop
            await self._http(scope, receive, send)
        elif scope["path"].startswith(self._socket_paths) and (sockets := self._sockets_at(scope["path"])):
            await sockets(scope, receive, send)
        elif kind == "http":
            await self._serve(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._http(scope, receive, send)

    def _begin_stop(self) -> None:
        for sockets in self.sockets.values():
            sockets.begin_stop()

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, as it is served at /schema."""
        return self._http.openapi_schema.to_schema()

    def make_document(self) -> None:
        """Make the OpenAPI document now.

        Else the first request for it would hold up the worker for longer than any call may.
        """
        self._http.plugins.get(OpenAPIPlugin).provide_openapi_schema()

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started_s = perf_counter()
        if scope["method"] == "HEAD":
            scope, receive, send = _as_get(scope, receive, send)
        found = None
        for routes in self._fast_routes:
            if found := routes.find(scope):
                break
        if found and self._parts:
            services = self._parts.services
            if services.confirmation.default is Durability.FAST:
                await found[0].serve(services, found[1], scope, receive, send)
            else:
                await self._serve_durably(partial(found[0].serve, services, found[1]), scope, receive, send)
        else:
            await self._serve_by_framework(scope, receive, send)
        self._note_output_buffer(scope, send)
        operation = operation_of(scope).name
        outcome: str = scope.get("outcome", "ok")  # type: ignore[assignment]
        elapsed_s = metrics.observe("http", operation, outcome, started_s)
        # A refusal is the caller's doing and no failure of the service.
        level = logging.WARNING if outcome in self._failures or self._is_slow(elapsed_s) else logging.DEBUG
        if logger.isEnabledFor(level):
            elapsed_ms = round(elapsed_s * 1000, 3)
            told = {"operation": operation, "outcome": outcome, "elapsed_ms": elapsed_ms, **for_log(scope)}
            logger.log(level, "request", extra=told)

    async def _serve_by_framework(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        note_request_id(scope)
        if reply := self._bad_path(scope) or self._over_limit(scope) or self._not_open(scope):
            await reply(scope, receive, send)
        else:
            await self._serve_durably(self._http, scope, receive, send)

    def _is_slow(self, elapsed_s: float) -> bool:
        """Whether a call took so long that the log tells of it.

        One in a while: clients who send their bodies slowly could fill the log.
        """
        if elapsed_s < SLOW_S:
            return False
        now_s = monotonic()
        if now_s - self._told_of_slow_s < SLOW_AGAIN_S:
            return False
        self._told_of_slow_s = now_s
        return True

    async def _serve_durably(self, app: Any, scope: HTTPScope, receive: Receive, send: Send) -> None:
        if self._parts:
            answer = dialect_of(scope["path"], self.dialects).answer
            await serve_durably(app, self._parts.services.confirmation, answer, scope, receive, send)
        else:
            await app(scope, receive, send)

    def _sockets_at(self, path: str) -> SocketServer | None:
        for known in self._socket_paths:
            if path.startswith(known) and path[len(known) :][:1] in ("", "/"):
                return self.sockets.get(known)  # none while the store is away at the start
        return None

    def _bad_path(self, scope: Any) -> Reply | None:
        """The answer to a malformed path, for any caller; None for one that can be routed."""
        dialect = dialect_of(scope["path"], self.dialects)
        try:
            dialect.prepare_path(scope)
        except Exception as error:
            return self._answer_stranger(dialect, scope, error)
        return None

    def _over_limit(self, scope: Any) -> Reply | None:
        """The refusal of an address that asks too often without credentials; None: go on."""
        first_word = scope["path"][1:].partition("/")[0]
        cost = costs.UNKNOWN if scope["method"] == "OPTIONS" else costs.STRANGERS.get(first_word)
        if cost is None:
            return None
        try:
            self._charge_stranger(scope, cost)
        except TooManyRequests as error:
            scope["outcome"] = error.code
            return Reply(f"{error}\n".encode(), 429, error.code, retry_after(error.retry_after_s), TEXT)
        return None

    def _not_open(self, scope: Any) -> Reply | None:
        """The answer to those who want a socket while the store is away at the start."""
        if self._parts or not scope["path"].startswith(self._socket_paths):
            return None
        return dialect_of(scope["path"], self.dialects).answer(scope, Unavailable(self._startup.why))

    def _charge_stranger(self, scope: Any, cost: float = costs.UNKNOWN) -> None:
        if self._parts:
            self._parts.services.rate_limits.take_address(client_address(scope), cost)

    def _note_output_buffer(self, scope: Any, send: Any) -> None:
        """Remember a connection that has much left to send to a user.

        ASGI does not say it, but uvicorn's `send` knows its transport.
        """
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        _, user = payer = scope.get("payer", ("", ""))
        if user and isinstance(transport, GatheringTransport) and transport.has_much_left(LARGE_BYTES):
            self.parts.services.rate_limits.output_buffers.note(payer, transport)

    def _answer(self, request: Request[Any, Any, Any], error: Exception) -> Any:
        """The answer to an error in the dialect of the path.

        The framework takes a Reply as a response.
        """
        scope: Any = request.scope
        dialect = dialect_of(scope["path"], self.dialects)
        if isinstance(error, HTTPException) and "auth" not in scope:  # no authenticated call
            return self._answer_stranger(dialect, scope, error)
        return dialect.answer(scope, error)

    def _answer_stranger(self, dialect: Dialect, scope: Any, error: Exception) -> Reply:
        try:
            self._charge_stranger(scope)
        except TooManyRequests as refusal:
            error = refusal
        return dialect.answer(scope, error)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        measuring = asyncio.create_task(keep_measuring(_version()))
        try:
            async with self._startup.running():
                yield
        finally:
            await cancel_and_wait(measuring)
        self._parts = None
        self.sockets.clear()

    async def _open(self, stack: AsyncExitStack) -> None:
        parts = await stack.enter_async_context(self._open_parts())
        for dialect in self.dialects:
            if dialect.open_sockets:
                sockets = dialect.open_sockets(parts.services, parts.notices)
                await sockets.start()
                stack.push_async_callback(sockets.stop)
                self.sockets[dialect.socket_path] = sockets
        self._parts = parts

    async def _why_not_ready(self) -> str:
        return await self._parts.why_not_ready() if self._parts else self._startup.why

    def _warnings(self) -> list[str]:
        parts = self._parts
        return [*parts.workers.warnings(), *parts.health.warnings()] if parts else []

    def _layout(self) -> str:
        return self.parts.layout.describe()


class ServiceWithOpsPort(Service):
    """The same, with what is for operators on a port of its own, and only there.

    The port of a request is that of the socket on which it came. A service without such a port has
    nothing to compare.
    """

    def __init__(self, open_parts: Callable[[], AbstractAsyncContextManager[Parts]], settings: Settings) -> None:
        self._ops_port = settings.ops_port
        super().__init__(open_parts, settings)

    def _on_this_port(self, operating: Sequence[HTTPRouteHandler]) -> Sequence[HTTPRouteHandler]:
        self._ops = ops_app(operating)
        return []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: Any = scope["type"]
        if kind != "lifespan" and (scope.get("server") or ("", None))[1] == self._ops_port:
            await self._ops(*_as_get(scope, receive, send) if kind == "http" else (scope, receive, send))
        else:
            await super().__call__(scope, receive, send)


def _as_get(scope: Any, receive: Receive, send: Send) -> tuple[Any, Receive, Send]:
    """A HEAD as a GET, whose answer is sent with its length and without its body."""
    if scope["method"] != "HEAD":
        return scope, receive, send

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return {**scope, "method": HttpMethod.GET}, receive, send_head


def _version() -> str:
    try:
        return version("readstate")
    except PackageNotFoundError:
        return "0"

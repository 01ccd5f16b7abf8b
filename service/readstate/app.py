"""The one place where the parts are joined.

create_app(settings) -> ASGI
    /socket.io/  the realtime surface
    the rest     Litestar: the IMKit dialect, the Tencent dialect under /v4 and /tencent, Rocket.Chat under /api,
                 /healthz, /readyz, /metrics, /schema
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar import HttpMethod, Litestar, Request
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.exceptions import HTTPException
from litestar.types import HTTPScope, Message, Receive, Scope, Send
from msgspec import Struct

from readstate import metrics
from readstate.dialects.access import costs
from readstate.dialects.access.credentials import Credentials
from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.cors import cors_config
from readstate.dialects.http.health import operating_handlers
from readstate.dialects.http.openapi.config import DescribedStructs, openapi_config
from readstate.dialects.http.reply import Reply
from readstate.dialects.http.untaken import LARGE_BYTES
from readstate.dialects.imkit import api as imkit_routes
from readstate.dialects.imkit import vocabulary as imkit_vocabulary
from readstate.dialects.imkit.auth import SLASH_STANDS_IN
from readstate.dialects.imkit.errors import FAILURES, INVALID_PATH, answer, answer_in
from readstate.dialects.imkit.reading import EXPRESSES
from readstate.dialects.imkit.sockets.server import Realtime
from readstate.dialects.people import People
from readstate.dialects.rocketchat import api as rocketchat_routes
from readstate.dialects.rocketchat import errors as rocketchat_errors
from readstate.dialects.rocketchat import vocabulary as rocketchat_vocabulary
from readstate.dialects.services import Services
from readstate.dialects.tencent import errors as tencent_answers
from readstate.dialects.tencent import vocabulary as tencent_vocabulary
from readstate.dialects.tencent.api import tencent_router
from readstate.dialects.tencent.auth import Access
from readstate.dialects.tencent.callbacks import errors as callback_answers
from readstate.dialects.tencent.callbacks.api import callback_handler
from readstate.dialects.tencent.callbacks.auth import Door, is_loopback
from readstate.dialects.tencent.codes import FAILURES as TENCENT_FAILURES
from readstate.dialects.tencent.operation import SECURITY as TENCENT_SECURITY
from readstate.domain.client_rules import ClientRules
from readstate.domain.identity import Apps, Directory
from readstate.domain.read_state import ReadState
from readstate.domain.tokens import POLL_S, Tokens
from readstate.errors import Fault, ReadStateError, TooManyRequests
from readstate.process.http_protocol import BEGIN_STOP, GatheringTransport
from readstate.settings import Settings
from readstate.store.apps import FIRST_APP, AppRegistry
from readstate.store.connect import Executor, connect, load_functions
from readstate.store.directory import RedisDirectory
from readstate.store.memory import StoreMemory
from readstate.store.notices import RedisNotices
from readstate.store.redis_store import RedisStore
from readstate.store.workers import Key, Workers
from readstate.store.writes import StoreWrites
from readstate.tasks import cancel_and_wait

logger = logging.getLogger(__name__)

READY_WITHIN_S = 2.0
CONNECT_WITHIN_S = 30.0
CONNECT_EVERY_S = 0.5
MEMORY_TURNS = 5  # every ten seconds
_FAILURES = FAILURES | TENCENT_FAILURES
_REALTIME = "/socket.io"
_NOWHERE = f"/{SLASH_STANDS_IN}"  # leads to the same 404 as any unknown path


class Parts(Struct, frozen=True):
    """What a running service consists of."""

    services: Services
    realtime: Realtime
    why_not_ready: Callable[[], Awaitable[str]]
    workers: Workers
    memory: StoreMemory
    writes: StoreWrites


def create_app(settings: Settings) -> "Service":
    """The service as an ASGI application. It connects to `settings.redis_url` when the server starts it up."""
    return Service(lambda: running(settings), settings)


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


def _client_rules(settings: Settings) -> ClientRules:
    return ClientRules(
        settings.rooms_open, settings.invited_must_accept, settings.client_tag_limit, settings.client_people_limit
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
        elif scope["path"] == _REALTIME or scope["path"].startswith(_REALTIME + "/"):
            await self.parts.realtime(scope, receive, send)  # type: ignore[arg-type]
        elif kind == "http":
            await self._serve(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._http(scope, receive, send)

    def _begin_stop(self) -> None:
        if self._parts:
            self._parts.realtime.begin_stop()

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
        elif _words(scope["path"]) is answer and not _clean(scope):
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
        return _words(scope["path"])(request, error)

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


@asynccontextmanager
async def running(
    settings: Settings, *, connect: Callable[[str], Awaitable[Executor]] = connect
) -> AsyncIterator[Parts]:
    """All parts, connected by `connect`; closed in the opposite order. Raises Fault when the store cannot be reached."""
    if settings.redis_url is None:
        raise ValueError(
            "redis_url must be set: an embedded server is started by `readstate serve`, before the workers"
        )
    async with AsyncExitStack() as stack:
        executor = await _patiently(lambda: connect(str(settings.redis_url)))
        stack.push_async_callback(executor.close)
        store = RedisStore(executor, **settings.bounds(), events=settings.webhook_url is not None)
        store.outbox.start()
        stack.push_async_callback(store.outbox.close)
        apps = AppRegistry(
            executor,
            client_key=settings.client_key,
            api_key=settings.api_key,
            old_client_key=settings.old_client_key,
            old_api_key=settings.old_api_key,
        )
        services = _services(settings, ReadState(store), RedisDirectory(executor), apps)
        memory, writes = StoreMemory(executor), StoreWrites(executor)
        await _learn(apps, services.tokens)
        workers = Workers(executor, _shared_keys(settings))
        await workers.note()
        stack.push_async_callback(_forget, workers)
        stack.push_async_callback(cancel_and_wait, asyncio.create_task(workers.keep_noting()))
        await memory.look()
        stack.push_async_callback(
            _stop, asyncio.create_task(_keep_learning(apps, services.tokens, executor, memory, writes))
        )
        notices = RedisNotices(executor, settings.redis_url)
        await notices.start()
        stack.push_async_callback(notices.stop)
        realtime = Realtime(
            services,
            notices,
            workers=settings.workers,
            ping_interval_s=settings.socket_ping_interval_s,
            ping_timeout_s=settings.socket_ping_timeout_s,
            cors_origins=settings.cors_origins,
            address_socket_limit=settings.address_socket_limit,
        )
        await realtime.start()
        stack.push_async_callback(realtime.stop)
        yield Parts(services, realtime, lambda: why_not_ready(executor, writes), workers, memory, writes)


def _services(settings: Settings, read_state: ReadState, directory: Directory, apps: Apps) -> Services:
    tokens = Tokens(
        directory,
        apps,
        secret=settings.token_secret,
        old_secret=settings.old_token_secret,
        life_days=settings.token_life_days,
    )
    rate_limits = RateLimits(
        user=settings.user_rate_limit,
        app=settings.app_rate_limit,
        backend=settings.backend_rate_limit,
        address=settings.address_rate_limit,
        several_apps=apps.several,
    )
    return Services(
        read_state,
        directory,
        apps,
        tokens,
        People(directory),
        rate_limits,
        Credentials(tokens, rate_limits),
        _client_rules(settings),
        settings.lastread_badge_scope,
    )


def _shared_keys(settings: Settings) -> dict[str, Key]:
    """The keys that every service on a store must have alike, by setting."""
    return {
        "READSTATE_API_KEY": Key(settings.api_key, settings.old_api_key),
        "READSTATE_CLIENT_KEY": Key(settings.client_key, settings.old_client_key),
        "READSTATE_TOKEN_SECRET": Key(settings.token_secret, settings.old_token_secret),
    }


async def _forget(workers: Workers) -> None:
    """This worker stops. A store that is away forgets it by itself."""
    with contextlib.suppress(Fault):
        await workers.leave()


async def _patiently(connect: Callable[[], Awaitable[Executor]]) -> Executor:
    """Connect, and wait for a store that is away for a moment: a worker that gave up at once would take the whole service down."""
    until = monotonic() + CONNECT_WITHIN_S
    while True:
        try:
            return await connect()
        except Fault as error:
            if monotonic() > until:
                raise
            logger.warning("waiting for the store: %s", error)
            await asyncio.sleep(CONNECT_EVERY_S)


async def why_not_ready(executor: Executor, writes: StoreWrites) -> str:
    """Why requests cannot be served now: the store does not answer, takes no writes or not the scripts; "" when they can.

    A store that is full is ready: it answers, and what makes room is done.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            refusal = await writes.look()
            if refusal and not writes.is_full():
                return f"the store refuses writes: {refusal}"
            # A server that was started anew, or a new node, may not know the scripts.
            await load_functions(executor)
    except TimeoutError:
        return f"the store did not answer within {READY_WITHIN_S:g} s"
    except ReadStateError as error:
        return f"the store cannot be reached: {error}"
    return ""


async def _learn(apps: AppRegistry, tokens: Tokens) -> None:
    await apps.refresh()
    await tokens.learn_revocations()


async def _keep_learning(
    apps: AppRegistry, tokens: Tokens, executor: Executor, memory: StoreMemory, writes: StoreWrites
) -> None:
    """Every two seconds: which apps there are, what was revoked, how often we asked Redis.

    Every MEMORY_TURNS times also how full it is, and whether it takes writes.
    """
    counted = 0
    for turn in itertools.count(1):
        await asyncio.sleep(POLL_S)
        metrics.ROUND_TRIPS.inc(executor.round_trips - counted)
        counted = executor.round_trips
        try:
            await _learn(apps, tokens)
            if turn % MEMORY_TURNS == 0:
                await memory.look()
                await writes.look()
        except Fault as error:
            logger.warning("apps, revocations and memory could not be looked at: %s", error)
        except Exception:
            # Going on without ever hearing of a revocation again would be worse than trying once more.
            logger.exception("apps, revocations and memory could not be looked at")


def _words(path: str) -> Callable[[Request[Any, Any, Any], Exception], Any]:
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


def _clean(scope: Scope) -> bool:
    """Make the path one that can be routed; False when it is malformed.

    An id may hold a slash, which clients percent-encode. The server has decoded the path by now, so where that happened it is split
    again as it was sent, and a character that no id holds stands for the slash until routing is over.
    """
    path, raw = scope["path"], scope.get("raw_path") or b""
    if "%2" in path or b"%" in raw:
        try:
            segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"?")[0].split(b"/")]
        except UnicodeDecodeError:
            return False
        if any(map(_has_control_characters, segments)):
            return False
        path = "/".join(segment.replace("/", SLASH_STANDS_IN) for segment in segments)
    elif _has_control_characters(path):
        return False
    if "//" in path:
        path = _NOWHERE  # an empty id is no id, and must not lead to another call
    scope["path"] = path
    return True


def _has_control_characters(text: str) -> bool:
    return not text.isprintable() and any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text)


def _version() -> str:
    try:
        return version("readstate")
    except PackageNotFoundError:
        return "0"

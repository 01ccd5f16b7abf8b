"""The shape of a dialect: all that app.py, the OpenAPI document and the tests know about a
published API.

A dialect is a folder whose `api.py` has `dialect(settings, services)`, which makes one value, a
`Dialect`. docs/dialects.md says which files the folder has.

The words for what goes wrong are the same in every dialect:

Refusal       an error of the domain that is the caller's doing (readstate/errors.py)
Problem       an entry of the dialect's catalogue of errors: status, code and text
PROBLEMS      which problem answers which refusal; a call may have entries of its own
ProblemError  raised by a handler or authenticator to answer with a problem
explain       finds the problem and its text for an error; `answer` makes it a reply
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Literal, Protocol, TypeVar

from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import SecurityScheme
from litestar.types import ControllerRouterHandler, HTTPScope, Receive, Scope, Send
from msgspec import Struct

from readstate.dialects.access.credentials import Credentials
from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.http.openapi.vocabulary import Vocabulary
from readstate.dialects.http.reply import JSON, Headers, Reply
from readstate.dialects.http.request_id import for_log
from readstate.dialects.people import People
from readstate.domain.client_rules import ClientRules
from readstate.domain.durability import Confirmation
from readstate.domain.identity import Apps, Directory
from readstate.domain.notices import Notices
from readstate.domain.personal_data import PersonalData
from readstate.domain.read_state import ReadState
from readstate.domain.tokens import Tokens

logger = logging.getLogger(__name__)

Caller = TypeVar("Caller")


class Services(ReadState, frozen=True):
    """The operations on read state, and what else the handlers work with."""

    directory: Directory
    apps: Apps
    tokens: Tokens
    people: People
    personal_data: PersonalData
    rate_limits: RateLimits
    credentials: Credentials
    client_rules: ClientRules
    confirmation: Confirmation
    lastread_badge_scope: str  # "total" or "room": what `badge` in the answer to PUT lastRead means


class Operation(Struct, frozen=True, kw_only=True):
    """What a call is beside its handler, kept in the route's `opt["operation"]`.

    Each dialect has a subclass with fields of its own.
    """

    name: str  # in metrics, logs and the OpenAPI document
    cost: int = 0  # what its caller pays, see access/costs.py


class Call(Request[Any, Caller, Any]):
    """A request that was let in; `auth` is its caller in the dialect's form."""

    @property
    def services(self) -> Services:
        return self.scope["services"]  # type: ignore[typeddict-item, no-any-return]


def responses(answers: Mapping[int, tuple[Any, str]]) -> dict[int, ResponseSpec]:
    """What a call answers, for the OpenAPI document: by status, the type and when it comes."""
    return {
        status: ResponseSpec(data_container=answer, description=meaning, generate_examples=False)
        for status, (answer, meaning) in answers.items()
    }


class ProblemError(Exception):
    """Raised to answer with `problem`, an entry of the dialect's catalogue.

    `text` is used where the problem has no text of its own; each dialect says which of them
    wins.
    """

    def __init__(self, problem: Any, text: str = "", headers: Headers = ()) -> None:
        super().__init__(text)
        self.problem = problem
        self.text = text
        self.headers = headers


OPTIONS = Operation(name="options")
OTHER = Operation(name="other")  # a route of the framework's own
UNROUTED = Operation(name="unrouted")

AnyOperation = TypeVar("AnyOperation", bound=Operation)


def operation_of(scope: Any) -> Operation:
    """The operation of the route that answers a request."""
    handler = scope.get("route_handler")
    return handler.opt.get("operation", OTHER) if handler else UNROUTED


def own_operation(scope: Any, default: AnyOperation) -> AnyOperation:
    """The operation of a request, if it is of the type that `default` has; else `default`."""
    operation = operation_of(scope)
    return operation if isinstance(operation, type(default)) else default


class FastRoute(Protocol):
    """A call that can be answered without the framework.

    `id_in_path` is "" where the path has none.
    """

    async def serve(
        self, services: Services, id_in_path: str, scope: HTTPScope, receive: Receive, send: Send
    ) -> None: ...


class FastRoutes(Protocol):
    """Such calls of a dialect."""

    def find(self, scope: HTTPScope) -> tuple[FastRoute, str] | None:
        """The call that a request is for, with the id in its path; None: the framework answers."""


class SocketServer(Protocol):
    """Serves the sockets of a dialect, as an ASGI application."""

    async def start(self) -> None: ...
    def begin_stop(self) -> None: ...
    async def stop(self) -> None: ...
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def _unchanged(scope: Any) -> None:
    """Leave the path as it is."""


class Dialect(Struct, frozen=True, kw_only=True):
    """One published API."""

    name: str
    handlers: Sequence[ControllerRouterHandler]
    # Whether a path is the dialect's, so that errors on it are answered in the dialect's form.
    owns: Callable[[str], bool]
    # The answer to an error. It also writes the outcome, for metrics and logs, to scope["outcome"].
    answer: Callable[[Any, Exception], Reply]
    vocabulary: Vocabulary
    security: Mapping[str, SecurityScheme]
    failures: frozenset[str]  # the outcomes that are failures of the service, not of the caller
    cors_headers: Sequence[str] = ()  # that browsers may send
    cors_exposed: Sequence[str] = ()  # that browsers may read
    # Makes the path of a request to the dialect one that can be routed. `answer` takes its errors.
    prepare_path: Callable[[Scope], None] = _unchanged
    fast_routes: FastRoutes | None = None
    socket_path: str = ""  # without a slash at the end; "" for no sockets
    open_sockets: Callable[[Services, Notices], SocketServer] | None = None
    # Makes the AsyncAPI document of the sockets from the OpenAPI document. For one dialect only.
    describe_events: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None


def api_key(where: Literal["header", "query"], name: str, description: str) -> SecurityScheme:
    """How callers prove who they are, for the OpenAPI document: by a header or a parameter."""
    return SecurityScheme(type="apiKey", security_scheme_in=where, name=name, description=description)


def dialect_of(path: str, dialects: Sequence[Dialect]) -> Dialect:
    """The dialect that answers on a path: the last that owns it. The first one owns every path."""
    return next(dialect for dialect in reversed(dialects) if dialect.owns(path))


def log_failure(scope: Any, error: Exception, **extra: str) -> None:
    """Log an error that no table of the dialect has: a defect of the service."""
    fields = {"method": scope["method"], "operation": operation_of(scope).name, **for_log(scope), **extra}
    logger.error("unexpected failure", exc_info=error, extra=fields)


def handlers_in(*modules: ModuleType) -> list[HTTPRouteHandler]:
    """The handlers that stand in some modules, in their order."""
    return [one for module in modules for one in vars(module).values() if isinstance(one, HTTPRouteHandler)]


def with_options(
    handlers: Sequence[HTTPRouteHandler], *, head: bool = False, media_type: bytes = JSON
) -> list[HTTPRouteHandler]:
    """The handlers of a dialect, and before them OPTIONS for each path.

    The framework's own OPTIONS would name the methods of only one of the path's handlers, and it is
    made when the first handler of a path comes, so ours stand in front. `head`: the methods of a
    path with GET include HEAD.
    """
    by_path: defaultdict[str, list[HTTPRouteHandler]] = defaultdict(list)
    for handler in handlers:
        for path in handler.paths:
            by_path[path].append(handler)
    extra: list[HTTPRouteHandler] = []
    for path, those in by_path.items():
        methods = {str(method.value) for handler in those for method in map(HttpMethod, handler.http_methods)}
        asked = [handler for handler in those if head and "GET" in handler.http_methods]
        allowed = sorted({*methods, "OPTIONS", *("HEAD" for _ in asked)})
        extra.append(options_handler([path], partial(_allow, allowed, media_type)))
        extra += [_head_handler(path, handler) for handler in asked]
    return [*extra, *handlers]


def options_handler(paths: Sequence[str], answer: Callable[[], Reply]) -> HTTPRouteHandler:
    """OPTIONS for some paths. A browser's preflight is answered before it gets here."""

    @route(
        list(paths),
        http_method=[HttpMethod.OPTIONS],
        status_code=200,
        opt={"operation": OPTIONS},
        include_in_schema=False,
    )
    async def options() -> Reply:
        return answer()

    return options


def _allow(methods: Iterable[str], media_type: bytes) -> Reply:
    return Reply(b"", more_headers=((b"allow", ", ".join(methods).encode()),), media_type=media_type)


def _head_handler(path: str, handler: HTTPRouteHandler) -> HTTPRouteHandler:
    """HEAD as a method of a path. The service asks by GET for it, and leaves the body out."""

    @route(path, http_method=HttpMethod.HEAD, opt=handler.opt, status_code=200, include_in_schema=False)
    async def head() -> Reply:
        raise NotImplementedError("HEAD is answered by the handler of GET")  # a stub, for the header Allow

    return head

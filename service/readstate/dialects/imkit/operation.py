"""What a call is: who may make it, its entry in the routing table and in the OpenAPI document, all
declared beside the handler; its caller, and what is charged to them.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from inspect import signature
from typing import Any, Literal, Protocol

import msgspec
from litestar import HttpMethod, route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Operation as DocumentedOperation
from litestar.openapi.spec import Parameter, Schema
from msgspec import Struct, field

from readstate.dialects import base
from readstate.dialects.access import costs
from readstate.dialects.base import Services
from readstate.dialects.http.body import StrictJson
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.reply import Failure, Problem, Problems
from readstate.domain.identity import Session
from readstate.domain.limits import MAX_BODY_BYTES
from readstate.domain.rooms import Room


class Access(Enum):
    """Who may make a call."""

    CLIENT = "client"  # a user with a token, or the backend for a user (IM-API-KEY with IM-CLIENT-ID)
    EITHER = "either"  # the same, or the backend without a user
    BACKEND = "backend"  # the backend alone
    TOKENS = "tokens"  # the users of the tokens in the body, with the client key; or the backend


class Operation(base.Operation, frozen=True, kw_only=True):
    """A call of this dialect."""

    access: Access
    problems: Problems = field(default_factory=dict)  # the call's own problems for refusals
    bad_body: Problem | None = None  # its own problem for a body that cannot be decoded
    query: Sequence[str] | None = None  # the parameters it takes; None: unknown ones are ignored
    max_body_bytes: int = MAX_BODY_BYTES


NO_OPERATION = Operation(name="", access=Access.BACKEND)  # for errors outside the calls


class Principal(Struct, frozen=True):
    """The caller."""

    app: str
    user: str  # "" for the backend without a user
    backend: bool  # by API key: may do everything
    session: Session | None  # of a user's own token

    @property
    def payer(self) -> str:
        """The user whose rate limit the call counts in; "" for the backend's."""
        return "" if self.backend else self.user


class _Charged(Protocol):
    @property
    def auth(self) -> Principal: ...
    @property
    def services(self) -> Services: ...


class Charging:
    """What handlers use of a call, beside `auth` and `services`."""

    __slots__ = ()

    async def room(self: _Charged, room: str) -> Room:
        """The room, with the caller's state in it. Raises RoomUnknown."""
        return await self.services.rooms.room(app=self.auth.app, room=room, user=self.auth.user)

    def charge(self: _Charged, cost: float) -> None:
        """Charge the call for its further cost, beside what its caller paid."""
        self.services.rate_limits.charge(self.auth.app, self.auth.payer, cost)

    def charge_derived(self: _Charged, rooms: int) -> None:
        """Charge for the rooms that a badge had to ask."""
        if rooms:
            self.services.rate_limits.charge(self.auth.app, self.auth.payer, costs.of_derived(rooms))


class BareCall(Struct, Charging):
    """A call that did not come through the framework."""

    auth: Principal
    services: Services


class Call(Charging, base.Call[Principal]):
    """An authenticated request."""


Handler = Callable[..., Awaitable[Reply]]
Security = list[dict[str, list[str]]]

BY_TOKEN: Security = [{"clientKey": [], "userToken": []}]
_SECURITY: dict[Access, Security] = {
    Access.CLIENT: [*BY_TOKEN, {"apiKey": [], "clientId": []}],
    Access.EITHER: [*BY_TOKEN, {"apiKey": []}],
    Access.BACKEND: [{"apiKey": []}],
    Access.TOKENS: [{"clientKey": []}, {"apiKey": []}],
}
_MEANINGS = {
    400: "Something is missing or malformed; nothing was done",
    401: "The token or API key is not valid",
    403: "The client key is not valid, or the caller may not do this",
    404: "There is no such thing",
    409: "It belongs to another user",
    413: "The body is too large",
    429: "Too many calls; `retryAfter` says in how many seconds there may be more",
    503: "The store is out of reach",
}


def operation(
    where: str,
    access: Access,
    result: type[msgspec.Struct],
    *,
    problems: Problems | None = None,
    bad_body: Problem | None = None,
    statuses: Sequence[int] = (),
    needed: Collection[str] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
    cost: int = costs.READ,
    query: Sequence[str] | None = None,
    or_else: type[msgspec.Struct] | None = None,
    security: Security | None = None,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a function, whose name is the call's name in metrics, logs and OpenAPI.

    `where` is its method and path. `problems` and `bad_body` are its own problems (see errors).
    `statuses` are documented beside 400, 401, 403, 413, 429 and 503, and 404 where the path has an
    id. `needed`: query parameters that the handler itself requires. `cost` is what the caller pays
    (see costs). `query` has the names of all parameters; None: unknown ones are ignored. `or_else`
    is another type of result, which a parameter may ask for. `security` is documented instead of
    that of `access`.
    """
    method, _, path = where.partition(" ")
    answer: Any = _envelope(result) | _envelope(or_else) if or_else else _envelope(result)
    failures = sorted({400, 401, 403, 413, 429, 503, *statuses, *((404,) if "{" in path else ())})
    answers = {200: (answer, "Done")} | {status: (Failure, _MEANINGS[status]) for status in failures}

    def decorate(function: Handler) -> HTTPRouteHandler:
        name = function.__name__
        declared = Operation(
            name=name,
            cost=cost,
            access=access,
            problems=problems or {},
            bad_body=bad_body,
            query=query,
            max_body_bytes=max_body_bytes,
        )
        return route(
            path,
            http_method=HttpMethod(method),
            opt={"operation": declared},
            operation_id=name,
            operation_class=_operation(needed, function),
            responses=base.responses(answers),
            security=security or _SECURITY[access],
            status_code=200,
            dto=StrictJson,
            return_dto=None,
            request_class=Call,
            request_max_body_size=max_body_bytes,
        )(function)

    return decorate


def _operation(needed: Collection[str], function: Handler) -> type[DocumentedOperation]:
    """The OpenAPI class of a call whose body may be missing, or whose parameters may not.

    The framework documents only its own checks; these are done by the handler.
    """

    data = signature(function).parameters.get("data")
    optional_body = data is not None and data.default is None

    @dataclass
    class Documented(DocumentedOperation):
        def __post_init__(self) -> None:
            if optional_body and self.request_body is not None:
                self.request_body.required = False  # type: ignore[union-attr]
            for parameter in self.parameters or ():
                if not isinstance(parameter, Parameter) or parameter.name not in needed:
                    continue
                parameter.required = True
                if isinstance(parameter.schema, Schema):
                    parameter.schema.default = None

    return Documented


@cache
def _envelope(result: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The envelope of one type of result, as a type of its own for the OpenAPI document."""
    name = result.__name__.removesuffix("Result") + "Answer"
    fields = [("RC", Literal[0]), ("RM", str), ("result", result)]
    return msgspec.defstruct(name, fields, module=__name__, namespace={"__doc__": result.__doc__}, frozen=True)

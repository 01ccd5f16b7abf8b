"""One call of this dialect: who asks, what of, and in which order it is checked.

The session first (gate), then the form of the request, then the rate, then the call itself. So a 401 wins over a 400, and a request
that has not the right form does not count.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar import HttpMethod, Request, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from readstate.dialects.access import costs
from readstate.dialects.http import body as wire_body
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Reply
from readstate.dialects.rocketchat.errors import (
    INVALID_BODY,
    INVALID_QUERY,
    Operation,
    Problem,
    Refusals,
    Refused,
)
from readstate.dialects.rocketchat.operation import operation
from readstate.dialects.rocketchat.rate import count
from readstate.dialects.rocketchat.reply import reply
from readstate.dialects.rocketchat.validation import NOT_ANY_OF, Misfit, fit, read_body, read_query
from readstate.dialects.services import Services
from readstate.domain.identity import Session

Answering = Callable[["Call", Any], Awaitable[Struct]]  # takes one of the forms


class Call(Request[Any, Session, Any]):
    """A request that the gate has let in: `auth` is the session of whoever asks; there is none at a call that is open to all."""

    @property
    def services(self) -> Services:
        return self.scope["services"]  # type: ignore[typeddict-item, no-any-return]

    def charge(self, cost: float) -> None:
        """What the call has turned out to cost, beside what its caller paid."""
        self.services.rate_limits.charge(self.auth.app, self.auth.user, cost)


def call(
    method: HttpMethod,
    path: str,
    name: str,
    answer: type[Struct],
    *forms: type[Struct],
    signed_in: bool = True,
    refusals: Refusals | None = None,
    misfit: Problem | None = None,
    empty: Mapping[str, Problem] | None = None,
    unmatched: str = NOT_ANY_OF,
    cost: int = costs.READ,
) -> Callable[[Answering], HTTPRouteHandler]:
    """Make a route of a function that takes a request in one of `forms` and returns the body of the answer.

    `name` is that in metrics, logs and OpenAPI. `misfit` is what a request without the right form is told instead of the
    validator's words, `empty` what it is told when a field is "", `unmatched` what stands behind those words
    when there are several forms. `refusals` are the call's own words for refusals of the domain.
    `cost` is what its caller pays (see costs).
    """
    wrong = misfit or (INVALID_QUERY if method is HttpMethod.GET else INVALID_BODY)

    def decorate(function: Answering) -> HTTPRouteHandler:
        async def handle(request: Call) -> Reply:
            given, strict = await _given(request)
            try:
                form = fit(given, forms, strict=strict, unmatched=unmatched)
            except Misfit as error:
                if not signed_in:
                    request.services.credentials.absent(client_address(request.scope))
                raise Refused(wrong, wrong.error or str(error)) from None
            for field, problem in (empty or {}).items():
                if not given.get(field):
                    raise Refused(problem)
            if signed_in:
                headers = await count(request.services, request.auth, name, request.route_handler.opt["rate_limit"])
                request.scope["rate_headers"] = headers  # type: ignore[typeddict-unknown-key]
                return reply(await function(request, form), headers=headers)
            return reply(await function(request, form))

        handle.__doc__, handle.__name__, handle.__module__ = function.__doc__, function.__name__, function.__module__
        return route(
            path,
            http_method=method,
            opt={"operation": Operation(name=name, cost=cost, signed_in=signed_in, refusals=refusals or {})},
            request_class=Call,
            **operation(name, method, answer, forms, signed_in=signed_in, required=empty or ()),
        )(handle)

    return decorate


async def _given(request: Call) -> tuple[Any, bool]:
    """What the request says, and whether numbers and booleans have to come as such."""
    if request.method in (HttpMethod.GET, HttpMethod.HEAD):
        return read_query(request.scope["query_string"]), False
    body = await wire_body.read_body(request.receive)
    return read_body(body, request.headers.get("content-type", "").encode("latin-1", "replace"))

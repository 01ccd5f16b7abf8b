"""What a call is: its route, its entry in the OpenAPI document, and the order of its checks.

The session first (auth), then the schema of the request, then the rate, then the call itself. So a
401 wins over a 400, and a request that does not fit does not count.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

import msgspec
from litestar import HttpMethod, route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIMediaType, Parameter, RequestBody
from litestar.openapi.spec import Operation as DocumentedOperation
from msgspec import Struct

from readstate.dialects import base
from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http import body as wire_body
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Headers, Reply
from readstate.dialects.rocketchat.auth import count
from readstate.dialects.rocketchat.errors import INVALID_BODY, INVALID_QUERY, Operation
from readstate.dialects.rocketchat.reply import Problem, Problems, reply
from readstate.dialects.rocketchat.schemas import FailureAnswer, Nothing
from readstate.dialects.rocketchat.validation import NOT_ANY_OF, SchemaMismatch, fit, read_body, read_query
from readstate.domain.identity import Session

_FAILURES: dict[int, tuple[Any, str]] = {
    400: (FailureAnswer, "Something is missing, malformed or unknown; nothing was done"),
    401: (FailureAnswer, "The token is not valid, or is not that user's"),
    403: (FailureAnswer, "The caller may not ask this"),
    413: (FailureAnswer, "The body is too large"),
    429: (FailureAnswer, "Too many calls; `Retry-After` says in how many seconds there may be more"),
    503: (FailureAnswer, "The store is out of reach"),
}
_FORM = "application/x-www-form-urlencoded"

Handler = Callable[["Call", Any], Awaitable[Struct]]  # takes one of the schemas


class Call(base.Call[Session]):
    """An authenticated request; `auth` is the caller's session. Login has none."""

    def charge(self, cost: float) -> None:
        """Charge what the call turned out to cost beyond its price."""
        self.services.rate_limits.charge(self.auth.app, self.auth.user, cost)


def operation(
    where: str,
    *,
    signed_in: bool = True,
    problems: Problems | None = None,
    mismatch: Problem | None = None,
    empty: Mapping[str, Problem] | None = None,
    unmatched: str = NOT_ANY_OF,
    cost: int = costs.READ,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a function that takes one of several schemas and returns the body of the
    answer.

    `where` is its method and path. Schemas and answer are read off its annotations, and its name,
    behind `rocketchat_`, is the name in metrics, logs and OpenAPI. `mismatch` answers a request
    that fits none of the schemas, instead of the validator's words; `empty` answers a field that is
    ""; `unmatched` stands after the validator's words when there are several schemas. `problems`
    are the call's own words for refusals of the domain. `cost` is what the caller pays (see costs).
    """
    method, _, path = where.partition(" ")
    wrong = mismatch or (INVALID_QUERY if method == HttpMethod.GET else INVALID_BODY)

    def decorate(function: Handler) -> HTTPRouteHandler:
        name = f"rocketchat_{function.__name__}"
        _, schema, answer = get_type_hints(function).values()
        schemas: Sequence[type[Struct]] = get_args(schema) or (schema,)

        async def handle(request: Call) -> Reply:
            given, strict = await _given(request)
            try:
                content = fit(given, schemas, strict=strict, unmatched=unmatched)
            except SchemaMismatch as error:
                if not signed_in:
                    request.services.credentials.absent(client_address(request.scope))
                raise ProblemError(wrong, wrong.error or str(error)) from None
            for field, problem in (empty or {}).items():
                if not given.get(field):
                    raise ProblemError(problem)
            headers: Headers = ()
            if signed_in:
                headers = await count(request.services, request.auth, name, request.route_handler.opt["rate_limit"])
                request.scope["rate_headers"] = headers  # type: ignore[typeddict-unknown-key]
            return reply(await function(request, content), headers=headers)

        handle.__doc__, handle.__name__, handle.__module__ = function.__doc__, function.__name__, function.__module__
        documents = [_document(schema, empty or ()) for schema in schemas if schema is not Nothing]
        return route(
            path,
            http_method=HttpMethod(method),
            opt={"operation": Operation(name=name, cost=cost, signed_in=signed_in, problems=problems or {})},
            operation_id=name,
            operation_class=_asking(documents, in_query=method == HttpMethod.GET, signed_in=signed_in),
            responses=base.responses({200: (answer, "Done"), **_FAILURES}),
            security=[{"authToken": [], "userId": []}] if signed_in else [],
            status_code=200,
            request_class=Call,
        )(handle)

    return decorate


async def _given(request: Call) -> tuple[Any, bool]:
    """The content of the request, and whether it has types: then "1" is no number."""
    if request.method in (HttpMethod.GET, HttpMethod.HEAD):
        return read_query(request.scope["query_string"]), False
    body = await wire_body.read_body(request.receive)
    return read_body(body, request.headers.get("content-type", "").encode("latin-1", "replace"))


def _asking(documents: list[dict[str, Any]], *, in_query: bool, signed_in: bool) -> type[DocumentedOperation]:
    """An operation with the parameters or the body that the JSON schemas `documents` describe.

    The framework reads them off a handler's arguments; ours has none.
    """

    @dataclass
    class Asking(DocumentedOperation):
        def __post_init__(self) -> None:
            if not signed_in:
                self.security = []
            if in_query:
                fields = {name: schema for whole in documents for name, schema in whole["properties"].items()}
                needed = [name for name in fields if all(name in whole.get("required", ()) for whole in documents)]
                self.parameters = [
                    Parameter(name=name, param_in="query", schema=schema, required=name in needed)
                    for name, schema in fields.items()
                ]
            elif documents:
                whole: Any = documents[0] if len(documents) == 1 else {"anyOf": documents}
                media = OpenAPIMediaType(schema=whole)
                self.request_body = RequestBody(content={"application/json": media, _FORM: media}, required=True)

    return Asking


def _document(schema: type[Struct], required: Collection[str]) -> dict[str, Any]:
    """A schema as JSON schema, in one piece. `required` fields are required although they have a
    default.
    """
    (whole,), parts = msgspec.json.schema_components([schema], ref_template="{name}")
    document: dict[str, Any] = _inlined(whole, parts)
    if required:
        document["required"] = sorted({*document.get("required", ()), *required})
    return document


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(parts[schema["$ref"]], parts)
        inlined = {name: _inlined(value, parts) for name, value in schema.items()}
        if isinstance(text := inlined.get("description"), str):
            inlined["description"] = cleandoc(text)
        return inlined
    return [_inlined(value, parts) for value in schema] if isinstance(schema, list) else schema

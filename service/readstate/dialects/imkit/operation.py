"""What a call is in the routing table and in the OpenAPI document, declared beside the handler."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Operation as DocumentedOperation
from litestar.openapi.spec import Parameter, Schema

from readstate.dialects.access import costs
from readstate.dialects.http.body import StrictJson
from readstate.dialects.imkit.call import Access, Call, Operation
from readstate.dialects.imkit.reply import Failure, Problem, Problems
from readstate.domain.limits import MAX_BODY_BYTES

BY_TOKEN: list[dict[str, list[str]]] = [{"clientKey": [], "userToken": []}]
_SECURITY: dict[Access, list[dict[str, list[str]]]] = {
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
    409: "It belongs to somebody else",
    413: "The body is too large",
    429: "Too many calls; `retryAfter` says in how many seconds there may be more",
    503: "The store is out of reach",
}


def operation(
    name: str,
    access: Access,
    result: type[msgspec.Struct],
    *,
    problems: Problems | None = None,
    bad_body: Problem | None = None,
    statuses: Sequence[int] = (),
    optional_body: bool = False,
    needed: Collection[str] = (),
    max_body_bytes: int = MAX_BODY_BYTES,
    cost: int = costs.READ,
    query: Sequence[str] | None = None,
    or_else: type[msgspec.Struct] | None = None,
) -> dict[str, Any]:
    """Arguments for a route decorator.

    `name` is the call's name in metrics, logs and OpenAPI. `problems` and `bad_body` are its own
    problems (see errors). `statuses` are documented beside 400, 401, 403, 413, 429 and 503.
    `optional_body`: the body may be missing. `needed`: query parameters that the handler itself
    requires. `cost` is what the caller pays (see costs). `query` has the names of all parameters;
    None: unknown ones are ignored. `or_else` is another type of result, which a parameter may ask
    for.
    """
    answer: Any = _envelope(result) | _envelope(or_else) if or_else else _envelope(result)
    responses = {200: ResponseSpec(data_container=answer, description="Done", generate_examples=False)}
    for status in sorted({400, 401, 403, 413, 429, 503, *statuses}):
        responses[status] = ResponseSpec(data_container=Failure, description=_MEANINGS[status], generate_examples=False)
    return {
        "opt": {
            "operation": Operation(
                name=name,
                cost=cost,
                access=access,
                problems=problems or {},
                bad_body=bad_body,
                query=query,
                max_body_bytes=max_body_bytes,
            )
        },
        "operation_id": name,
        "operation_class": _operation(needed, optional_body=optional_body),
        "responses": responses,
        "security": _SECURITY[access],
        "status_code": 200,
        "dto": StrictJson,
        "return_dto": None,
        "request_class": Call,
        "request_max_body_size": max_body_bytes,
    }


def _operation(needed: Collection[str], *, optional_body: bool) -> type[DocumentedOperation]:
    """The OpenAPI class of a call whose body may be missing, or whose parameters may not.

    The framework documents only its own checks; these are done by the handler.
    """

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

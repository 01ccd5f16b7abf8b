"""What a call is in the routing table and in the OpenAPI document, said once beside the handler."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import HttpMethod
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody

from readstate.dialects.rocketchat.schemas import FailureAnswer, Nothing

_MEANINGS = {
    400: "Something is missing, malformed or unknown; nothing was done",
    401: "The token is not valid, or is not that user's",
    403: "The caller may not ask this",
    413: "The body is too large",
    429: "Too many calls; `Retry-After` says in how many seconds there may be more",
    503: "The store is out of reach",
}
_FORM = "application/x-www-form-urlencoded"


def operation(
    name: str,
    method: HttpMethod,
    answer: type[msgspec.Struct],
    forms: Sequence[type[msgspec.Struct]],
    *,
    signed_in: bool,
    required: Collection[str],
) -> dict[str, Any]:
    """Arguments for a route decorator. `required` fields are so although their form has a default."""
    responses = {200: ResponseSpec(data_container=answer, description="Done", generate_examples=False)}
    for status, meaning in _MEANINGS.items():
        responses[status] = ResponseSpec(data_container=FailureAnswer, description=meaning, generate_examples=False)
    schemas = [_schema(form, required) for form in forms if form is not Nothing]
    return {
        "operation_id": name,
        "operation_class": _asking(schemas, in_query=method is HttpMethod.GET, signed_in=signed_in),
        "responses": responses,
        "security": [{"authToken": [], "userId": []}] if signed_in else [],
        "status_code": 200,
    }


def _asking(schemas: list[dict[str, Any]], *, in_query: bool, signed_in: bool) -> type[Operation]:
    """An operation that takes what `schemas` say. The framework reads that off a handler's arguments; ours has none."""

    @dataclass
    class Asking(Operation):
        def __post_init__(self) -> None:
            if not signed_in:
                self.security = []
            if in_query:
                fields = {name: schema for whole in schemas for name, schema in whole["properties"].items()}
                needed = [name for name in fields if all(name in whole.get("required", ()) for whole in schemas)]
                self.parameters = [
                    Parameter(name=name, param_in="query", schema=schema, required=name in needed)
                    for name, schema in fields.items()
                ]
            elif schemas:
                whole: Any = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
                media = OpenAPIMediaType(schema=whole)
                self.request_body = RequestBody(content={"application/json": media, _FORM: media}, required=True)

    return Asking


def _schema(form: type[msgspec.Struct], required: Collection[str]) -> dict[str, Any]:
    """The JSON schema of a form, in one piece."""
    (whole,), parts = msgspec.json.schema_components([form], ref_template="{name}")
    schema: dict[str, Any] = _inlined(whole, parts)
    if required:
        schema["required"] = sorted({*schema.get("required", ()), *required})
    return schema


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(parts[schema["$ref"]], parts)
        return {name: _inlined(value, parts) for name, value in schema.items()}
    return [_inlined(value, parts) for value in schema] if isinstance(schema, list) else schema

"""Reads requests (query, JSON or HTML form) and checks them against the schemas of a call.

Mistakes are answered in the words and the order of the original's schema validator. Of each schema
only the first mistake: a missing field, then an unknown one, then one of a wrong type. A call that
takes one of several schemas answers the messages of all of them, and that none matched.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from readstate.dialects.http.body import BadBody, anything, decode

MAX_FIELDS = 100  # of a query or an HTML form

_FORM = b"application/x-www-form-urlencoded"
_INNER = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")  # a[b]: an HTML form's {"a": {"b": ...}}


def read_query(query: bytes) -> Mapping[str, Any]:
    """The parameters by name. As in the original, a repeated one, or one as `name[]`, is a list."""
    found: dict[str, Any] = {}
    for name, value in _pairs(query):
        plain = name.removesuffix("[]")
        if plain in found or plain != name:
            found[plain] = [*_as_list(found.get(plain)), value]
        else:
            found[plain] = value
    return found


def read_body(body: bytes, content_type: bytes) -> tuple[Any, bool]:
    """The body, and whether it has types (JSON) or consists of texts (an HTML form).

    A body that cannot be read counts as an empty object, and so does no body: `fit` then finds what
    is missing. A field that is null counts as missing.
    """
    if content_type.lower().startswith(_FORM):
        return _nested(read_query(body)), False
    try:
        given = decode(anything, body) if body else None
    except BadBody:
        given = None
    if isinstance(given, dict):
        return {name: value for name, value in given.items() if value is not None}, True
    return ({} if given is None else given), True


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return []


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        inner = _INNER.fullmatch(name)
        if inner is None:
            found[name] = value
        elif isinstance(found.setdefault(inner[1], {}), dict):
            found[inner[1]][inner[2]] = value
    return found


SEPARATOR = "\n "

# Stands after the messages of all schemas when none matched. The original has one of the two for
# each call.
NOT_ANY_OF = "must match a schema in anyOf"
NOT_ONE_OF = "must match exactly one schema in oneOf"

# What was expected, in the words of msgspec and of the original.
_WORDS = {
    "`int` >= 0": "must be >= 0",
    "`int`": "must be integer",
    "`bool`": "must be boolean",
    "`str`": "must be string",
}

Schema = TypeVar("Schema", bound=Struct)


class SchemaMismatch(Exception):
    """A request fits none of the schemas that the call takes.

    The message is the answer to the client.
    """


def fit(given: object, schemas: Sequence[type[Schema]], *, strict: bool = True, unmatched: str = NOT_ANY_OF) -> Schema:
    """`given` as the first schema that it fits. Not `strict`: numbers and booleans come as texts.

    Raises SchemaMismatch; with several schemas its last message is `unmatched`.
    """
    messages = []
    for schema in schemas:
        message = _mismatch(given, schema, strict)
        if not message:
            return msgspec.convert(given, schema, strict=strict)
        messages.append(message)
    if len(schemas) > 1:
        messages.append(unmatched)
    raise SchemaMismatch(SEPARATOR.join(messages))


def _mismatch(given: object, schema: Any, strict: bool) -> str:
    """The first thing that is wrong with `given` as this schema; "" when it fits."""
    if not isinstance(given, Mapping):
        return "must be object"
    fields = msgspec.structs.fields(schema)
    for field in fields:
        if field.required and field.encode_name not in given:
            return f"must have required property '{field.encode_name}'"
    if schema.__struct_config__.forbid_unknown_fields and not {field.encode_name for field in fields}.issuperset(given):
        return "must NOT have additional properties"
    present = [field for field in fields if field.encode_name in given]
    return next(filter(None, (_wrong(given[field.encode_name], field.type, strict) for field in present)), "")


def _wrong(value: object, kind: Any, strict: bool) -> str:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _mismatch(value, kind, strict)
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        expected = str(error).removeprefix("Expected ").partition(",")[0]
        # Of an enormous number msgspec only says that it is out of range.
        return _WORDS.get(expected) or _WORDS["`bool`" if bool in get_args(kind) else "`int`"]
    return ""

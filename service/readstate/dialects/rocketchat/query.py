"""What a request says: its query, or its body as JSON or as a form."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from readstate.dialects.http.body import BadBody, decode

MAX_FIELDS = 100  # of a query or a form

_FORM = b"application/x-www-form-urlencoded"
_INNER = re.compile(r"([^\[\]]+)\[([^\[\]]+)\]")  # a[b], which a form has for {"a": {"b": ...}}

_decode_anything = msgspec.json.Decoder().decode


def read_query(query: bytes) -> Mapping[str, Any]:
    """The parameters by name. One that comes several times, or as `name[]`, is a list, as it is for the original."""
    found: dict[str, Any] = {}
    for name, value in _pairs(query):
        plain = name.removesuffix("[]")
        if plain in found or plain != name:
            found[plain] = [*_as_list(found.get(plain)), value]
        else:
            found[plain] = value
    return found


def read_body(body: bytes, content_type: bytes) -> tuple[Any, bool]:
    """The body, and whether it has types (JSON) or is text all through (a form).

    What cannot be read is an empty object, and so is no body: what is then missing is found where the form of the request is looked at.
    A field of null is no field.
    """
    if content_type.lower().startswith(_FORM):
        return _nested(read_query(body)), False
    try:
        given = decode(_decode_anything, body) if body else None
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

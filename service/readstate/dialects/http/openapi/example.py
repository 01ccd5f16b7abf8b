"""An example value for a schema, made of the examples of its fields."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from readstate.dialects.http.openapi.vocabulary import Vocabulary

Schema = Mapping[str, Any]


def example(schema: Schema, schemas: Mapping[str, Schema], vocabulary: Vocabulary, *, whole: bool, of: str = "") -> Any:
    """An example of `schema`, which is part of the object `of`; UNSET when there is nothing to
    show.

    `schemas` are those that others refer to by name. `whole`: with every field that has an example,
    not only the required ones.
    """

    def within(inner: Schema, of: str) -> Any:
        return example(inner, schemas, vocabulary, whole=whole, of=of)

    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return within(schemas[name], name)
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return next((value for one in schema["anyOf"] if (value := within(one, of)) is not UNSET), UNSET)
    if "items" in schema:
        item = within(schema["items"], of)
        return UNSET if item is UNSET else [item]
    if schema.get("type") != "object":
        return UNSET
    of = schema.get("title", of)
    required = schema.get("required", ())
    shown = {}
    for name, inner in schema.get("properties", {}).items():
        field = vocabulary.field(name, of)
        value = field.example if field and field.example is not UNSET else within(inner, of)
        if value is not UNSET and (whole or name in required):
            shown[name] = value
    return shown

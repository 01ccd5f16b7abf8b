"""The framework's document with summaries, descriptions and examples, from docstrings and
vocabularies.

Its schemas are changed so that clients can be generated: a value of one of several forms is
`anyOf`, since forms may overlap, and each object has a schema of its own under `components`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET

from readstate.dialects.http.openapi.vocabulary import Vocabulary

Node = dict[str, Any]

_SENTENCE = re.compile(r"(.+?)\.(?:\s|$)", re.DOTALL)
_COMPONENT = "#/components/schemas/"


def described(document: Node, vocabularies: Sequence[Vocabulary]) -> Node:
    """The document with the words of `vocabularies`.

    The tag of an operation names its vocabulary.
    """
    document = _any_of(document)
    schemas: dict[str, Node] = document["components"]["schemas"]
    by_tag = {vocabulary.tag: vocabulary for vocabulary in vocabularies}
    document["paths"] = dict(sorted(document["paths"].items()))  # the framework's order is another one each time
    for operations in document["paths"].values():
        for operation in operations.values():
            (tag,) = operation["tags"]
            _Describer(by_tag[tag], schemas).operation(operation)
    return document


class _Describer:
    """Describes the operations of one dialect in place, and all schemas that they refer to."""

    def __init__(self, vocabulary: Vocabulary, schemas: dict[str, Node]) -> None:
        self._vocabulary = vocabulary
        self._schemas = schemas
        self._done: set[str] = set()

    def operation(self, operation: Node) -> None:
        name = operation["operationId"]
        operation["summary"] = _first_sentence(operation["description"])
        for parameter in operation.get("parameters", ()):
            self._field(parameter, parameter["name"], name)
            self._schema(parameter["schema"], name)
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media["schema"] = self._component(media["schema"])
            shown = self._vocabulary.requests.get(name, UNSET)
            media["example"] = self._example(media["schema"], whole=False) if shown is UNSET else shown
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values():
                self._schema(media["schema"])
                if status == "200":
                    media["example"] = self._example(media["schema"], whole=True)

    def _example(self, schema: Node, *, whole: bool) -> Any:
        value = example(schema, self._schemas, self._vocabulary, whole=whole)
        return {} if value is UNSET else value

    def _field(self, node: Node, name: str, of: str) -> None:
        field = self._vocabulary.field(name, of)
        # A reference needs no description: its target has one.
        if field and "$ref" not in node:
            node.setdefault("description", field.meaning)
            if "in" in node and field.example is not UNSET:
                node["example"] = field.example

    def _schema(self, schema: Node, of: str = "") -> None:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_COMPONENT)
            if name not in self._done:
                self._done.add(name)
                self._schema(self._schemas[name], name)
                if name in self._vocabulary.free:
                    self._schemas[name]["additionalProperties"] = True
        for name, inner in schema.get("properties", {}).items():
            self._field(inner, name, of)
            self._schema(inner, of)
        inside = [schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", ())]
        for inner in inside:
            if isinstance(inner, dict):
                self._schema(inner, of)

    def _component(self, schema: Node) -> Node:
        """`schema` as a reference: each part with a title becomes a schema under `components`."""
        schema = {name: self._components_in(value) for name, value in schema.items()}
        if "title" in schema:
            self._schemas.setdefault(schema["title"], schema)
            schema = {"$ref": _COMPONENT + schema["title"]}
        self._schema(schema)
        return schema

    def _components_in(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._components_in(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("title"), str):
            return self._component(value)
        return {name: self._components_in(inner) for name, inner in value.items()}


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(text)
    return " ".join((found[1] if found else text).split())


def _any_of(node: Any) -> Any:
    """`node` with `anyOf` for every `oneOf`; a choice of one form becomes that form."""
    if isinstance(node, list):
        return [_any_of(one) for one in node]
    if not isinstance(node, dict):
        return node
    node = {"anyOf" if name == "oneOf" else name: _any_of(value) for name, value in node.items()}
    forms = node.get("anyOf")
    if isinstance(forms, list) and len(forms) == 1:
        del node["anyOf"]
        node = forms[0] | node
    return node


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

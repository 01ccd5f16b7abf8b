"""The document's own data, and the extension points of the framework that we use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any

from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.enums import MediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Contact, License, OpenAPI, Schema, SecurityScheme, Tag
from litestar.typing import FieldDefinition

from readstate.dialects.http.openapi.described import described
from readstate.dialects.http.openapi.vocabulary import Vocabulary


class DescribedStructs(StructSchemaPlugin):
    """Schemas of our types with their docstrings; the framework has no public way to include them.

    Constants are marked as required: every answer has them, although the Structs have a default.
    """

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        schema = super().to_openapi_schema(field_definition, schema_creator)
        schema.description = cleandoc(field_definition.annotation.__doc__ or "") or None
        fields = schema.properties or {}
        constants = {name for name, field in fields.items() if isinstance(field, Schema) and field.const is not None}
        schema.required = sorted(constants.union(schema.required or ()))
        return schema


class EventsRenderPlugin(JsonRenderPlugin):
    """The AsyncAPI document of a dialect's sockets. It is made at the first request, and kept."""

    def __init__(self, document: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        super().__init__(path="/asyncapi.json", media_type=MediaType.JSON)
        self._document = document
        self._made = b""

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        self._made = self._made or self.render_json(request, dict(self._document(openapi_schema)))
        return self._made


def openapi_config(
    version: str,
    security: Mapping[str, SecurityScheme],
    vocabularies: Sequence[Vocabulary],
    events: Sequence[Callable[[Mapping[str, Any]], Mapping[str, Any]]],
) -> OpenAPIConfig:
    """The configuration.

    `security`: how callers of each dialect authenticate. `events` make the document of the events
    on sockets from this one; there may be one.
    """

    @dataclass
    class Document(OpenAPI):
        def to_schema(self) -> dict[str, Any]:
            return described(super().to_schema(), vocabularies)

    class Config(OpenAPIConfig):
        def to_openapi_schema(self) -> OpenAPI:
            return Document(**vars(super().to_openapi_schema()))

    return Config(
        title="readstate",
        version=version,
        description="Read state for chat products: cursors, unread counts and receipts, "
        "spoken as IMKit, Rocket.Chat and Tencent IM.",
        contact=Contact(name="readstate"),
        license=License(name="Apache License 2.0", identifier="Apache-2.0"),
        tags=[Tag(name=vocabulary.tag, description=vocabulary.description) for vocabulary in vocabularies],
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"]), *map(EventsRenderPlugin, events)],
        components=Components(security_schemes=dict(security)),
        use_handler_docstrings=True,
    )

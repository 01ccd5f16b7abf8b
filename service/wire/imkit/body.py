"""Bodies of requests: strict JSON into Structs, and the free fields beside them."""

from collections.abc import Callable, Collection, Generator
from typing import Any, ClassVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from service.wire.body import decode

_decode_anything = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class StrictJson(AbstractDTO[Any]):
    """Decodes `data` by msgspec alone. Left to itself the framework would take "1" for 1 and "true" for true."""

    _decoders: ClassVar[dict[str, Callable[[bytes], Any]]] = {}

    def decode_bytes(self, value: bytes) -> Any:
        return decode(self._decoders[self.asgi_connection.route_handler.handler_id], value)

    @classmethod
    def create_for_field_definition(cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None) -> None:
        cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation).decode

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Reference | Schema:
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Nothing is generated: the Structs are the wire types."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False


def free_fields(body: bytes, taken: Collection[str]) -> dict[str, bytes]:
    """The fields of a JSON object that are not in `taken`, each with its JSON text as given."""
    # What is passed on unread has to be sound all through; a Raw is only looked at from outside.
    decode(_decode_anything, body)
    fields: dict[str, msgspec.Raw] = decode(_decode_fields, body)
    return {name: bytes(value).strip() for name, value in fields.items() if name not in taken}

"""Bodies of requests: read within a limit, decoded strictly, the same for every dialect."""

from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import Any, ClassVar

import msgspec
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from readstate.dialects.http.hints import hint
from readstate.domain.limits import MAX_BODY_BYTES

_ENDS_EARLY = "Input data was truncated"  # msgspec's words

# Decoders: of any JSON, and of an object whose fields stay as they are.
anything = msgspec.json.Decoder().decode
raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Wrong(Enum):
    """The kind of error in a body."""

    TEXT = "text"  # it cannot be read as JSON
    VALUE = "value"  # it can, but a value has the wrong type or range
    FIELD = "field"  # a field is missing or unknown


class BadBody(Exception):
    """The body is not the JSON that the call takes.

    The message says where. `hint` says what to send instead; "" when that is obvious.
    """

    def __init__(self, message: str, wrong: Wrong = Wrong.TEXT, hint: str = "") -> None:
        super().__init__(message)
        self.wrong = wrong
        self.hint = hint


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(receive: Callable[[], Awaitable[Any]], limit: int = MAX_BODY_BYTES) -> bytes:
    """Read the whole body. Raises ClientGone, and the framework's error for a body over `limit`
    bytes.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body = body + message["body"] if body else message["body"]
        if len(body) > limit:
            raise RequestEntityTooLarge
        if not message.get("more_body", False):
            return bytes(body)


def until_gone(receive: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """`receive` for bodies that the framework reads. It raises ClientGone, for which the framework
    has no error of its own.
    """

    async def receive_or_raise() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

    return receive_or_raise


def decode(decoder: Callable[[bytes], Any], value: bytes) -> Any:
    """Decode JSON. Raises BadBody for any error, including bad UTF-8 and deep nesting."""
    try:
        return decoder(value)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), value, decoder) from None
    except msgspec.DecodeError as error:
        text = str(error)
        raise BadBody("JSON is malformed: it ends too early" if text == _ENDS_EARLY else text) from None
    except UnicodeDecodeError:
        raise BadBody("The body must be UTF-8") from None
    except RecursionError:
        raise BadBody("The body is nested too deeply") from None


def _misfit(text: str, value: bytes, decoder: Callable[[bytes], Any]) -> BadBody:
    """The error for JSON that does not have the decoder's type."""
    wrong = Wrong.FIELD if text.startswith(("Object missing", "Object contains")) else Wrong.VALUE
    wanted = decoder.__self__.type  # type: ignore[attr-defined]  # a Decoder's method
    try:
        return BadBody(text, wrong, hint(text, value, wanted))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadBody(text, wrong)  # msgspec stopped before the invalid JSON


class StrictJson(AbstractDTO[Any]):
    """Decodes `data` by msgspec alone. The framework's own decoding would accept "1" for 1 and
    "true" for true.
    """

    _decoders: ClassVar[dict[str, Callable[[bytes], Any]]] = {}

    def decode_bytes(self, value: bytes) -> Any:
        return decode(self._decoders[self.asgi_connection.route_handler.handler_id], value)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation).decode

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        """Nothing is generated: the Structs are the wire types."""
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False

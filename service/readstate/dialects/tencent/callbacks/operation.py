"""What the route is in the routing table and in the OpenAPI document."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Parameter, RequestBody, Schema
from litestar.openapi.spec import Operation as DocumentedOperation

from readstate.dialects.base import Operation, responses
from readstate.dialects.tencent.callbacks.auth import Url
from readstate.dialects.tencent.callbacks.commands import COMMANDS
from readstate.dialects.tencent.reply import Fail, Ok
from readstate.dialects.tencent.vocabulary import VOCABULARY

_MEANINGS: dict[int, tuple[Any, str]] = {
    200: (Ok | Fail, "Done or passed over; or sending it again would not help"),
    401: (Fail, "Not signed with the token"),
    405: (Fail, "Not POST"),
    503: (Fail, "The store is out of reach, or there were too many; send it again"),
}
_TEXT = Schema(type=OpenAPIType.STRING)


@dataclass
class _TakesCallback(DocumentedOperation):
    """Parameters and body, which the framework reads off a handler's arguments where it has some.

    The command in a body says what it holds.
    """

    def __post_init__(self) -> None:
        self.parameters = [
            Parameter(name=name, param_in="query", schema=_TEXT) for name in Url.__struct_encode_fields__
        ]
        command = Schema(type=OpenAPIType.STRING, examples=sorted(COMMANDS))
        body = Schema(
            type=OpenAPIType.OBJECT,
            properties={"CallbackCommand": command},
            additional_properties=True,
            description="As Tencent IM documents the command",
        )
        self.security = []  # a signature, where a token is set, is in the URL and in no scheme
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=body)}, required=True)


OPERATION: dict[str, Any] = {
    "opt": {"operation": Operation(name="tencent_callback")},
    "operation_id": "tencent_callback",
    "operation_class": _TakesCallback,
    "tags": [VOCABULARY.tag],
    "responses": responses(_MEANINGS),
    "status_code": 200,
}

"""POST /tencent/callbacks: authenticate, decode, carry out, answer.

Tencent Cloud Chat, Webhook Overview.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Parameter, RequestBody, Schema
from litestar.openapi.spec import Operation as DocumentedOperation
from msgspec import Struct, field

from readstate.dialects.access import costs
from readstate.dialects.base import Operation, ProblemError, Services, responses
from readstate.dialects.http.body import BadBody, ClientGone, decode, read_body
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Reply
from readstate.dialects.tencent.auth import TencentApp
from readstate.dialects.tencent.callbacks.auth import CallbackAuthenticator, Url
from readstate.dialects.tencent.callbacks.commands import COMMANDS
from readstate.dialects.tencent.callbacks.context import CallbackContext
from readstate.dialects.tencent.callbacks.errors import OK, PATH, UNSIGNED
from readstate.dialects.tencent.reply import Fail, Ok
from readstate.dialects.tencent.vocabulary import VOCABULARY
from readstate.domain.limits import MAX_BATCH_BODY_BYTES

logger = logging.getLogger(__name__)


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


class _Named(Struct, frozen=True):
    command: str | None = field(default=None, name="CallbackCommand")


_named = msgspec.json.Decoder(_Named).decode


def callback_handler(
    tencent_app: TencentApp, authenticator: CallbackAuthenticator, services: Callable[[], Services]
) -> HTTPRouteHandler:
    """The route. `services` is asked at each callback."""

    @post(PATH, **OPERATION)
    async def tencent_callback(request: Request[Any, Any, Any]) -> Reply:
        """Take in one callback of Tencent IM. The sender is let in before its body is read."""
        url, address = Url.read(request.scope["query_string"]), client_address(request.scope)
        try:
            authenticator.authenticate(url, request.scope["headers"])
        except ProblemError as error:
            if error.problem is UNSIGNED:
                (services().credentials.missed if url.sign else services().credentials.absent)(address)
            raise
        services().rate_limits.take(tencent_app.app, "", costs.POST)
        try:
            body = await read_body(request.receive, MAX_BATCH_BODY_BYTES)
        except ClientGone:
            return OK  # the sender has gone
        await _carry_out(CallbackContext(services(), tencent_app.app, tencent_app.admins), authenticator, url, body)
        return OK

    return tencent_callback


async def _carry_out(context: CallbackContext, authenticator: CallbackAuthenticator, url: Url, body: bytes) -> None:
    """Raises BadBody, ProblemError and what the operations raise."""
    named: str | None = decode(_named, body).command
    name = named or url.command
    if not name or (url.command and url.command != name):
        raise BadBody("CallbackCommand must be the same in the URL and in the body")
    command = COMMANDS.get(name)
    if command is None:
        logger.debug("a callback without a meaning here", extra={"command": name[:64]})
        return
    await authenticator.check_fresh(context.read_state, context.app, url, name, body)
    await command(context, body)

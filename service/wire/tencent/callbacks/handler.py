"""POST /tencent/callbacks: let in, understood, carried out, answered (Tencent Cloud Chat, Webhook Overview)."""

import logging
from collections.abc import Callable

import msgspec
from litestar import asgi
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from msgspec import Struct, field

from service.domain.limits import MAX_BATCH_BODY_BYTES
from service.errors import Refusal, Unavailable, UnknownOutcome
from service.wire.body import BadBody, ClientGone, decode, read_body
from service.wire.desk import Desk
from service.wire.reply import Reply
from service.wire.tencent.callbacks.answers import OK, fail, try_again
from service.wire.tencent.callbacks.commands import COMMANDS
from service.wire.tencent.callbacks.door import Door, ForeignApp, Unsigned, Url
from service.wire.tencent.callbacks.ingest import Ingest
from service.wire.tencent.gateway import Access

PATH = "/tencent/callbacks"

logger = logging.getLogger(__name__)


class _Named(Struct, frozen=True):
    command: str | None = field(default=None, name="CallbackCommand")


_named = msgspec.json.Decoder(_Named).decode


def callback_handler(access: Access, door: Door, desk: Callable[[], Desk]) -> ASGIRouteHandler:
    """The route. `access` names the app and its administrators; `desk` gives what it works with, asked at each callback."""

    @asgi(PATH, copy_scope=False, opt={"operation": "tencent_callback"})
    async def tencent_callback(scope: Scope, receive: Receive, send: Send) -> None:
        """Take in one callback of Tencent IM."""
        ingest = Ingest(desk().read_state, access.app, access.admins)
        try:
            reply = await _answer(door, ingest, scope, receive)  # type: ignore[arg-type]
        except ClientGone:
            return
        scope["outcome"] = reply.code  # type: ignore[typeddict-unknown-key]
        await reply(scope, receive, send)

    return tencent_callback


async def _answer(door: Door, ingest: Ingest, scope: HTTPScope, receive: Receive) -> Reply:
    if scope["method"] != "POST":
        return fail("Callbacks are sent by POST", code="METHOD_NOT_ALLOWED", status=405, headers=((b"allow", b"POST"),))
    url = Url.read(scope["query_string"])
    try:
        door.check(url)
        body = await read_body(receive, MAX_BATCH_BODY_BYTES)
        await _carry_out(ingest, url, body)
    except Unsigned as error:
        return fail(str(error), code="UNSIGNED", status=401)
    except ForeignApp as error:
        return fail(str(error), code="FOREIGN_APP")
    except RequestEntityTooLarge:
        return fail(f"A body must have at most {MAX_BATCH_BODY_BYTES} bytes", code="PAYLOAD_TOO_LARGE")
    except BadBody as error:
        return fail(str(error), code="INVALID_BODY")
    except Refusal as error:
        return fail(str(error), code=error.code)
    except (Unavailable, UnknownOutcome) as fault:
        return try_again(fault)
    return OK


async def _carry_out(ingest: Ingest, url: Url, body: bytes) -> None:
    """Raises BadBody and what the operations raise."""
    named: str | None = decode(_named, body).command
    name = named or url.command
    if not name or (url.command and url.command != name):
        raise BadBody("CallbackCommand must be the same in the URL and in the body")
    command = COMMANDS.get(name)
    if command is None:
        logger.debug("a callback that means nothing here", extra={"command": name[:64]})
        return
    await command.carry_out(ingest, body)

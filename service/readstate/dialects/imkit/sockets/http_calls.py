"""Client events that stand for a call of the HTTP API: the same handlers, the same answers.

The content of the event is encoded as JSON again for the handler. So a number may be spelt
differently, and one beyond 64 bits is rounded.
"""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from readstate import metrics
from readstate.dialects.base import ProblemError
from readstate.dialects.http.body import BadBody, decode
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.call import BareCall, Principal
from readstate.dialects.imkit.errors import MISSING_PARAMETER, answer
from readstate.dialects.imkit.messages import send
from readstate.dialects.imkit.reading import mark_read
from readstate.dialects.imkit.schemas import MarkRead, RoomMessage
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.services import Services

HttpCall = Callable[[Services, Principal, Any], Awaitable[bytes]]

_room_message = msgspec.json.Decoder(RoomMessage).decode
_mark_read = msgspec.json.Decoder(MarkRead).decode


async def _call(
    handler: HTTPRouteHandler,
    services: Services,
    principal: Principal,
    content: Any,
    arguments: Callable[[bytes], dict[str, Any]],
) -> bytes:
    """The answer of `handler`. `content` is the body of the HTTP call, with the room besides."""
    started_s = perf_counter()
    try:
        reply: Reply = await handler.fn(BareCall(principal, services), room=_room(content), **arguments(_body(content)))
    except Exception as error:
        reply = answer({"route_handler": handler, "method": "SOCKET"}, error)
    metrics.observe("socket", handler.opt["operation"].name, reply.code, started_s)
    return reply.payload


def _body(content: Any) -> bytes:
    try:
        return encode_json(content)
    except RecursionError:
        raise BadBody("The body is nested too deeply") from None


def _room(content: Any) -> str:
    room = content.get("room") if isinstance(content, dict) else None
    if not isinstance(room, str) or not room:
        raise ProblemError(MISSING_PARAMETER, "room is required")
    return room


async def _send(services: Services, principal: Principal, content: Any) -> bytes:
    return await _call(
        send, services, principal, content, lambda body: {"body": body, "data": decode(_room_message, body)}
    )


async def _read(services: Services, principal: Principal, content: Any) -> bytes:
    return await _call(mark_read, services, principal, content, lambda body: {"data": decode(_mark_read, body)})


# The cost of each event, as over HTTP.
COSTS: Mapping[str, float] = {"chat message": send.opt["operation"].cost, "lastRead": mark_read.opt["operation"].cost}
HTTP_CALLS: Mapping[str, HttpCall] = {"chat message": _send, "lastRead": _read}

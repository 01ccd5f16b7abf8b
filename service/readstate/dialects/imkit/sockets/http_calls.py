"""Client events that stand for a call of the HTTP API: the same handlers, the same answers.

The content of the event is encoded as JSON again for the handler. So a number may be spelt
differently, and one beyond 64 bits is rounded.
"""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Annotated, Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from readstate import metrics
from readstate.dialects.base import ProblemError, Services
from readstate.dialects.http.body import BadBody, decode
from readstate.dialects.http.handler_call import HandlerCall
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.changes import changes
from readstate.dialects.imkit.errors import MISSING_PARAMETER, answer
from readstate.dialects.imkit.messages import send
from readstate.dialects.imkit.operation import BareCall, Operation, Principal
from readstate.dialects.imkit.reading import mark_read
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.domain.changes import MAX_CHANGES

Work = Callable[[BareCall, Any], Awaitable[Reply]]  # takes the event's one argument


class HttpCall(Struct, frozen=True):
    """A call that an event stands for."""

    handler: HTTPRouteHandler
    work: Work

    @property
    def operation(self) -> Operation:
        return self.handler.opt["operation"]  # type: ignore[no-any-return]

    async def answer(self, services: Services, principal: Principal, content: Any) -> bytes:
        """The answer of the handler to the event's one argument."""
        started_s = perf_counter()
        try:
            reply = await self.work(BareCall(principal, services), content)
        except Exception as error:
            reply = answer({"route_handler": self.handler, "method": "SOCKET"}, error)
        metrics.observe("socket", self.operation.name, reply.code, started_s)
        return reply.payload


def _room_call(handler: HTTPRouteHandler) -> HttpCall:
    """A call that changes a room: the content is the body, with the room besides."""
    call = HandlerCall.of(handler)

    async def work(request: BareCall, content: Any) -> Reply:
        arguments: dict[str, Any] = {call.id_parameter: _room(content)}
        call.add_body(arguments, _body(content))
        confirmation = request.services.confirmation
        return await confirmation.confirmed(confirmation.default, call.function(request, **arguments))

    return HttpCall(handler, work)


class Since(Struct, frozen=True):
    """The parameters of GET /me/readState."""

    since: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_CHANGES)] = MAX_CHANGES


async def _sync(request: BareCall, content: Any) -> Reply:
    """GET /me/readState: the content has its parameters, and may be missing."""
    asked = decode(_decode_since, _body({} if content is None else content))
    reply: Reply = await changes.fn(request, since=asked.since, limit=asked.limit)
    return reply


_decode_since = msgspec.json.Decoder(Since).decode


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


HTTP_CALLS: Mapping[str, HttpCall] = {
    "chat message": _room_call(send),
    "lastRead": _room_call(mark_read),
    "sync": HttpCall(changes, _sync),
}

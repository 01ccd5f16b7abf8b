"""Client events that stand for a call of the HTTP API: the same handlers, the same answers.

The content of the event is encoded as JSON again for the handler. So a number may be spelt
differently, and one beyond 64 bits is rounded.
"""

from collections.abc import Awaitable, Mapping
from time import perf_counter
from typing import Any

from readstate import metrics
from readstate.dialects.base import ProblemError, Services
from readstate.dialects.http.body import BadBody
from readstate.dialects.http.handler_call import HandlerCall
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.errors import MISSING_PARAMETER, answer
from readstate.dialects.imkit.messages import send
from readstate.dialects.imkit.operation import BareCall, Principal
from readstate.dialects.imkit.reading import mark_read
from readstate.dialects.imkit.sockets.encoding import encode_json


class HttpCall(HandlerCall, frozen=True):
    """A call that an event stands for."""

    async def answer(self, services: Services, principal: Principal, content: Any) -> bytes:
        """The answer of the handler.

        `content` is the body of the HTTP call, with the room besides.
        """
        started_s = perf_counter()
        try:
            arguments: dict[str, Any] = {self.id_parameter: _room(content)}
            self.add_body(arguments, _body(content))
            confirmation = services.confirmation
            work: Awaitable[Reply] = self.function(BareCall(principal, services), **arguments)
            reply = await confirmation.confirmed(confirmation.default, work)
        except Exception as error:
            reply = answer({"route_handler": self.handler, "method": "SOCKET"}, error)
        metrics.observe("socket", self.operation.name, reply.code, started_s)
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


HTTP_CALLS: Mapping[str, HttpCall] = {"chat message": HttpCall.of(send), "lastRead": HttpCall.of(mark_read)}

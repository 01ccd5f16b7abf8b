"""The fast path: hot calls, answered without the framework.

A hot call is an ordinary handler: it is in the routing table and in the OpenAPI document, and the
framework can serve it. But the framework's part of the work (routing, three layers of middleware, a
request object, keyword arguments) costs several times as much as the call itself. So a request that
does not need it goes straight to the same function.

An unusual request goes to the framework: percent-encoding, many parameters, a slash at the end, a
browser's Origin, a preference, another method. Both ways authenticate, decode and explain errors by
the same code, and a test asks both the same questions.
"""

from typing import Any
from urllib.parse import parse_qs

from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Receive, Send

from readstate.dialects.access import costs
from readstate.dialects.base import Services
from readstate.dialects.http.body import read_body
from readstate.dialects.http.durability import PREFER
from readstate.dialects.http.handler_call import HandlerCall
from readstate.dialects.http.reply import REQUEST_ID, Reply
from readstate.dialects.http.request_id import note
from readstate.dialects.imkit.auth import authenticate, check_query
from readstate.dialects.imkit.errors import answer
from readstate.dialects.imkit.operation import BareCall, Operation

MAX_FIELDS = 128  # of a query
_UNUSUAL_HEADERS = frozenset({b"origin", PREFER, REQUEST_ID})


class FastRoute(HandlerCall, frozen=True):
    """One hot call."""

    async def serve(self, services: Services, id_in_path: str, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request that `FastRoutes.find` has recognised."""
        scope["route_handler"] = self.handler
        operation: Operation = self.operation
        try:
            principal = await authenticate(services, operation, scope)
            arguments: dict[str, Any] = {self.id_parameter: id_in_path} if self.id_parameter else {}
            if scope["query_string"] and operation.query is not None:
                given = parse_qs(
                    scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS
                )
                check_query(operation, given)
                arguments |= {parameter: given.get(name) for name, parameter in self.query.items()}
            if self.decoder is not None:
                self.add_body(arguments, await read_body(receive))
            reply: Reply = await self.function(BareCall(principal, services), **arguments)
        except Exception as error:
            reply = answer(scope, error)
        await reply(scope, receive, send)


class FastRoutes:
    """All hot calls.

    Raises ValueError for an expensive call: only the framework's path limits how many of those run
    at once.
    """

    def __init__(self, *handlers: HTTPRouteHandler) -> None:
        self.all = [FastRoute.of(handler) for handler in handlers]
        if any(route.operation.cost >= costs.EXPENSIVE for route in self.all):
            raise ValueError("an expensive call takes the framework's path")
        self._exact = {(route.method, route.prefix): route for route in self.all if not route.id_parameter}
        self._with_id: dict[str, list[FastRoute]] = {}  # by method
        for route in self.all:
            if route.id_parameter:
                self._with_id.setdefault(route.method, []).append(route)

    def find(self, scope: HTTPScope) -> tuple[FastRoute, str] | None:
        """The hot call of a request, and the id in its path ("" without one); None: the framework
        answers.
        """
        path, method = scope["path"], scope["method"]
        route = self._exact.get((method, path))
        id_in_path = ""
        if route is None:
            for route in self._with_id.get(method, ()):
                if path.startswith(route.prefix) and path.endswith(route.suffix):
                    id_in_path = path[len(route.prefix) : len(path) - len(route.suffix)]
                    if id_in_path and "/" not in id_in_path and id_in_path.isprintable():
                        break
            else:
                return None
        query = scope["query_string"]
        if b"%" in scope["raw_path"] or (query and (b"%" in query or b"+" in query or query.count(b"&") >= MAX_FIELDS)):
            return None
        for name, value in scope["headers"]:
            if name in _UNUSUAL_HEADERS:
                if name != REQUEST_ID:
                    return None
                note(scope, value)
        return route, id_in_path

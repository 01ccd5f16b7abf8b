"""The express road: how the hot calls are executed.

A hot call is an ordinary handler: it stands in the routing table and in the OpenAPI document, and the framework can serve it. But what
the framework does on the way costs several times the call itself: routing, three layers of middleware, a request object, building
keyword arguments. So a request that needs none of it is recognised before the framework and brought straight to the same function.

Whatever is unusual takes the framework's road: percent-encoding, many parameters, a trailing slash, a browser's Origin,
another method. Both roads let callers in through the same gate, decode by the same types and explain errors in the same words; a test
asks both the same questions.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Receive, Send
from msgspec import Struct

from readstate.dialects.access import costs
from readstate.dialects.http.body import BadBody, decode, read_body
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.auth import authenticate, check_query
from readstate.dialects.imkit.call import BareCall, Operation
from readstate.dialects.imkit.errors import answer
from readstate.dialects.services import Services

MAX_FIELDS = 128  # of a query


class Express(Struct, frozen=True):
    """One hot call: how it is recognised, and what its function takes."""

    handler: HTTPRouteHandler
    method: str
    prefix: str  # the whole path, or what stands before the id
    suffix: str | None  # what stands behind the id; None: there is no id
    decoder: Callable[[bytes], Any] | None  # of the body; None: it takes none
    body_optional: bool = False
    query: dict[str, str] = {}  # name on the wire -> parameter that takes the list of its values

    async def serve(self, services: Services, id_in_path: str, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one request that `Expresses.find` has recognised."""
        operation: Operation = self.handler.opt["operation"]
        scope["route_handler"] = self.handler
        try:
            principal = await authenticate(services, operation, scope)
            arguments: dict[str, Any] = {"room": id_in_path} if self.suffix is not None else {}
            if scope["query_string"] and operation.query is not None:
                given = parse_qs(
                    scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS
                )
                check_query(operation, given)
                arguments |= {parameter: given.get(name) for name, parameter in self.query.items()}
            if self.decoder is not None:
                arguments["data"] = self._decode(await read_body(receive))
            reply: Reply = await self.handler.fn(BareCall(principal, services), **arguments)
        except Exception as error:
            reply = answer(scope, error)
        await reply(scope, receive, send)

    def _decode(self, body: bytes) -> Any:
        if body:
            return decode(self.decoder, body)  # type: ignore[arg-type]  # the caller has looked
        if self.body_optional:
            return None
        raise BadBody("A JSON body is required")


class Expresses:
    """All hot calls. Raises ValueError for a dear one: only the framework's road bounds how many of those run at once."""

    def __init__(self, *expresses: Express) -> None:
        if any(express.handler.opt["operation"].cost >= costs.DEAR for express in expresses):
            raise ValueError("a dear call takes the framework's road")
        self._exact = {(express.method, express.prefix): express for express in expresses if express.suffix is None}
        self._with_id = {express.method: express for express in expresses if express.suffix is not None}

    def find(self, scope: HTTPScope) -> tuple[Express, str] | None:
        """The hot call that a request is, with the id in its path ("" without one); None: the framework's road."""
        path, method = scope["path"], scope["method"]
        express = self._exact.get((method, path))
        room = ""
        if express is None:
            express = self._with_id.get(method)
            if express is None or not (path.startswith(express.prefix) and path.endswith(express.suffix or "")):
                return None
            room = path[len(express.prefix) : -len(express.suffix or "")]
            if not room or "/" in room or not room.isprintable():
                return None
        query = scope["query_string"]
        if b"%" in scope["raw_path"] or (query and (b"%" in query or b"+" in query or query.count(b"&") >= MAX_FIELDS)):
            return None
        for name, _ in scope["headers"]:
            if name == b"origin":
                return None
        return express, room

"""Calling a handler outside the framework, with the arguments that the framework would give it."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import Parameter, signature
from typing import Any, Self, get_args, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from msgspec import Struct

from readstate.dialects.http.body import BadBody, decode


class HandlerCall(Struct, frozen=True):
    """How to call one handler. Everything is read off the handler, so nothing is declared twice.

    The handler takes the request, at most one id in its path, lists of query parameters, the
    decoded body as `data`, and its bytes as `body`.
    """

    handler: HTTPRouteHandler
    function: Callable[..., Awaitable[Any]]
    operation: Any  # what the handler declares: the dialect's Operation
    method: str
    prefix: str  # the path up to the id, or all of it
    suffix: str  # the path behind the id
    id_parameter: str  # that takes the id; "" when the path has none
    query: Mapping[str, str]  # name on the wire -> parameter that takes the list of its values
    decoder: Callable[[bytes], Any] | None  # of the body; None: the call takes none
    body_optional: bool
    takes_body_bytes: bool

    @classmethod
    def of(cls, handler: HTTPRouteHandler) -> Self:
        """How to call `handler`. Raises ValueError for a handler with other parameters."""
        (method,), (path,) = handler.http_methods, handler.paths
        prefix, _, rest = path.partition("{")
        id_parameter, _, suffix = rest.partition("}")
        id_parameter = id_parameter.partition(":")[0]
        hints = get_type_hints(handler.fn, include_extras=True)
        parameters = {name: one for name, one in signature(handler.fn).parameters.items() if name != "request"}
        query = {wire: name for name in parameters if (wire := _name_in_query(hints[name]))}
        data = parameters.get("data")
        other = parameters.keys() - {id_parameter, "data", "body", *query.values()}
        if other or "{" in suffix:
            raise ValueError(f"{path} cannot be called outside the framework: {', '.join(other) or 'several ids'}")
        return cls(
            handler=handler,
            function=handler.fn,
            operation=handler.opt["operation"],
            method=str(method),
            prefix=prefix,
            suffix=suffix,
            id_parameter=id_parameter,
            query=query,
            decoder=msgspec.json.Decoder(get_args(hints["data"])[0]).decode if data else None,
            body_optional=data is not None and data.default is not Parameter.empty,
            takes_body_bytes="body" in parameters,
        )

    def add_body(self, arguments: dict[str, Any], body: bytes) -> None:
        """Add the arguments that the handler takes from the body. Raises BadBody."""
        arguments["data"] = self._decoded(body)
        if self.takes_body_bytes:
            arguments["body"] = body

    def _decoded(self, body: bytes) -> Any:
        if body:
            return decode(self.decoder, body)  # type: ignore[arg-type]  # for calls with a body only
        if self.body_optional:
            return None
        raise BadBody("A JSON body is required")


def _name_in_query(hint: Any) -> str | None:
    """The name of a query parameter on the wire; None for another parameter."""
    found = (one.name for one in getattr(hint, "__metadata__", ()) if isinstance(one, QueryParameter))
    return next(found, None)

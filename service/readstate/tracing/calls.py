"""Spans of HTTP calls. Those of sockets are not traced: one would last as long as its client."""

import re
from functools import cache, partial
from typing import Any, Final

from litestar.types import Message, Receive, Scope, Send
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, format_trace_id

from readstate.app import Service, create_app
from readstate.dialects.base import operation_of
from readstate.dialects.http.reply import Headers, WholeReplySender
from readstate.parts import Parts
from readstate.settings import Settings
from readstate.tracing.spans import ERROR_TYPE, OUTCOME, Traces
from readstate.tracing.store import connect_traced

# Asked every few seconds by what looks after the service.
_FOR_OPERATORS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_TYPE: Final = re.compile(r":\w+}")  # of an id in a path of the framework


class TracedService:
    """The service, with a span for each HTTP call and for what the call asks of the store.

    A span begins in the trace that the call's `traceparent` names, if there is one.
    """

    def __init__(self, settings: Settings, traces: Traces) -> None:
        self._traces = traces
        self._service: Service = create_app(settings, connect=partial(connect_traced, traces))
        self.make_document = self._service.make_document
        sockets = (dialect.socket_path for dialect in self._service.dialects)
        self._socket_paths = tuple(path for path in sockets if path)

    @property
    def parts(self) -> Parts:
        """As those of the service."""
        return self._service.parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: Any = scope["type"]
        if kind == "lifespan":
            self._traces.begin()
            await self._service(scope, receive, self._ending_first(send))
        elif kind == "http" and self._is_traced(scope["path"]):
            await self._serve(scope, receive, send)
        else:
            await self._service(scope, receive, send)

    def _ending_first(self, send: Send) -> Send:
        """As `send`. But the server exits when it hears of the end, so that is told last."""

        async def send_after(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._traces.end()
            await send(message)

        return send_after

    def _is_traced(self, path: str) -> bool:
        return path not in _FOR_OPERATORS and not path.startswith(self._socket_paths)

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        came_from = self._traces.propagator.extract(scope["headers"], context=Context(), getter=_HEADERS)
        method: str = scope["method"]
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with self._traces.span(method, SpanKind.SERVER, context=came_from, attributes=attributes) as span:
            scope["trace_id"] = format_trace_id(span.get_span_context().trace_id)  # for the log
            if not span.is_recording():
                await self._service(scope, receive, send)
                return
            answered = _Answered(send)
            await self._service(scope, receive, answered.send)
            _note_answer(span, scope, answered.status)


def _note_answer(span: Span, scope: Any, status: int) -> None:
    """Note what the call was, and what became of it. Of HEAD only its answer is known."""
    outcome = scope.get("outcome", "ok")
    span.set_attribute(OUTCOME, outcome)
    if app := scope.get("payer", ("", ""))[0]:
        span.set_attribute("readstate.app", app)
    if handler := scope.get("route_handler"):
        operation, route = operation_of(scope).name, _route(handler)
        span.update_name(f"{scope['method']} {route or operation}")
        span.set_attributes({"readstate.operation": operation} | ({"http.route": route} if route else {}))
    if status:
        span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute(ERROR_TYPE, outcome)
        span.set_status(StatusCode.ERROR)


@cache
def _route(handler: Any) -> str:
    """The path of a handler, with names for its ids; "" when it has several."""
    return _TYPE.sub("}", next(iter(handler.paths))) if len(handler.paths) == 1 else ""


class _Answered(WholeReplySender):
    """What sends an answer, and remembers its status.

    The server's own short way for whole answers stays open.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._server: Any = getattr(send, "__self__", None)
        self.status = 0

    @property
    def transport(self) -> Any:
        return getattr(self._server, "transport", None)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def send_whole_reply(self, status: int, media_type: bytes, headers: Headers, body: bytes) -> bool:
        if not isinstance(self._server, WholeReplySender):
            return False
        sent = self._server.send_whole_reply(status, media_type, headers, body)
        if sent:
            self.status = status
        return sent


class _AsgiHeaders(Getter):  # type: ignore[type-arg,misc,unused-ignore]
    """Reads the headers of a request: pairs of bytes, with names in small letters."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        name = key.lower().encode()
        return [value.decode("latin-1") for header, value in carrier if header == name] or None

    def keys(self, carrier: Any) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS: Final = _AsgiHeaders()

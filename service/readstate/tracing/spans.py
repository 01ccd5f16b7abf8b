"""Where the spans of a process are made, and how they are sent.

A span holds names of operations, routes and scripts, outcomes, and the app. It holds no ids of
users, rooms and messages: no path, no key, no text of an error.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from readstate.errors import Refusal

ERROR_TYPE: Final = "error.type"
OUTCOME: Final = "readstate.outcome"
# For so long the end of a process waits until its last spans are sent.
LAST_SPANS_S: Final = 2.0
_NAME: Final = "readstate"
# They warn of headers that they cannot read, in the words of these, and any caller may send them.
_QUIET_LOGGERS: Final = ("opentelemetry.baggage", "opentelemetry.propagators", "opentelemetry.trace")


def exporting_provider() -> TracerProvider:
    """Sends spans by OTLP/HTTP, as the OTEL_ variables say.

    It has a thread, so it is made in the process whose spans it sends.
    """
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": _NAME}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def propagator() -> TextMapPropagator:
    """How a call names its trace: as OTEL_PROPAGATORS says, else by W3C Trace Context alone.

    Baggage, which OpenTelemetry would read as well, is of no use here, and any caller may send it.
    Raises what OpenTelemetry raises for a name that it does not know.
    """
    if not os.environ.get("OTEL_PROPAGATORS"):
        return TraceContextTextMapPropagator()
    from opentelemetry.propagate import get_global_textmap  # it reads the variable when it is imported

    return get_global_textmap()


class Traces:
    """The spans of one process, between `begin` and `end`."""

    def __init__(self, make_provider: Callable[[], TracerProvider]) -> None:
        """Raises what OpenTelemetry raises for variables that it cannot follow."""
        self._make_provider = make_provider
        self.propagator = propagator()
        for name in _QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        self._provider: Any = None
        self._tracer: Any = None

    def try_out(self) -> None:
        """Make what sends spans and end it, without a span. Raises as the constructor does."""
        self._make_provider().shutdown()

    def begin(self) -> None:
        """From now on spans are made. It may be called again after `end`."""
        self._provider = self._make_provider()
        self._tracer = self._provider.get_tracer(_NAME)

    async def end(self) -> None:
        """Send what is left. A receiver that does not take it is not waited for."""
        sending = Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, LAST_SPANS_S)

    @contextmanager
    def span(self, name: str, kind: SpanKind, **more: Any) -> Iterator[Span]:
        """The span that is the present one within the block. `more`: attributes, context.

        What the block raises is noted by its kind only, since its text may hold ids.
        """
        quiet = {"record_exception": False, "set_status_on_exception": False}
        with self._tracer.start_as_current_span(name, kind=kind, **quiet, **more) as span:
            try:
                yield span
            except Exception as error:
                note_error(span, error)
                raise


def note_error(span: Span, error: Exception) -> None:
    """Note how a span has ended. A refusal is the caller's doing, and no error of the span."""
    if isinstance(error, Refusal):
        span.set_attribute(ERROR_TYPE, error.code)
    else:
        span.set_attribute(ERROR_TYPE, type(error).__name__)
        span.set_status(StatusCode.ERROR)

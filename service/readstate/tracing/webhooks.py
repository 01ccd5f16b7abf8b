"""Spans of webhooks. The receiver gets their `traceparent`, and can go on with the trace."""

import ssl

from msgspec import structs
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from yarl import URL

from readstate.tracing.spans import ERROR_TYPE, OUTCOME, Traces
from readstate.webhooks.forms import Answer, WebhookRequest
from readstate.webhooks.sender import Sender


class TracedSender(Sender):
    """As a Sender, with a trace for each attempt to deliver."""

    def __init__(self, traces: Traces, url: str, *, allow_private: bool, tls: ssl.SSLContext) -> None:
        super().__init__(url, allow_private=allow_private, tls=tls)
        self._traces = traces
        self._host = URL(url).host or ""

    async def send(self, request: WebhookRequest) -> Answer:
        attributes = {"http.request.method": "POST", "server.address": self._host}
        with self._traces.span("webhook", SpanKind.CLIENT, context=Context(), attributes=attributes) as span:
            headers = dict(request.headers)
            self._traces.propagator.inject(headers)
            answer = await super().send(structs.replace(request, headers=headers))
            span.set_attribute(OUTCOME, answer.reason or "ok")
            if answer.reason:
                span.set_attribute(ERROR_TYPE, answer.reason)
                span.set_status(StatusCode.ERROR)
            return answer

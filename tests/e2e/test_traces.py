"""`readstate serve` with a receiver of traces: what arrives over the network."""

import asyncio
from itertools import chain

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.devices import API_KEY, CLIENT_KEY, Backend
from tests.support.processes import ServiceProcess
from tests.support.receiver import Receiver, Reply
from tests.support.servers import short_directory
from tests.support.waiting import wait_until


def spans_of(receiver: Receiver) -> list[tuple[str, Span]]:
    """Every span that has arrived, with the name of its service."""
    requests = [ExportTraceServiceRequest.FromString(call.body) for call in receiver.calls]
    found = []
    for resource in chain.from_iterable(request.resource_spans for request in requests):
        names = {one.key: one.value.string_value for one in resource.resource.attributes}
        found += [(names["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
    return found


async def test_calls_scripts_and_webhooks_arrive_by_otlp() -> None:
    """Those that were not sent yet are sent when the service stops.

    A webhook's own span is that which its receiver is told.
    """
    traces_taken = Reply(headers={"content-type": "application/x-protobuf"}, body=b"")
    async with Receiver(lambda call: traces_taken) as traces, Receiver() as webhooks:
        with short_directory() as directory:
            service = ServiceProcess(
                directory / "data",
                api_key=API_KEY,
                client_key=CLIENT_KEY,
                webhook_url=webhooks.url,
                webhook_token="token-of-the-operator",
                webhook_allow_private="true",
            )
            service.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{traces.port}"
            service.environ["OTEL_BSP_SCHEDULE_DELAY"] = "60000"
            await asyncio.to_thread(service.start)
            async with Backend(service.url) as backend:
                token = await backend.token("ann")
                await backend.room("garden", "ann", "bob")
                await backend.read(token, "garden", await backend.post("garden", "bob"))

                async def told() -> bool:
                    return bool(webhooks.calls)

                await wait_until(told, "the webhook of the read")
            assert traces.calls == []
            await asyncio.to_thread(service.stop)
    assert {call.target for call in traces.calls} == {"/v1/traces"}
    spans = spans_of(traces)
    assert {name for name, _ in spans} == {"readstate"}
    by_name = {span.name: span for _, span in spans}
    read, script = by_name["PUT /rooms/{room}/lastRead"], by_name["FCALL mark_read"]
    assert (script.trace_id, script.parent_span_id) == (read.trace_id, read.span_id)
    version, trace, span, flags = webhooks.calls[0].headers["traceparent"].split("-")
    assert (trace, span) == (by_name["webhook"].trace_id.hex(), by_name["webhook"].span_id.hex())
    assert (version, int(flags, 16) & 1) == ("00", 1)  # sampled

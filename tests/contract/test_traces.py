"""The spans of calls, by OpenTelemetry's own exporter in memory."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from readstate.errors import Unavailable
from readstate.settings import Settings
from readstate.store.connect import connect
from readstate.tracing.calls import TracedService
from readstate.tracing.spans import Traces
from tests.support.imkit import Imkit, Lifespan, client_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
IDS = ("garden", "ann", "ben", "m1")


class Traced(Imkit):
    """A service whose spans are kept."""

    kept: InMemorySpanExporter

    def spans(self) -> list[ReadableSpan]:
        """Those since the last look: a call's own after those within it."""
        found = list(self.kept.get_finished_spans())
        self.kept.clear()
        return found


@pytest_asyncio.fixture
async def traced(settings: Settings) -> AsyncIterator[Traced]:
    executor = await connect(str(settings.redis_url))
    await executor.each_node("FLUSHALL")
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    service = TracedService(settings, Traces(lambda: provider))
    async with Lifespan(service), client_of(service) as client:
        traced = Traced(service, client, executor)
        traced.kept = kept
        await traced.sign_in("ann")
        await traced.sign_in("ben")
        await traced.room("garden", "ann", "ben")
        await traced.post("garden", "ann", "m1")
        traced.spans()
        yield traced
    await executor.close()


def said(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def read(traced: Traced, room: str, headers: dict[str, str]) -> None:
    traced.client.headers.update(headers)
    await traced.as_user("ben", "PUT", f"/rooms/{room}/lastRead", {"message": "m1"})


async def test_a_call_and_its_scripts_are_a_part_of_the_callers_trace(traced: Traced) -> None:
    """This call takes the fast path."""
    await read(traced, "garden", SAMPLED)
    *scripts, call = traced.spans()
    assert (call.name, call.kind) == ("PUT /rooms/{room}/lastRead", SpanKind.SERVER)
    assert call.parent is not None
    assert f"{call.parent.trace_id:032x}-{call.parent.span_id:016x}" == f"{TRACE}-{PARENT}"
    assert said(call) == {
        "http.request.method": "PUT",
        "http.response.status_code": 200,
        "http.route": "/rooms/{room}/lastRead",
        "readstate.app": "default",
        "readstate.operation": "mark_read",
        "readstate.outcome": "ok",
        "url.scheme": "http",
    }
    assert "FCALL mark_read" in [script.name for script in scripts]
    for script in scripts:
        assert script.parent is not None
        assert (script.parent.span_id, script.kind) == (call.context.span_id, SpanKind.CLIENT)
        assert said(script)["db.system.name"] == "redis"


async def test_no_span_holds_an_id(traced: Traced) -> None:
    """Nor does one of a refusal, which the framework has answered."""
    await read(traced, "garden", {})
    await read(traced, "garden%2Fann", {})
    await traced.as_user("ann", "GET", "/rooms?fields=unread")
    await traced.as_user("ann", "GET", "/nowhere/garden")
    spans = traced.spans()
    assert len([span for span in spans if span.kind is SpanKind.SERVER]) == 4
    told = "\n".join(span.to_json() for span in spans)
    assert not [one for one in IDS if one in told], told


async def test_a_refusal_is_no_error_of_the_service(traced: Traced) -> None:
    await read(traced, "roof", {})
    *_, call = traced.spans()
    assert (said(call)["http.response.status_code"], said(call)["readstate.outcome"]) == (404, "ROOM_NOT_FOUND")
    assert call.status.status_code is StatusCode.UNSET


async def test_a_failure_of_the_service_is_one(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    traced.fail(monkeypatch, "badge", Unavailable("the store is away"))
    await traced.as_user("ben", "GET", "/me/badge")
    *_, call = traced.spans()
    assert said(call)["http.response.status_code"] == 503
    assert call.status.status_code is StatusCode.ERROR


async def test_what_the_caller_does_not_sample_is_not_recorded(traced: Traced) -> None:
    await read(traced, "garden", NOT_SAMPLED)
    assert traced.spans() == []


async def test_operators_are_not_traced(traced: Traced) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await traced.client.get(path)).status_code == 200
    assert traced.spans() == []


async def test_what_a_caller_may_send_does_not_fill_the_log(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """OpenTelemetry would write a line for each word that it cannot read, with the word."""
    unreadable = ",".join(f"secret{number}" for number in range(50))
    await read(traced, "garden", {**SAMPLED, "baggage": unreadable, "tracestate": unreadable})
    assert [span.name for span in traced.spans()][-1] == "PUT /rooms/{room}/lastRead"
    assert "secret" not in caplog.text


async def test_the_log_has_the_trace_of_the_span(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """That is another than the caller's, if the caller's cannot be one."""
    traced.client.headers["traceparent"] = f"00-{'0' * 32}-{PARENT}-01"
    with caplog.at_level("DEBUG", "readstate.app"):
        await traced.as_user("ben", "GET", "/me/badge")
    *_, call = traced.spans()
    (line,) = [record for record in caplog.records if record.message == "request"]
    assert line.trace_id == f"{call.context.trace_id:032x}"  # type: ignore[attr-defined]


async def test_the_log_has_the_trace_of_a_call_without_one(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "readstate.app"):
        await traced.as_user("ben", "GET", "/me/badge")
    *_, call = traced.spans()
    (line,) = [record for record in caplog.records if record.message == "request"]
    assert line.trace_id == f"{call.context.trace_id:032x}"  # type: ignore[attr-defined]

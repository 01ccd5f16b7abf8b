"""Traces are off unless the environment asks for them, and then cost nothing."""

import subprocess
import sys

import pytest

from readstate.errors import Doubt
from readstate.tracing import describe, open_traces, traces_or_warning
from tests.support.processes import clean_environ

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
OFF = [
    {},
    {"OTEL_SERVICE_NAME": "chat"},
    {"OTEL_TRACES_EXPORTER": "none", **ENDPOINT},
    {"OTEL_TRACES_EXPORTER": "console", **ENDPOINT},
    {"OTEL_SDK_DISABLED": "true", **ENDPOINT},
]


@pytest.mark.parametrize("environ", OFF, ids=str)
def test_they_are_off(environ: dict[str, str]) -> None:
    assert open_traces(environ) is None
    assert describe(environ).startswith("are off")


def test_without_the_extra_the_service_warns_and_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its variables may be those of every program on a machine."""
    monkeypatch.delitem(sys.modules, "readstate.tracing.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.delitem(sys.modules, name)
    for environ in (ENDPOINT, {"OTEL_TRACES_EXPORTER": "otlp"}):
        assert traces_or_warning(environ) is None
        assert "install readstate[otel]" in caplog.text
        caplog.clear()


def test_a_protocol_that_is_not_spoken_is_named() -> None:
    with pytest.raises(Doubt, match="the protocol is grpc"):
        open_traces({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


UNUSABLE = [
    ("OTEL_PROPAGATORS", "b3", "Propagator b3 not found"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000", "max_export_batch_size"),
]


@pytest.mark.parametrize(("name", "value", "said"), UNUSABLE)
def test_a_variable_that_cannot_be_followed_is_a_doubt(name: str, value: str, said: str) -> None:
    """A service warns of it and serves, and the doctor names it. Each is read at another moment."""
    pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
    look = (
        "import os\n"
        "from readstate.tracing import describe, traces_or_warning\n"
        "print(traces_or_warning(os.environ))\n"
        "describe(os.environ)"
    )
    environ = {**clean_environ({}), **ENDPOINT, name: value}
    done = subprocess.run([sys.executable, "-c", look], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "None\n", done.stderr
    assert "Doubt: no traces are made: OpenTelemetry cannot be set up: " in done.stderr
    assert said in done.stderr


def test_a_worker_without_traces_loads_and_wraps_nothing() -> None:
    """It is the application itself, on the executor itself.

    redis-py loads what counts, not what traces, where the extra is installed.
    """
    look = (
        "import sys; from readstate import app, worker_app; made = worker_app.worker();"
        "print(type(made) is app.Service, {'readstate.tracing.spans', 'opentelemetry.sdk.trace'} & {*sys.modules})"
    )
    keys = {"api_key": "a" * 32, "client_key": "c" * 32, "token_secret": "t" * 32}
    environ = clean_environ({"redis_url": "unix:///nowhere", **keys})
    environ = {name: value for name, value in environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", look], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"

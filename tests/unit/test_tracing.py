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

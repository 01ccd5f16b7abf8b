"""Traces of calls, scripts and webhooks, by OpenTelemetry: the extra `otel`.

Off unless the environment names an exporter. Then nothing of OpenTelemetry is imported and nothing
is wrapped, so a call costs what it costs without this package.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from readstate.errors import Doubt

if TYPE_CHECKING:
    from readstate.tracing.spans import Traces

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


def open_traces(environ: Mapping[str, str]) -> "Traces | None":
    """The traces of this process; None when they are off.

    Raises Doubt, with a sentence for the log, when they are asked for and cannot be made.
    """
    if not _are_asked_for(environ):
        return None
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        raise Doubt(f"no traces are made: the protocol is {protocol}, and {_SPOKEN} is spoken; set {_PROTOCOLS[1]}")
    try:
        from readstate.tracing.spans import Traces, exporting_provider

        traces = Traces(exporting_provider)
        traces.try_out()
    except ModuleNotFoundError as error:
        raise Doubt(f"no traces are made: {error.name} is missing; install readstate[otel]") from None
    except Exception as error:  # of any kind, and some come from an import: that is when variables are read
        raise Doubt(f"no traces are made: OpenTelemetry cannot be set up: {error}") from None
    return traces


def traces_or_warning(environ: Mapping[str, str]) -> "Traces | None":
    """The same, for a process that serves without traces rather than not at all."""
    try:
        return open_traces(environ)
    except Doubt as doubt:
        logger.warning("%s", doubt)
        return None


def describe(environ: Mapping[str, str]) -> str:
    """Whether traces are made, in a sentence. Raises Doubt as `open_traces` does."""
    return "are made" if open_traces(environ) else "are off: no exporter for OTLP is named"


def _are_asked_for(environ: Mapping[str, str]) -> bool:
    """By the standard variables: an exporter is named, or where it sends to.

    An exporter of another kind cannot be had here, so it is none.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")}
    return "otlp" in exporters or (exporters == {""} and any(environ.get(name) for name in _ENDPOINTS))

"""Spans of what a call asks of the store: the names of scripts and commands, without their keys."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from opentelemetry.trace import Span, SpanKind, get_current_span

from readstate.errors import ReadStateError
from readstate.store.connect import connect
from readstate.store.executor import Executor, Reply
from readstate.store.script_calls import Call, Part
from readstate.tracing.spans import Traces

_SCRIPT = "FCALL"


async def connect_traced(traces: Traces, url: str) -> Executor:
    """As `connect`. Raises what that raises."""
    return cast(Executor, TracedExecutor(await connect(url), traces))


class TracedExecutor:
    """An executor that makes spans within a call that is traced.

    What the service does by itself, every few seconds, is not traced.
    """

    def __init__(self, executor: Executor, traces: Traces) -> None:
        self._executor = executor
        self._traces = traces

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        if not _is_traced():
            return await self._executor.call(call, key, repeatable=repeatable)
        with self._span(_SCRIPT, call.script):
            return await self._executor.call(call, key, repeatable=repeatable)

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        if not calls or not _is_traced():
            return await self._executor.call_each(calls)
        scripts = sorted({call.script for _, call in calls})
        with self._span(_SCRIPT, ",".join(scripts)) as span:
            span.set_attribute("db.operation.batch.size", len(calls))
            return await self._executor.call_each(calls)

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        if not _is_traced():
            return await self._executor.command(*parts, key=key, repeatable=repeatable)
        with self._span(str(parts[0])):
            return await self._executor.command(*parts, key=key, repeatable=repeatable)

    def _span(self, command: str, script: str = "") -> AbstractContextManager[Span]:
        attributes = {"db.system.name": "redis", "db.operation.name": command}
        if script:
            attributes["db.stored_procedure.name"] = script
        return self._traces.span(f"{command} {script}".rstrip(), SpanKind.CLIENT, attributes=attributes)


def _is_traced() -> bool:
    """Whether a call is traced that is not over yet: a task may outlive the call that made it."""
    return bool(get_current_span().is_recording())

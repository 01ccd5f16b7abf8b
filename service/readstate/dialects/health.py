"""Health and metrics, for operators and for the inside of a deployment. A public proxy need not
pass these paths on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Generic, TypeVar

from litestar import Litestar, Request, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from readstate import metrics
from readstate.dialects.base import Operation, log_failure
from readstate.dialects.http.reply import TEXT, Reply, encode

REUSED_S = 1.0  # for so long an answer is reused

Ready = Callable[[], Awaitable[str]]
Warnings = Callable[[], Sequence[str]]
_Answer = TypeVar("_Answer")


class Reused(Generic[_Answer]):
    """An expensive answer. It is found once for all who ask at the same time, and reused for
    REUSED_S.
    """

    def __init__(self, find: Callable[[], Awaitable[_Answer]], now: Callable[[], float] = monotonic) -> None:
        self._find = find
        self._now = now
        self._found: asyncio.Task[_Answer] | None = None
        self._until_s = 0.0

    async def get(self) -> _Answer:
        """The answer. Raises what finding it raised."""
        if self._found is None or (self._found.done() and self._now() >= self._until_s):
            self._found = asyncio.ensure_future(self._search())
        return await asyncio.shield(self._found)

    async def _search(self) -> _Answer:
        try:
            return await self._find()
        finally:
            self._until_s = self._now() + REUSED_S


def index_handler(version: str, *, docs: bool) -> HTTPRouteHandler:
    """The handler of /. `docs`: whether there is a page to read."""
    pages = {"schema": "/schema"} | ({"docs": "/docs"} if docs else {})

    @get("/", opt={"operation": Operation(name="index")}, include_in_schema=False)
    async def index() -> Reply:
        """What this is, and where it is described."""
        return Reply(encode({"service": "readstate", "version": version, **pages}))

    return index


def ops_app(handlers: Sequence[HTTPRouteHandler]) -> ASGIApp:
    """An application of these handlers and nothing else, for a port of their own."""

    def answer(request: Request[Any, Any, Any], error: HTTPException) -> Any:
        if error.status_code >= 500:
            return fail(request, error)
        return Reply(f"{error.detail}\n".encode(), status=error.status_code, code="NO_SUCH_PATH", media_type=TEXT)

    def fail(request: Request[Any, Any, Any], error: Exception) -> Any:
        log_failure(request.scope, error)
        return Reply(b"failed; the log says why\n", status=500, code="INTERNAL_ERROR", media_type=TEXT)

    return Litestar(
        route_handlers=list(handlers),
        exception_handlers={HTTPException: answer, Exception: fail},
        openapi_config=None,
        logging_config=None,
    )


def operating_handlers(why_not_ready: Ready, warnings: Warnings, layout: Callable[[], str]) -> list[HTTPRouteHandler]:
    """The handlers of /healthz, /readyz and /metrics.

    `why_not_ready` returns a reason, or "" when requests can be served. `warnings` returns
    sentences about what an operator should look at while requests are served. `layout` says which
    layout the data have.
    """
    readiness = Reused(why_not_ready)
    # In a thread: adding up the numbers of all workers would block the event loop for too long.
    numbers = Reused(partial(asyncio.to_thread, metrics.exposition))

    @get("/healthz", opt={"operation": Operation(name="healthz")}, include_in_schema=False)
    async def healthz() -> Reply:
        """The process answers."""
        return Reply(b"ok\n", media_type=TEXT)

    @get("/readyz", opt={"operation": Operation(name="readyz")}, include_in_schema=False)
    async def readyz() -> Reply:
        """Requests can be served, and what is wrong all the same; else 503 and why not."""
        reason = await readiness.get()
        if reason:
            return Reply(f"not ready: {reason}\n".encode(), status=503, code="NOT_READY", media_type=TEXT)
        lines = ["ready", f"layout: {layout()}", *(f"warning: {sentence}" for sentence in warnings()), ""]
        return Reply("\n".join(lines).encode(), media_type=TEXT)

    @get("/metrics", opt={"operation": Operation(name="metrics")}, include_in_schema=False)
    async def measured() -> Reply:
        """All numbers in Prometheus' text format, summed over the workers."""
        return Reply(await numbers.get(), media_type=metrics.CONTENT_TYPE.encode())

    return [healthz, readyz, measured]

"""What operators ask: is it alive, can it serve, how is it doing. For the inside of a deployment; a public proxy need not pass these on."""

from collections.abc import Awaitable, Callable, Sequence

from litestar import get
from litestar.handlers import HTTPRouteHandler

from service import metrics
from service.wire.reply import Reply

_TEXT = b"text/plain; charset=utf-8"

Ready = Callable[[], Awaitable[str]]
Warnings = Callable[[], Sequence[str]]


def operating_handlers(why_not_ready: Ready, warnings: Warnings) -> list[HTTPRouteHandler]:
    """/healthz, /readyz and /metrics. `why_not_ready` gives a reason, or "" when requests can be served.

    `warnings` gives sentences about what an operator should see to while requests are served.
    """

    @get("/healthz", opt={"operation": "healthz"}, include_in_schema=False)
    async def healthz() -> Reply:
        """The process answers."""
        return Reply(b"ok\n", media_type=_TEXT)

    @get("/readyz", opt={"operation": "readyz"}, include_in_schema=False)
    async def readyz() -> Reply:
        """Requests can be served, and what is wrong all the same; else 503 and why not."""
        reason = await why_not_ready()
        if reason:
            return Reply(f"not ready: {reason}\n".encode(), status=503, code="NOT_READY", media_type=_TEXT)
        lines = ["ready", *(f"warning: {sentence}" for sentence in warnings()), ""]
        return Reply("\n".join(lines).encode(), media_type=_TEXT)

    @get("/metrics", opt={"operation": "metrics"}, include_in_schema=False)
    async def measured() -> Reply:
        """All numbers in Prometheus' text format, summed over the workers."""
        return Reply(metrics.exposition(), media_type=metrics.CONTENT_TYPE.encode())

    return [healthz, readyz, measured]

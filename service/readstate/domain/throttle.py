"""Rate limits over all workers: calls counted in windows of time."""

from typing import Protocol

from msgspec import Struct


class Hit(Struct, frozen=True):
    """One call, counted."""

    allowed: bool  # within the limit
    left: int  # calls that the window still allows after this one
    window_ends_ms: int  # Unix ms


class Throttle(Protocol):
    """Windows of time, each named by the text `what`."""

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> Hit:
        """Count one call of `what` in windows of `window_ms`."""

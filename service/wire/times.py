"""Times as texts, the same for every dialect."""

from datetime import UTC, datetime


def iso(at_ms: int) -> str:
    """Unix milliseconds as ISO-8601 UTC with milliseconds."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"

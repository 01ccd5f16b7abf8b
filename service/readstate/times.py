"""Times as texts, the same for every dialect."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime.fromtimestamp(0, UTC)


def iso(at_ms: int) -> str:
    """Unix milliseconds as ISO-8601 UTC with milliseconds."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def unix_ms(text: str) -> int:
    """An ISO-8601 time as Unix milliseconds, below 0 before 1970. Without a zone it is UTC.

    Raises ValueError.
    """
    at = datetime.fromisoformat(text)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)

"""The pages that may call the service from a browser, the same for every dialect."""

from collections.abc import Iterable

from litestar.config.cors import CORSConfig


def cors_config(origins: str, *, headers: Iterable[str], exposed: Iterable[str]) -> CORSConfig | None:
    """The framework's configuration. `origins`: comma-separated, `*` for any, "" for none.

    Pages may send `headers`, and read `exposed`, beside the headers of every dialect. Any origin is
    the default and is safe: credentials are headers that a page must know, never cookies that a
    browser adds.
    """
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not allowed:
        return None
    return CORSConfig(
        allow_origins=allowed,
        allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["Content-Type", "Prefer", "X-Request-Id", "traceparent", *headers],
        expose_headers=["Retry-After", "Preference-Applied", "X-Request-Id", *exposed],
        max_age=86_400,
    )

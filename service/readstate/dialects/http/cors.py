"""Which pages browsers may call from, the same for every dialect."""

from collections.abc import Iterable

from litestar.config.cors import CORSConfig


def cors_config(origins: str, *, headers: Iterable[str], exposed: Iterable[str]) -> CORSConfig | None:
    """`origins`: comma-separated, `*` for any, "" for none.

    Pages may send `headers`, and see `exposed` and Retry-After.

    Any is safe here and the default: credentials are headers that a page must know, never cookies
    that a browser adds.
    """
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not allowed:
        return None
    return CORSConfig(
        allow_origins=allowed,
        allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["Content-Type", *headers],
        expose_headers=["Retry-After", *exposed],
        max_age=86_400,
    )

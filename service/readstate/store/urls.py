"""The URL of a store, and those of its nodes.

Apart from `connections.py`, so that the supervisor, which checks the store, imports no metrics.
"""

from urllib.parse import urlsplit, urlunsplit

DEFAULT_PORT = 6379


def with_address(url: str, host: str, port: int) -> str:
    """`url` with another host (empty: the same) and port; user, password and options stay.

    An IPv6 address gets its brackets.
    """
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = host or parts.hostname or ""
    return urlunsplit(parts._replace(netloc=f"{user}{at}{f'[{host}]' if ':' in host else host}:{port}"))


def address_of(url: str) -> str:
    """The address in `url`, as `at_node` takes it."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or DEFAULT_PORT}"


def at_node(url: str, address: str) -> str:
    """`url` with the address of a node as servers write it: host, colon, port.

    They write an IPv6 host without brackets.
    """
    host, _, port = address.rpartition(":")
    return with_address(url, host, int(port))


def without_password(url: str) -> str:
    """`url` as it may be shown: without user, password and options."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

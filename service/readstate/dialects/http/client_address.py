"""The address of a client: how it is counted, and how many things one address may hold at once."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any

WARN_EVERY_S = 60.0
MAX_CHARS = 64  # of a proxy's value that is not an address

_V6_NETWORK_BYTES = 8  # a household or a machine has a /64 and may use all of its addresses

logger = logging.getLogger(__name__)


def client_address(scope: Mapping[str, Any]) -> str:
    """The address of a request; "" when it has none (a unix socket).

    It is the address of the connection, or the one that a proxy in READSTATE_TRUSTED_PROXIES
    reports.
    """
    client = scope.get("client")
    return network_of(client[0]) if client else ""


def network_of(address: str) -> str:
    """How an address is counted: an IPv6 address as its /64, an IPv4-mapped one as IPv4."""
    if ":" not in address:
        return address[:MAX_CHARS]
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:MAX_CHARS]
    if not isinstance(known, IPv6Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return f"{IPv6Address(known.packed[:_V6_NETWORK_BYTES].ljust(16, bytes(1)))}/64"


class AddressCounts:
    """Counts what each address holds of one kind of things (connections, sockets): at most
    `limit`; 0: any number.

    Above the limit a log line, at most once a minute, names the address and what to change.
    """

    def __init__(self, what: str, limit: int, now: Callable[[], float] = monotonic) -> None:
        self._what = what
        self._limit = limit
        self._now = now
        self._held: Counter[str] = Counter()
        self._warn_at = float("-inf")

    def may_hold_more(self, address: str) -> bool:
        """Whether the address may hold one more."""
        if not self._limit or self._held[address] < self._limit:
            return True
        self._warn(address)
        return False

    def hold(self, address: str) -> None:
        """Count one more."""
        self._held[address] += 1

    def release(self, address: str) -> None:
        """Count one less."""
        self._held[address] -= 1
        if self._held[address] <= 0:
            del self._held[address]

    def _warn(self, address: str) -> None:
        now = self._now()
        if now < self._warn_at:
            return
        self._warn_at = now + WARN_EVERY_S
        logger.warning(
            "%s holds %d %s, and more are refused; if it is a proxy, name it in READSTATE_TRUSTED_PROXIES, "
            "else see READSTATE_ADDRESS_SOCKET_LIMIT",
            address,
            self._limit,
            self._what,
        )

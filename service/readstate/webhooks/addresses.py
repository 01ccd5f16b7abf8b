"""Keeps webhooks out of private networks: each address is checked before it is connected to.

To look up a name, check the answer and then connect by name would be a hole: a second lookup may
give another answer. Here a name is looked up once, every address of the answer is checked, and the
socket is made for a checked address. It is checked once more when the socket is made, so that the
same rule holds for an address in the URL. Host header, SNI and the name in the certificate stay
those of the URL.
"""

import socket
from ipaddress import ip_address
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from readstate.urls import is_refused


class AddressRefused(OSError):
    """An address of the receiver is one that webhooks do not go to."""


def check_address(text: str) -> None:
    """Raise AddressRefused when an address must not be connected to."""
    try:
        address = ip_address(text)
    except ValueError:
        raise AddressRefused(f"{text!r} is no address") from None
    if is_refused(address):
        raise AddressRefused(f"{address} is not a public address; READSTATE_WEBHOOK_ALLOW_PRIVATE=true allows it")


class CheckingResolver(AbstractResolver):
    """Looks up names.

    Fails with AddressRefused when an address of the answer must not be connected to.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = await self._resolver.resolve(host, port, family)
        for result in answer:
            check_address(result["host"])
        return answer

    async def close(self) -> None:
        await self._resolver.close()


def checked_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """A socket for one address (family, type, protocol, name, address). Raises AddressRefused."""
    family, kind, protocol, _, address = address_info
    check_address(address[0])
    return socket.socket(family, kind, protocol)


def connector_arguments(*, allow_private: bool, resolver: AbstractResolver | None = None) -> dict[str, Any]:
    """The arguments that make an aiohttp connector connect to allowed addresses only.

    One request asks `resolver` (default: the system's) once.
    """
    if allow_private:
        return {"resolver": resolver or ThreadedResolver(), "use_dns_cache": False}
    return {"resolver": CheckingResolver(resolver), "use_dns_cache": False, "socket_factory": checked_socket}

"""Holds every connection to the guard.

Looking up a name, checking the answer and then connecting by name is a hole: the second lookup may answer otherwise. Here a name is
looked up once, every address of the answer is checked, and the socket is made for an address that was checked. It is checked again as
the socket is made, so that an address written in the URL takes the same way. Host header, SNI and the name in the certificate stay
those of the URL.
"""

import socket
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from readstate.webhooks.guard import check_address


class GuardedResolver(AbstractResolver):
    """Looks names up, and fails with AddressRefused when any address of the answer is not to be connected to."""

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


def guarded_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """A socket for one address (family, type, protocol, name, address). Raises AddressRefused."""
    family, kind, protocol, _, address = address_info
    check_address(address[0])
    return socket.socket(family, kind, protocol)


def guards(*, allow_private: bool, resolver: AbstractResolver | None = None) -> dict[str, Any]:
    """The arguments that make an aiohttp connector keep to the guard; one request asks `resolver` (default: the system's) once."""
    if allow_private:
        return {"resolver": resolver or ThreadedResolver(), "use_dns_cache": False}
    return {"resolver": GuardedResolver(resolver), "use_dns_cache": False, "socket_factory": guarded_socket}

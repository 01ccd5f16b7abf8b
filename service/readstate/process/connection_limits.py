"""How many connections one address may have on a worker."""

from collections.abc import Collection
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from uvicorn import Config

from readstate.dialects.http.client_address import AddressCounts, network_of
from readstate.process.neighbours import Neighbours


class ServerConfig(Config):
    """uvicorn's, with `address_connection_limit`: connections of one address; 0: any number.

    Connections of `trusted` proxies are not counted. Each worker sets its `neighbours`.
    """

    neighbours = Neighbours()

    def __init__(
        self, *arguments: Any, address_connection_limit: int = 0, trusted: Collection[str] = (), **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.address_connection_limit = address_connection_limit
        self.trusted = [ip_network(proxy) for proxy in trusted]

    def counts(self, address: str) -> bool:
        """Whether the connections of an address are counted."""
        if not address or not self.address_connection_limit:
            return False
        known = ip_address(address.partition("%")[0])
        return not any(known in network for network in self.trusted)


class Permit:
    """For one connection, of as many as its address may have."""

    _held: ClassVar[AddressCounts | None] = None

    def __init__(self, config: Config, client: tuple[str, int] | None) -> None:
        self.address = ""
        self.is_granted = True
        if isinstance(config, ServerConfig) and client and config.counts(client[0]):
            self.address = network_of(client[0])
            held = Permit._held = Permit._held or AddressCounts("connections", config.address_connection_limit)
            self.is_granted = held.may_hold_more(self.address)
            held.hold(self.address)

    def release(self) -> None:
        """The connection has ended. A second call does nothing."""
        if self.address and Permit._held is not None:
            Permit._held.release(self.address)
            self.address = ""

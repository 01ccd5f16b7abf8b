"""The nodes of a cluster: which primary has which slot, and a connection to each."""

import asyncio
import contextlib
from typing import Any

from readstate.errors import Fault, Unavailable
from readstate.store.connections import NodeConnection
from readstate.store.executor import RETRY_S
from readstate.store.keys import SLOTS
from readstate.store.replies import ScriptFailed, reply_or_raise
from readstate.store.urls import address_of, at_node
from readstate.tasks import Shared

_NO_OWNER = ""


class SlotMap:
    """Knows the primaries by address, "host:port". A connection is opened when it is first needed.

    The map is that of the last `load`; a node that no longer has a slot says so.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections: dict[str, NodeConnection] = {}
        self._opening: Shared[str, NodeConnection] = Shared()
        self._ranges: list[tuple[int, int, str]] = []  # first slot, last slot, address
        self._owners = [_NO_OWNER] * SLOTS
        self._seen: set[str] = {address_of(url)}  # every node ever heard of: where to ask for the map
        self._loading = asyncio.Lock()
        self._closed = False

    def owner(self, slot: int) -> str:
        """The address of the primary that has the slot. Raises Unavailable when none has."""
        if self._owners[slot] == _NO_OWNER:
            raise Unavailable(f"no primary serves slot {slot}; the cluster is incomplete")
        return self._owners[slot]

    async def owner_soon(self, slot: int) -> str:
        """The primary of the slot a moment later, by a new map if a node can be asked for one.

        Raises Unavailable when none has the slot.
        """
        await asyncio.sleep(RETRY_S)
        with contextlib.suppress(Unavailable):
            await self.load()
        return self.owner(slot)

    def connected(self, slot: int) -> tuple[str, NodeConnection] | None:
        """The primary that has the slot, and the connection to it, if it can be used at once."""
        address = self._owners[slot]
        connection = self._connections.get(address)
        return (address, connection) if connection is not None and connection.connected else None

    async def connection(self, address: str) -> NodeConnection:
        """The connection to a node.

        Raises Unavailable while it is lost: a call that waited in it would miss a new primary.
        """
        connection = self._connections.get(address)
        if connection is None:
            return await self._opening.result(address, self._open)
        if not connection.connected:
            raise Unavailable(f"the node at {address} cannot be reached")
        return connection

    def nodes(self) -> list[str]:
        """Addresses of the primaries."""
        return sorted({address for _, _, address in self._ranges})

    def ranges(self) -> dict[str, list[tuple[int, int]]]:
        """The slots of each primary, in ranges from first to last, in their order."""
        return {
            node: sorted((first, last) for first, last, address in self._ranges if address == node)
            for node in self.nodes()
        }

    async def load(self) -> None:
        """Ask the known nodes, one after the other, for the map of slots.

        Callers that wait share one answer. Raises Unavailable when none answers.
        """
        before = self._ranges
        async with self._loading:
            if self._ranges is not before:
                return
            for address in (*self.nodes(), *sorted(self._seen)):
                try:
                    connection = await self.connection(address)
                    reply = reply_or_raise(await connection.call("CLUSTER", "SLOTS", repeatable=True))
                except (Fault, ScriptFailed):
                    # Also when the outcome is unknown, or when the server is of no cluster any
                    # more: another node may be asked all the same.
                    continue
                self._set_ranges(_read_ranges(reply, address))
                return
        raise Unavailable("no node of the cluster can be reached")

    def why_away(self) -> str:
        """Why a primary is not connected; "" when all are that were used so far."""
        used = ((node, self._connections.get(node)) for node in self.nodes())
        away = (f"{one.why_away} ({node})" for node, one in used if one is not None and one.why_away)
        return next(away, "")

    @property
    def round_trips(self) -> int:
        return sum(connection.round_trips for connection in self._connections.values())

    async def close(self) -> None:
        self._closed = True
        await self._opening.stop()
        for connection in self._connections.values():
            await connection.close()

    async def _open(self, address: str) -> NodeConnection:
        """Connect to a node for the first time. Raises Unavailable."""
        if self._closed:
            raise Unavailable("the store connection is closed")
        fresh = NodeConnection(at_node(self._url, address), has_peers=True)
        fresh.hands_back = True
        await fresh.open()
        self._connections[address] = fresh
        return fresh

    def _set_ranges(self, ranges: list[tuple[int, int, str]]) -> None:
        owners = [_NO_OWNER] * SLOTS
        for first, last, address in ranges:
            owners[first : last + 1] = [address] * (last + 1 - first)
        self._ranges, self._owners = ranges, owners
        self._seen.update(self.nodes())


def _read_ranges(reply: Any, asked: str) -> list[tuple[int, int, str]]:
    """First slot, last slot, primary.

    A node that does not know its own address leaves it empty: then it has the address that was
    asked.
    """
    host = asked.rpartition(":")[0]
    return [(first, last, f"{primary[0].decode() or host}:{primary[1]}") for first, last, primary, *_ in reply]

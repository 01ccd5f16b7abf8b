"""A Redis Cluster: a connection to every primary, each call in the slot of its first key."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hiredis import ReplyError
from redis.crc import key_slot

from readstate.domain.durability import Durability
from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store.bringing_over import BringingOver
from readstate.store.confirming import note_written
from readstate.store.connections import NodeConnection
from readstate.store.executor import RETRY_S, Reply, gather_outcomes
from readstate.store.keys import Keys
from readstate.store.noted_layout import check_layout
from readstate.store.pipelined_connection import DEADLINE_S
from readstate.store.replies import Meaning, changes, classify, redirect, reply_or_raise, unanswered
from readstate.store.script_calls import Call, Part
from readstate.store.scripts import Plan, Script
from readstate.store.urls import address_of, at_node


class Cluster:
    """Implements Executor on the split plan.

    The map of slots is asked for again when a node says that a slot has moved, or is lost.
    """

    plan: Plan = "split"

    def __init__(self, url: str, scripts: dict[str, Script]) -> None:
        self._url = url
        self.scripts = scripts
        self._connections: dict[str, NodeConnection] = {}  # "host:port" -> connection
        self._slots: list[tuple[int, int, str]] = []  # first slot, last slot, address of the primary
        self._seen: set[str] = {address_of(url)}  # every node ever heard of: where to ask for the map
        self._mapping: asyncio.Lock = asyncio.Lock()
        self._bringing_over = BringingOver(self.call)

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        script = self.scripts[call.script]
        try:
            reply = await self._route(key, ("FCALL", script.function, 1, key, *call.args), repeatable, script)
        except UnknownOutcome as error:
            raise unanswered(script, error) from None
        return call.read(reply)

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        return await gather_outcomes(self.call(call, key) for key, call in calls)

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        return await self._route(key, parts, repeatable)

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        slot = next((first for first, _, address in self._slots if address == node), None)
        if slot is None or node not in self._connections:
            return "the slots have moved meanwhile"
        return await self._connections[node].confirm(connects, level, Keys.in_slot(slot), within_ms)

    async def each_node(self, *parts: Part) -> list[Any]:
        await self._load_map()
        return [
            reply_or_raise(await (await self._connection(node)).call(*parts, repeatable=True)) for node in self.nodes()
        ]

    async def scan(self, pattern: str, node: str | None = None) -> AsyncIterator[str]:
        await self._load_map()
        for address in self.nodes() if node is None else [node]:
            async for key in (await self._connection(address)).scan(pattern):
                yield key

    def nodes(self) -> list[str]:
        return sorted({address for _, _, address in self._slots})

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        await self._load_map()
        return {
            node: sorted((first, last) for first, last, address in self._slots if address == node)
            for node in self.nodes()
        }

    @property
    def round_trips(self) -> int:
        return sum(connection.round_trips for connection in self._connections.values())

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def _route(self, key: str, parts: Sequence[Part], repeatable: bool, script: Script | None = None) -> Any:
        """Send `parts`, which call `script` if any, to the node that owns the key's slot.

        Follows the cluster while it changes, within one deadline.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        slot = key_slot(key.encode())
        address, asking = self._owner(slot), False
        while True:
            try:
                connection = await self._connection(address)
                if asking:
                    # Both go out in one write, so nothing comes between them.
                    connection.call("ASKING", repeatable=False).add_done_callback(_ignore)
                reply = await connection.call(*parts, repeatable=repeatable)
                if not isinstance(reply, ReplyError):
                    if script is None or changes(script):
                        note_written(address, connection.connects)
                    return reply
                meaning = classify(reply)
                if meaning is Meaning.MISSING_FUNCTION and script is not None:
                    await check_layout(self)
                    await connection.load_functions_of(script)
                    continue
                if meaning is Meaning.OTHER_LAYOUT:
                    await self._bringing_over.after(reply)
                    continue
            except Unavailable:
                # Nothing was sent. Another node may have taken the slot over.
                if loop.time() >= until:
                    raise
                meaning = Meaning.PASSING
            else:
                if loop.time() >= until:
                    return reply_or_raise(reply)
            if meaning is Meaning.PASSING:
                address, asking = await self._owner_soon(slot), False
            elif meaning is Meaning.MOVED:
                await self._load_map()
                address, asking = redirect(reply), False
            elif meaning is Meaning.ASK:
                address, asking = redirect(reply), True
            else:
                return reply_or_raise(reply)

    def _owner(self, slot: int) -> str:
        for first, last, address in self._slots:
            if first <= slot <= last:
                return address
        raise Unavailable(f"no primary serves slot {slot}; the cluster is incomplete")

    async def _owner_soon(self, slot: int) -> str:
        """The primary of the slot a moment later, by a new map if a node can be asked for one."""
        await asyncio.sleep(RETRY_S)
        with contextlib.suppress(Unavailable):
            await self._load_map()
        return self._owner(slot)

    async def _connection(self, address: str) -> NodeConnection:
        """The connection to a node.

        Raises Unavailable while it is lost: a call that waited in it would miss a new primary.
        """
        connection = self._connections.get(address)
        if connection is None:
            fresh = NodeConnection(at_node(self._url, address))
            await fresh.open()
            connection = self._connections.setdefault(address, fresh)
            if connection is not fresh:
                await fresh.close()
        elif not connection.connected:
            raise Unavailable(f"the node at {address} cannot be reached")
        return connection

    async def _load_map(self) -> None:
        """Ask the known nodes, one after the other, for the map of slots.

        Callers that wait share one answer.
        """
        before = self._slots
        async with self._mapping:
            if self._slots is not before:
                return
            for address in (*self.nodes(), *sorted(self._seen)):
                try:
                    connection = await self._connection(address)
                    reply = await connection.call("CLUSTER", "SLOTS", repeatable=True)
                    self._slots = _read_map(reply_or_raise(reply), address)
                except Fault:
                    # Also when the outcome is unknown: another node may be asked all the same.
                    continue
                self._seen.update(self.nodes())
                return
        raise Unavailable("no node of the cluster can be reached")


def _read_map(reply: Any, asked: str) -> list[tuple[int, int, str]]:
    """First slot, last slot, primary.

    A node that does not know its own address leaves it empty: then it has the address that was
    asked.
    """
    host = asked.rpartition(":")[0]
    return [(first, last, f"{primary[0].decode() or host}:{primary[1]}") for first, last, primary, *_ in reply]


def _ignore(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception, if any: the next call on the same connection raises it as well."""
    if not future.cancelled():
        future.exception()

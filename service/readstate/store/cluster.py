"""A Redis Cluster: a lane to every primary, each call in the slot of its first key. The split plan."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Self

from hiredis import ReplyError
from redis.crc import key_slot

from readstate.errors import Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store.addresses import address_of, at_node
from readstate.store.connect import (
    PASSING,
    RETRY_S,
    UNKNOWN_FUNCTION,
    ConnectionFactory,
    Part,
    load_functions,
    reply_or_raise,
    scan_lane,
    unanswered,
)
from readstate.store.lane import DEADLINE_S, Lane
from readstate.store.scripts import Plan, Script
from readstate.store.slow_scripts import GuardedLane

logger = logging.getLogger(__name__)


class Cluster:
    """See the module. The map of slots is asked anew whenever a node says that a slot has moved, or is lost."""

    plan: Plan = "split"

    def __init__(self, url: str, scripts: dict[str, Script]) -> None:
        self._url = url
        self.scripts = scripts
        self._lanes: dict[str, Lane] = {}  # "host:port" -> lane
        self._slots: list[tuple[int, int, str]] = []  # first slot, last slot, address of the primary
        self._seen: set[str] = {address_of(url)}  # every node ever heard of: where to ask for the map
        self._mapping: asyncio.Lock = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, scripts: dict[str, Script]) -> Self:
        cluster = cls(url, scripts)
        async with contextlib.AsyncExitStack() as opened:
            opened.push_async_callback(cluster.close)
            await load_functions(cluster)
            opened.pop_all()
        return cluster

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Part], *, repeatable: bool = True) -> Any:
        async def attempt(lane: Lane, asking: bool) -> Any:
            if asking:
                # Both go out in one write, so nothing comes between them.
                lane.call("ASKING", repeatable=False).add_done_callback(_ignore)
            reply = await lane.call("FCALL", script.function, len(keys), *keys, *args, repeatable=repeatable)
            if isinstance(reply, ReplyError) and str(reply) == UNKNOWN_FUNCTION:
                reply_or_raise(await lane.call("FUNCTION", "LOAD", "REPLACE", script.lib.text, repeatable=True))
                return await attempt(lane, asking)
            return reply

        try:
            return reply_or_raise(await self._routed(keys[0], attempt))
        except UnknownOutcome as error:
            raise unanswered(script, error) from None

    async def call_each(self, script: Script, calls: Sequence[tuple[str, Sequence[Part]]]) -> list[Any]:
        outcomes = await asyncio.gather(
            *(self.call(script, [key], args) for key, args in calls), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ReadStateError):
                raise outcome
        return outcomes

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        async def attempt(lane: Lane, asking: bool) -> Any:
            if asking:
                lane.call("ASKING", repeatable=False).add_done_callback(_ignore)
            return await lane.call(*parts, repeatable=repeatable)

        return reply_or_raise(await self._routed(key, attempt))

    async def each_node(self, *parts: Part) -> list[Any]:
        await self._load_map()
        return [reply_or_raise(await (await self._lane(node)).call(*parts, repeatable=True)) for node in self.nodes()]

    async def scan(self, pattern: str) -> AsyncIterator[str]:
        await self._load_map()
        for node in self.nodes():
            async for key in scan_lane(await self._lane(node), pattern):
                yield key

    def nodes(self) -> list[str]:
        return sorted({address for _, _, address in self._slots})

    @property
    def round_trips(self) -> int:
        return sum(lane.round_trips for lane in self._lanes.values())

    async def close(self) -> None:
        for lane in self._lanes.values():
            await lane.close()

    async def _routed(self, key: str, attempt: Callable[[Lane, bool], Awaitable[Any]]) -> Any:
        """Send to the node that owns the key's slot, following the cluster while it changes, within one deadline."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        slot = key_slot(key.encode())
        address, asking = self._owner(slot), False
        while True:
            try:
                reply = await attempt(await self._lane(address), asking)
            except Unavailable:
                # Nothing was sent. Another node may have taken the slot over.
                if loop.time() >= until:
                    raise
                address, asking = await self._owner_soon(slot), False
                continue
            if not isinstance(reply, ReplyError) or loop.time() >= until:
                return reply
            word, _, rest = str(reply).partition(" ")
            if word == "MOVED":
                await self._load_map()
                address, asking = rest.split(" ")[1], False
            elif word == "ASK":
                address, asking = rest.split(" ")[1], True
            elif word in PASSING and "script:" not in str(reply):
                address, asking = await self._owner_soon(slot), False
            else:
                return reply

    def _owner(self, slot: int) -> str:
        for first, last, address in self._slots:
            if first <= slot <= last:
                return address
        raise Unavailable(f"no primary serves slot {slot}; the cluster is incomplete")

    async def _owner_soon(self, slot: int) -> str:
        """Who serves the slot in a moment, as far as anybody can be asked."""
        await asyncio.sleep(RETRY_S)
        with contextlib.suppress(Unavailable):
            await self._load_map()
        return self._owner(slot)

    async def _lane(self, address: str) -> Lane:
        """The lane to a node. Raises Unavailable while it is not connected: what waited in it would not hear of a new primary."""
        lane = self._lanes.get(address)
        if lane is None:
            fresh = GuardedLane(ConnectionFactory(at_node(self._url, address)))
            await fresh.open()
            lane = self._lanes.setdefault(address, fresh)
            if lane is not fresh:
                await fresh.close()
        elif not lane.connected:
            raise Unavailable(f"the node at {address} cannot be reached")
        return lane

    async def _load_map(self) -> None:
        """Ask the nodes that are known, one after the other, who serves which slot; once for all who wait for it."""
        before = self._slots
        async with self._mapping:
            if self._slots is not before:
                return
            for address in (*self.nodes(), *sorted(self._seen)):
                try:
                    lane = await self._lane(address)
                    self._slots = _read_map(
                        reply_or_raise(await lane.call("CLUSTER", "SLOTS", repeatable=True)), address
                    )
                except Fault:
                    # Also a node that does not answer: whatever became of the question, another one may be asked.
                    continue
                self._seen.update(self.nodes())
                return
        raise Unavailable("no node of the cluster can be reached")


def _read_map(reply: Any, asked: str) -> list[tuple[int, int, str]]:
    """First slot, last slot, primary. A node that does not know its own address leaves it empty: it is the one that was asked."""
    host = asked.rpartition(":")[0]
    return [(first, last, f"{primary[0].decode() or host}:{primary[1]}") for first, last, primary, *_ in reply]


def _ignore(future: "asyncio.Future[Any]") -> None:
    """Take the exception, if any: the call that follows on the same lane meets the same fate and tells."""
    if not future.cancelled():
        future.exception()

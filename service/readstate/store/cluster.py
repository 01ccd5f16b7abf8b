"""A Redis Cluster: a connection to every primary, each call in the slot of its first key.

Slots may move from node to node at any moment, key by key, although a script reaches more keys than
the one that it is called with (docs/decisions/0019-slots-that-move.md). While a slot moves, the
node that has it (the *source*) answers as follows, and nothing runs:

- ASK, when the key of a call is not there: it may be at the node to which the slot moves (the
  *target*). A script is called there only after the source has said that it has no other key of the
  same room or user either, and can therefore get none.
- an error of the guard in a script (guards.py), or TRYAGAIN: the keys are at both nodes, or are
  about to be. Then the call is repeated a little later, up to one deadline.

A node may die with calls that it has not answered. Repeatable ones go to the node that has their
slot next, as soon as there is one.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any

from hiredis import ReplyError
from msgspec import Struct

from readstate.domain.durability import Durability
from readstate.errors import ConnectionLost, Fault, ReadStateError, Unavailable, UnknownOutcome
from readstate.store.confirming import note_written
from readstate.store.connections import NodeConnection
from readstate.store.executor import RETRY_S, Reply, gather_outcomes
from readstate.store.keys import Keys
from readstate.store.migration import Migration
from readstate.store.noted_layout import check_layout
from readstate.store.pipelined_connection import DEADLINE_S
from readstate.store.replies import Meaning, changes, classify, redirect, reply_or_raise, unanswered
from readstate.store.script_calls import Call, Part
from readstate.store.scripts import Plan, Script
from readstate.store.slot_map import SlotMap

_LEADS_ON = frozenset({Meaning.PASSING, Meaning.MOVED, Meaning.ASK, Meaning.MISSING_FUNCTION, Meaning.OTHER_LAYOUT})
_NOT_SENT = Unavailable("nothing was sent yet")
# What is sent first; loading functions, of which a failure says more than the lack; and migrating
# a key, which takes as long as the key is large.
_WITHOUT_DEADLINE = frozenset({None, Meaning.MISSING_FUNCTION, Meaning.OTHER_LAYOUT})

Outcome = Any  # a reply, an error reply, or a Fault
_UNFINISHED = (ReplyError, Fault)


class _Request(Struct, frozen=True):
    """A command as it is sent, in the slot of its key; `script` if it calls one."""

    key: str
    parts: tuple[Part, ...]
    repeatable: bool = True  # by this file: a connection waits for its own server to come back
    script: Script | None = None

    @property
    def slot(self) -> int:
        return Keys.slot(self.key)

    def note(self, outcome: Outcome, address: str, connects: int) -> None:
        """Note at which node and over which connection it has written, if it may have."""
        if not isinstance(outcome, _UNFINISHED) and (self.script is None or changes(self.script)):
            note_written(address, connects)


class Cluster:
    """Implements Executor on the split plan."""

    plan: Plan = "split"

    def __init__(self, url: str, scripts: dict[str, Script]) -> None:
        self._map = SlotMap(url)
        self.scripts = scripts
        self._migration = Migration(self.call)

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        return call.read(await self._reply_to(self._request(call, key, repeatable)))

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        until = monotonic() + DEADLINE_S
        requests = [self._request(call, key, True) for key, call in calls]
        outcomes = await self._send_each(requests)
        if late := [index for index, outcome in enumerate(outcomes) if isinstance(outcome, _UNFINISHED)]:
            replies = await gather_outcomes(self._finish(requests[index], outcomes[index], until) for index in late)
            for index, reply in zip(late, replies, strict=True):
                outcomes[index] = reply
        return [
            outcome if isinstance(outcome, ReadStateError) else call.read(outcome)
            for (_, call), outcome in zip(calls, outcomes, strict=True)
        ]

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        return await self._reply_to(_Request(key, parts, repeatable))

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        slots = self._map.ranges().get(node)
        if not slots:
            return "the slots have moved meanwhile"
        try:
            connection = await self._map.connection(node)
        except Fault as error:
            return str(error)
        return await connection.confirm(connects, level, Keys.in_slot(slots[0][0]), within_ms)

    async def each_node(self, *parts: Part) -> list[Any]:
        await self._map.load()
        return [
            reply_or_raise(await (await self._map.connection(node)).call(*parts, repeatable=True))
            for node in self.nodes()
        ]

    async def scan(self, pattern: str, node: str | None = None, *, rest: float = 0.0) -> AsyncIterator[str]:
        await self._map.load()
        for address in self.nodes() if node is None else [node]:
            async for key in (await self._map.connection(address)).scan(pattern, rest):
                yield key

    def nodes(self) -> list[str]:
        return self._map.nodes()

    def node_of(self, key: str) -> str:
        return self._map.owner(Keys.slot(key))

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        await self._map.load()
        return self._map.ranges()

    def why_away(self) -> str:
        return self._map.why_away()

    @property
    def round_trips(self) -> int:
        return self._map.round_trips

    async def close(self) -> None:
        await self._map.close()

    def _request(self, call: Call[Any], key: str, repeatable: bool) -> _Request:
        script = self.scripts[call.script]
        return _Request(key, ("FCALL", script.function, 1, key, *call.args), repeatable, script)

    async def _reply_to(self, request: _Request) -> Any:
        """Run a request. Raises what `Executor.call` does."""
        until = monotonic() + DEADLINE_S
        node = self._map.connected(request.slot)
        outcome = await _outcome(request, *node) if node else _NOT_SENT
        return await self._finish(request, outcome, until) if isinstance(outcome, _UNFINISHED) else outcome

    async def _send_each(self, requests: Sequence[_Request]) -> list[Outcome]:
        """Send each to the node that has its slot by the map, those for one node together.

        Returns what each of them ended in there.
        """
        outcomes: list[Outcome] = [_NOT_SENT] * len(requests)
        by_node: dict[tuple[str, NodeConnection], list[int]] = {}
        for index, request in enumerate(requests):
            if node := self._map.connected(request.slot):
                by_node.setdefault(node, []).append(index)
        sent = [
            (address, connection.connects, indexes, connection.call_all([requests[index].parts for index in indexes]))
            for (address, connection), indexes in by_node.items()
        ]
        for address, connects, indexes, found in sent:
            for index, outcome in zip(indexes, await found, strict=True):
                requests[index].note(outcome, address, connects)
                outcomes[index] = outcome
        return outcomes

    async def _finish(self, request: _Request, outcome: Outcome, until: float) -> Any:
        """The reply in the end, when the first outcome is not the reply."""
        try:
            return await self._follow(request, outcome, until)
        except UnknownOutcome as error:
            if request.script is None:
                raise
            raise unanswered(request.script, error) from None

    async def _follow(self, request: _Request, outcome: Outcome, until: float) -> Any:
        """Send a request again as long as its outcome proves that nothing was done, or that the
        node is gone which perhaps did it.

        Follows the cluster while it changes.
        """
        lost: ConnectionLost | None = None
        address, asking, before = "", False, None
        try:
            while isinstance(outcome, _UNFINISHED):
                if isinstance(outcome, ConnectionLost):
                    lost = outcome
                meaning = _meaning(request, outcome)
                if meaning is Meaning.FAILED or (monotonic() >= until and meaning not in _WITHOUT_DEADLINE):
                    if isinstance(outcome, Fault):
                        raise outcome
                    return reply_or_raise(outcome)
                if meaning is Meaning.PASSING:
                    address, asking = await self._map.owner_soon(request.slot), False
                elif meaning is Meaning.MOVED and before is Meaning.MOVED:
                    # Two nodes name each other until both have heard who has the slot now.
                    await asyncio.sleep(RETRY_S)
                # Not before it is known what the first outcome means: perhaps none has the slot.
                address, before = address or self._map.owner(request.slot), meaning
                try:
                    address, asking = await self._way_on(request, meaning, outcome, address, asking)
                    outcome = await self._try(request, address, asking=asking)
                except Unavailable as error:
                    outcome = error
        except Unavailable:
            if lost is not None:  # that nothing was done is true of the last time only
                raise lost from None
            raise
        return outcome

    async def _way_on(
        self, request: _Request, meaning: Meaning | None, outcome: Outcome, address: str, asking: bool
    ) -> tuple[str, bool]:
        """To which node a request goes next, and whether its slot is still on its way there.

        Raises Unavailable when it can go to none yet.
        """
        if meaning is Meaning.MOVED:
            await self._map.load()
            return redirect(outcome, address), False
        if meaning is Meaning.ASK:
            return await self._target(request, address, outcome), True
        if meaning is Meaning.MISSING_FUNCTION and request.script is not None:
            await check_layout(self)
            await (await self._map.connection(address)).load_functions_of(request.script)
        elif meaning is Meaning.OTHER_LAYOUT:
            await self._migration.after(outcome)
        return address, asking

    async def _try(self, request: _Request, address: str, *, asking: bool = False) -> Outcome:
        """Send a request to a node. Raises Unavailable when the node cannot be reached."""
        connection = await self._map.connection(address)
        if asking:
            # Nothing comes between the two on this connection.
            connection.call("ASKING", repeatable=False).add_done_callback(_ignore)
        return await _outcome(request, address, connection)

    async def _target(self, request: _Request, source: str, asked: ReplyError) -> str:
        """The node to which a request goes whose key the source of its slot has no longer, or never
        had.

        Raises Unavailable when the source still has keys that the script may reach.
        """
        if request.script is None:
            return redirect(asked, source)
        found = await self._try(_Request(request.key, ("EXISTS", *Keys.beside(request.key))), source)
        if isinstance(found, ReplyError) and classify(found) is Meaning.ASK:
            return redirect(found, source)
        raise Unavailable("the keys are on their way from one node of the store to another")


async def _outcome(request: _Request, address: str, connection: NodeConnection) -> Outcome:
    """Send a request over a connection to the node at `address`."""
    connects = connection.connects
    try:
        reply = await connection.call(*request.parts, repeatable=False)
    except Fault as fault:
        return fault
    request.note(reply, address, connects)
    return reply


def _meaning(request: _Request, outcome: ReplyError | Fault) -> Meaning | None:
    """What can be done about an outcome; FAILED: nothing. None: nothing was sent yet."""
    if outcome is _NOT_SENT:
        return None
    if isinstance(outcome, Unavailable) or (isinstance(outcome, ConnectionLost) and request.repeatable):
        return Meaning.PASSING  # another node may have taken the slot over
    if isinstance(outcome, Fault):
        return Meaning.FAILED
    meaning = classify(outcome)
    if meaning is Meaning.SLOT_LOST and request.script is not None and not request.script.writes:
        return Meaning.PASSING
    return meaning if meaning in _LEADS_ON else Meaning.FAILED


def _ignore(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception, if any: the next call on the same connection raises it as well."""
    if not future.cancelled():
        future.exception()

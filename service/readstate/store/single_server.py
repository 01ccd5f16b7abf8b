"""A single server: everything over one connection, on the atomic plan."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hiredis import ReplyError

from readstate.domain.durability import Durability
from readstate.errors import ReadStateError, UnknownOutcome
from readstate.store.confirming import note_written
from readstate.store.connections import NodeConnection
from readstate.store.executor import RETRY_S, Reply
from readstate.store.keys import SLOTS, Keys
from readstate.store.migration import Migration
from readstate.store.noted_layout import check_layout
from readstate.store.pipelined_connection import DEADLINE_S
from readstate.store.replies import Meaning, ScriptFailed, changes, classify, reply_or_raise, unanswered
from readstate.store.script_calls import Call, Part
from readstate.store.scripts import Plan, Script
from readstate.tasks import leave


class SingleServer:
    """Implements Executor over an open connection, which `close` closes."""

    plan: Plan = "atomic"

    def __init__(self, connection: NodeConnection, address: str, scripts: dict[str, Script]) -> None:
        self._connection = connection
        self._address = address
        self.scripts = scripts
        self._migration = Migration(self.call)

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        script = self.scripts[call.script]
        try:
            reply = await self._connection.call("FCALL", script.function, 1, key, *call.args, repeatable=repeatable)
            if isinstance(reply, ReplyError):
                reply = reply_or_raise(await self._call_again(reply, script, key, call.args, repeatable))
        except UnknownOutcome as error:
            raise unanswered(script, error) from None
        if changes(script):
            note_written(self._address, self._connection.connects)
        return call.read(reply)

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        # Without a task for each: they leave in one write and come back in order.
        pending = [
            self._connection.call("FCALL", self.scripts[call.script].function, 1, key, *call.args, repeatable=True)
            for key, call in calls
        ]
        replies: list[Reply | ReadStateError] = []
        failure: ScriptFailed | None = None
        try:
            for (key, call), future in zip(calls, pending, strict=True):
                script = self.scripts[call.script]
                try:
                    reply = await future
                    if isinstance(reply, ReplyError):
                        reply = reply_or_raise(await self._call_again(reply, script, key, call.args, True))
                    if changes(script):
                        note_written(self._address, self._connection.connects)
                    replies.append(call.read(reply))
                except UnknownOutcome as error:
                    replies.append(unanswered(script, error))
                except ReadStateError as error:
                    replies.append(error)
                except ScriptFailed as error:
                    failure = failure or error  # the others are carried out all the same
        except BaseException:
            leave(pending)
            raise
        if failure:
            raise failure
        return replies

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        reply = reply_or_raise(await self._connection.call(*parts, repeatable=repeatable))
        note_written(self._address, self._connection.connects)
        return reply

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        return await self._connection.confirm(connects, level, Keys.in_slot(0), within_ms)

    async def each_node(self, *parts: Part) -> list[Any]:
        return [reply_or_raise(await self._connection.call(*parts, repeatable=True))]

    def scan(self, pattern: str, node: str | None = None, *, rest: float = 0.0) -> AsyncIterator[str]:
        return self._connection.scan(pattern, rest)

    def nodes(self) -> list[str]:
        return [self._address]

    def node_of(self, key: str) -> str:
        return self._address

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        return {self._address: [(0, SLOTS - 1)]}

    def why_away(self) -> str:
        return self._connection.why_away

    @property
    def round_trips(self) -> int:
        return self._connection.round_trips

    async def close(self) -> None:
        await self._connection.close()

    async def _call_again(self, reply: Any, script: Script, key: str, args: Sequence[Part], repeatable: bool) -> Any:
        """Call again while error replies prove that the script did not run, within one deadline."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        while isinstance(reply, ReplyError):
            meaning = classify(reply)
            if meaning is Meaning.MISSING_FUNCTION:
                await check_layout(self)
                await self._connection.load_functions_of(script)
            elif meaning is Meaning.OTHER_LAYOUT:
                await self._migration.after(reply)
            elif meaning is Meaning.PASSING and loop.time() < until:
                await asyncio.sleep(RETRY_S)
            else:
                break
            reply = await self._connection.call("FCALL", script.function, 1, key, *args, repeatable=repeatable)
        return reply

"""From a URL to something that scripts can be called on: one server or a cluster, found out by asking."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from hiredis import ReplyError
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from readstate import errors
from readstate.store.lane import DEADLINE_S, Lane
from readstate.store.scripts import PREFIX, Plan, Script, load_scripts
from readstate.store.slow_scripts import GuardedLane

Part = str | int | bytes

REFUSALS = {
    refusal.code: refusal
    for refusal in (
        errors.RoomUnknown,
        errors.MessageUnknown,
        errors.NotMember,
        errors.RoomTooLarge,
        errors.LimitReached,
    )
}
# Error replies that say that nothing was done and that it may be different in a moment.
PASSING = frozenset({"LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "READONLY"})
# ... and those that somebody must look into.
LASTING = frozenset({"MISCONF", "NOREPLICAS", "NOPERM", "NOAUTH", "WRONGPASS"})
# All of these are said before a script begins (service/readstate/store/scripts.py). Of one that had begun a
# server says that it was ended, which can only be while it has written nothing, ...
KILLED = "Script killed by user"
# ... or, on a cluster that changes, refuses one of its commands; others may have been carried out.
SLOT_LOST = re.compile("the cluster is down|access a non local key")
RETRY_S = 0.05
UNKNOWN_FUNCTION = "ERR Function not found"  # proves that nothing ran


class ScriptFailed(Exception):
    """A script raised an error that is not a refusal: a bug, or data that another program has written. The message is the store's own."""


class Executor(Protocol):
    """Where scripts and commands are called. `store` knows no other way to Redis."""

    plan: Plan
    scripts: dict[str, Script]

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Part], *, repeatable: bool = True) -> Any:
        """Run a script in the slot of its first key; its reply, with bulk strings as bytes.

        Raises the refusal whose code the script answered, Unavailable, UnknownOutcome, ScriptFailed.
        """

    async def call_each(self, script: Script, calls: Sequence[tuple[str, Sequence[Part]]]) -> list[Any]:
        """Run a repeatable script for several (key, arguments), in one go; of each its reply, or the refusal or fault."""

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        """Run one plain command in the slot of `key`."""

    async def each_node(self, *parts: Part) -> list[Any]:
        """Run one command on every primary."""

    def scan(self, pattern: str) -> AsyncIterator[str]:
        """Every key of every primary that matches `pattern`; one may come twice."""

    def nodes(self) -> list[str]:
        """Addresses of the primaries."""

    @property
    def round_trips(self) -> int: ...

    async def close(self) -> None: ...


class ConnectionFactory:
    """Makes redis-py connections that do nothing of their own accord: no repeats, no health checks, no hidden time-outs."""

    def __init__(self, url: str, **overrides: Any) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            socket_timeout=None,
            socket_connect_timeout=DEADLINE_S,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),
            **overrides,
        )

    def __call__(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection


def reply_or_raise(reply: Any) -> Any:
    """Turn an error reply into the exception that it stands for; the cause of a Fault has the store's own words."""
    if not isinstance(reply, ReplyError):
        return reply
    text = str(reply)
    word = text.partition(" ")[0]
    if refusal := REFUSALS.get(word):
        raise refusal(text.partition(" ")[2])
    if word == "OOM":
        raise errors.StoreFull from ScriptFailed(text)
    if word in PASSING | LASTING and "script:" not in text:
        raise errors.Unavailable(f"the store refuses for now: {text}") from ScriptFailed(text)
    if KILLED in text:
        raise errors.Unavailable("the script took too long and was ended")
    if SLOT_LOST.search(text):
        raise errors.UnknownOutcome(f"the cluster changed while a script ran: {text}")
    raise ScriptFailed(text)


def all_or_raise(replies: list[Any]) -> list[Any]:
    """What `call_each` answered, if none of it is a refusal or fault; else raises the first one."""
    for reply in replies:
        if isinstance(reply, errors.ReadStateError):
            raise reply
    return replies


def unanswered(script: Script, error: errors.UnknownOutcome) -> errors.Fault:
    """What becomes of a call whose reply never came: without writing it has done nothing, whatever became of it."""
    return error if script.writes else errors.Unavailable("the store did not answer")


class SingleServer:
    """Everything on one server, over one lane: the atomic plan."""

    plan: Plan = "atomic"

    def __init__(self, lane: Lane, address: str, scripts: dict[str, Script]) -> None:
        self._lane = lane
        self._address = address
        self.scripts = scripts

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Part], *, repeatable: bool = True) -> Any:
        try:
            reply = await self._lane.call("FCALL", script.function, len(keys), *keys, *args, repeatable=repeatable)
            if isinstance(reply, ReplyError):
                return reply_or_raise(await insist(self._lane, reply, script, keys, args, repeatable))
        except errors.UnknownOutcome as error:
            raise unanswered(script, error) from None
        return reply

    async def call_each(self, script: Script, calls: Sequence[tuple[str, Sequence[Part]]]) -> list[Any]:
        # Without a task for each: they leave in one write and come back in order.
        pending = [self._lane.call("FCALL", script.function, 1, key, *args, repeatable=True) for key, args in calls]
        replies: list[Any] = []
        for (key, args), future in zip(calls, pending, strict=True):
            try:
                reply = await future
                if isinstance(reply, ReplyError):
                    reply = reply_or_raise(await insist(self._lane, reply, script, [key], args, True))
            except errors.ReadStateError as error:
                reply = error
            replies.append(reply)
        return replies

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        return reply_or_raise(await self._lane.call(*parts, repeatable=repeatable))

    async def each_node(self, *parts: Part) -> list[Any]:
        return [reply_or_raise(await self._lane.call(*parts, repeatable=True))]

    def scan(self, pattern: str) -> AsyncIterator[str]:
        return scan_lane(self._lane, pattern)

    def nodes(self) -> list[str]:
        return [self._address]

    @property
    def round_trips(self) -> int:
        return self._lane.round_trips

    async def close(self) -> None:
        await self._lane.close()


async def scan_lane(lane: Lane, pattern: str) -> AsyncIterator[str]:
    """Every key of one server that matches `pattern`."""
    scan_cursor: bytes | int = 0
    while True:
        scan_cursor, keys = reply_or_raise(
            await lane.call("SCAN", scan_cursor, "MATCH", pattern, "COUNT", 1000, repeatable=True)
        )
        for key in keys:
            yield key.decode()
        if scan_cursor == b"0":
            return


async def insist(
    lane: Lane, reply: ReplyError, script: Script, keys: Sequence[str], args: Sequence[Part], repeatable: bool
) -> Any:
    """Call again after an error reply that proves that the script did not run: load it, or wait a little, within one deadline."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DEADLINE_S
    while True:
        text = str(reply)
        if text == UNKNOWN_FUNCTION:
            reply_or_raise(await lane.call("FUNCTION", "LOAD", "REPLACE", script.lib.text, repeatable=True))
        elif text.partition(" ")[0] in PASSING and "script:" not in text and loop.time() < until:
            await asyncio.sleep(RETRY_S)
        else:
            return reply
        reply = await lane.call("FCALL", script.function, len(keys), *keys, *args, repeatable=repeatable)
        if not isinstance(reply, ReplyError):
            return reply  # type: ignore[unreachable]  # the lane's replies are of any type


async def connect(url: str, *, lua: Path | None = None) -> Executor:
    """Connect to the server at `url` (redis://, rediss://, unix://) and load the scripts for what it turns out to be.

    Raises Unavailable when it cannot be reached.
    """
    lane = GuardedLane(ConnectionFactory(url))
    await lane.open()
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(lane.close)
        if b"cluster_enabled:1" in reply_or_raise(await lane.call("INFO", "cluster", repeatable=True)):
            from readstate.store.cluster import Cluster  # that module needs this one

            return await Cluster.open(url, load_scripts("split", lua))
        executor = SingleServer(lane, url, load_scripts("atomic", lua))
        await load_functions(executor)
        opened.pop_all()
        return executor


async def load_functions(executor: Executor) -> None:
    """Load the scripts where they are missing, and remove those of other versions; whoever still needs them loads them again."""
    library = next(iter(executor.scripts.values())).lib
    known = [
        {entry[1].decode() for entry in node}
        for node in await executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", PREFIX + "*")
    ]
    if not all(library.name in names for names in known):
        try:
            await executor.each_node("FUNCTION", "LOAD", "REPLACE", library.text)
        except errors.StoreFull:
            raise errors.StoreFull(
                "The store is full and cannot take the functions of this version: give it more memory"
            ) from None
    for name in set.union(*known) - {library.name}:
        # Another worker may be quicker.
        with contextlib.suppress(ScriptFailed):
            await executor.each_node("FUNCTION", "DELETE", name)

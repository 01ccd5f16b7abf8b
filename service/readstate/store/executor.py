"""The way to the store: scripts and commands, called by key."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from readstate.domain.durability import Durability
from readstate.errors import ReadStateError
from readstate.store.script_calls import Call, Part
from readstate.store.scripts import Plan, Script

RETRY_S = 0.05  # between two tries of a call that the store refuses for now

Reply = TypeVar("Reply")


class Executor(Protocol):
    """Where scripts and commands are called. `store` knows no other way to Redis."""

    plan: Plan
    scripts: dict[str, Script]

    async def call(self, call: Call[Reply], key: str, *, repeatable: bool = True) -> Reply:
        """Run a script (store/lua.py) in the slot of its key. Returns its reply.

        `repeatable`: running it twice is the same as running it once. Raises the refusal whose code
        the script answered, Unavailable, UnknownOutcome, ScriptFailed.
        """

    async def call_each(self, calls: Sequence[tuple[str, Call[Reply]]]) -> list[Reply | ReadStateError]:
        """Run several repeatable calls, each with its key, together.

        Returns for each the reply, or the refusal or fault that it ended in. Raises ScriptFailed
        when one or more of them ended in that; the others were carried out all the same.
        """

    async def command(self, *parts: Part, key: str, repeatable: bool = True) -> Any:
        """Run one plain command in the slot of `key`. Raises as `call` does."""

    async def each_node(self, *parts: Part) -> list[Any]:
        """Run one repeatable command on every primary. Raises as `call` does."""

    async def confirm(self, node: str, connects: int, level: Durability, within_ms: int) -> str:
        """Have it confirmed that what a node has answered has reached `level`; see note_written.

        Returns why it is not known, "" when it is.
        """

    def scan(self, pattern: str, node: str | None = None, *, rest: float = 0.0) -> AsyncIterator[str]:
        """Every key of every primary, or of one, that matches `pattern`; a key may come twice.

        Between two looks for so many times as long as one took the node is left alone.
        """

    def nodes(self) -> list[str]:
        """Addresses of the primaries."""

    def node_of(self, key: str) -> str:
        """The address of the primary that has the slot of `key`, as far as is known.

        `slots` asks anew. Raises Unavailable.
        """

    async def slots(self) -> dict[str, list[tuple[int, int]]]:
        """The slots of each primary, in ranges from first to last, in their order.

        Raises as `call` does.
        """

    def why_away(self) -> str:
        """Why a server that is needed is not connected; "" when all are that were used so far."""

    @property
    def round_trips(self) -> int:
        """Writes to the network so far, each with one or more commands."""

    async def close(self) -> None: ...


def all_or_raise(replies: list[Reply | ReadStateError]) -> list[Reply]:
    """The replies of `call_each`, if none is a refusal or fault. Raises the first one that is."""
    for reply in replies:
        if isinstance(reply, ReadStateError):
            raise reply
    return replies  # type: ignore[return-value]  # none is an error


async def gather_outcomes(calls: Iterable[Awaitable[Reply]]) -> list[Reply | ReadStateError]:
    """Await `calls` together: the reply of each, or the refusal or fault that it ended in."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ReadStateError):
            raise outcome
    return outcomes  # type: ignore[return-value]  # no other exception is left


_SCANS = {"hash": ("HSCAN", 2), "zset": ("ZSCAN", 2), "set": ("SSCAN", 1)}  # command, parts of an element


async def scan_names(executor: Executor, key: str, kind: str, at_once: int) -> AsyncIterator[Sequence[bytes]]:
    """The names in a hash, set or sorted set, some at a time; one may come twice."""
    async for flat in _scan(executor, key, kind, at_once, "*"):
        yield flat[:: _SCANS[kind][1]]


async def scan_hash(
    executor: Executor, key: str, at_once: int, matching: str = "*"
) -> AsyncIterator[tuple[bytes, bytes]]:
    """The fields of a hash that match, with their values; one may come twice."""
    async for flat in _scan(executor, key, "hash", at_once, matching):
        for field in zip(flat[::2], flat[1::2], strict=True):
            yield field


async def scan_members(executor: Executor, key: str, at_once: int, kind: str = "zset") -> AsyncIterator[bytes]:
    """Every member of a sorted set, or of a set; one may come twice."""
    async for members in scan_names(executor, key, kind, at_once):
        for member in members:
            yield member


async def _scan(executor: Executor, key: str, kind: str, at_once: int, matching: str) -> AsyncIterator[list[bytes]]:
    scan_cursor: Any = 0
    while scan_cursor != b"0":
        command = (_SCANS[kind][0], key, scan_cursor, "MATCH", matching, "COUNT", at_once)
        scan_cursor, flat = await executor.command(*command, key=key)
        if flat:
            yield flat


async def scan_stream(executor: Executor, key: str, at_once: int) -> AsyncIterator[tuple[bytes, Sequence[bytes]]]:
    """Every entry of a stream with its fields and values, the oldest first."""
    after = "-"
    while entries := await executor.command("XRANGE", key, after, "+", "COUNT", at_once, key=key):
        for entry, fields in entries:
            yield entry, fields or ()
        after = f"({entries[-1][0].decode()}"


def escaped(text: str) -> str:
    """A text that stands for itself in a pattern of the store."""
    return re.sub(r"([*?\[\]\\^-])", r"\\\1", text)


def by_field(flat: Sequence[Any]) -> dict[Any, Any]:
    """The reply to a plain command, a flat list of names and values in turn, as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))

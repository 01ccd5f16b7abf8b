"""A scan of the keys of a store in steps, with which another call or process may go on.

SCAN names every key that is there all the time, as long as the same server is asked. So a position
says of which servers it is, and they are compared when a scan goes on and at its end. When one of
them was replaced or started anew, or slots have moved, the scan begins anew: keys come twice, and
none is missing.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from readstate.store.executor import Executor
from readstate.store.keys import SLOTS, Keys

_RUN_ID = re.compile(rb"run_id:(\w*)")


class ScanPosition(Struct, frozen=True, array_like=True):
    """Where a scan goes on."""

    servers: Annotated[str, Meta(max_length=32)]  # a digest of who they are and what they have
    slot: Annotated[int, Meta(ge=0, lt=SLOTS)]  # the first one of the server that is scanned
    scan_cursor: Annotated[str, Meta(pattern=r"\A[0-9]{1,18}\Z")]


class KeyScan:
    """Over the keys of all primaries that match a pattern. `position` is None when it is over."""

    AT_ONCE = 250  # keys that a step looks at, about

    def __init__(self, executor: Executor, pattern: str, firsts: list[int], position: ScanPosition) -> None:
        self._executor = executor
        self._pattern = pattern
        self._firsts = firsts
        self.position: ScanPosition | None = position

    @classmethod
    async def begin(cls, executor: Executor, pattern: str, position: ScanPosition | None = None) -> Self:
        """A scan that goes on at `position`. Raises what Executor.call does."""
        servers, firsts = await _servers(executor)
        if position is None or position.servers != servers or position.slot not in firsts:
            position = ScanPosition(servers, firsts[0], "0")
        return cls(executor, pattern, firsts, position)

    async def step(self) -> list[str]:
        """Some more keys, or none; one may come twice. Raises what Executor.call does.

        Where the scan would end and the servers are others than at its beginning, it begins anew.
        """
        here = self.position
        if here is None:
            return []
        scan_cursor, keys = await self._executor.command(
            *("SCAN", here.scan_cursor, "MATCH", self._pattern, "COUNT", self.AT_ONCE), key=Keys.in_slot(here.slot)
        )
        if scan_cursor != b"0":
            self.position = replace(here, scan_cursor=scan_cursor.decode())
        else:
            later = [first for first in self._firsts if first > here.slot]
            self.position = replace(here, slot=later[0], scan_cursor="0") if later else await self._end(here)
        return [key.decode() for key in keys]

    async def _end(self, here: ScanPosition) -> ScanPosition | None:
        servers, self._firsts = await _servers(self._executor)
        return None if servers == here.servers else ScanPosition(servers, self._firsts[0], "0")


async def keys_of(executor: Executor, pattern: str) -> AsyncIterator[str]:
    """Every key that matches, also when a server is started anew or replaced meanwhile; one may
    come twice. Raises what Executor.call does.
    """
    scan = await KeyScan.begin(executor, pattern)
    while scan.position:
        for key in await scan.step():
            yield key


async def _servers(executor: Executor) -> tuple[str, list[int]]:
    """A digest of the primaries and what they have, and the first slot of each."""
    ranges = await executor.slots()
    firsts = sorted(own[0][0] for own in ranges.values() if own)
    # By a slot, so that a node which is just being started again is waited for.
    infos = [await executor.command("INFO", "server", key=Keys.in_slot(first)) for first in firsts]
    run_ids = [found[1] for info in infos if (found := _RUN_ID.search(info))]
    packed = msgspec.msgpack.encode((sorted(ranges.items()), sorted(run_ids)))
    return hashlib.sha256(packed).hexdigest()[:16], firsts

"""What the nodes of a store say of the layout of their data: its number, and where it is whole.

It stands in a key in the first slot of each node, with the slots in which nothing of an earlier
layout is left. So it can be trusted while a cluster changes: a slot that comes from another node is
none of these slots. If the key itself moves away with its slot, the node has no number, as a new
one, and gets it again (layout.py).
"""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from readstate.errors import Unavailable
from readstate.store.executor import Executor
from readstate.store.keys import Keys

LAYOUT = 2  # the number of the layout that this version reads and writes

Ranges = Sequence[tuple[int, int]]


class Noted(Struct, frozen=True):
    """What is noted of a node: the number, 0 for none, and the slots in which it is whole."""

    number: int
    slots: Ranges


async def noted_layouts(executor: Executor) -> dict[str, Noted]:
    """What is noted of each node. Raises what Executor.command does."""
    keys = {node: Keys.layout(ranges[0][0]) for node, ranges in (await executor.slots()).items() if ranges}
    values = await asyncio.gather(*(executor.command("GET", key, key=key) for key in keys.values()))
    return {node: _noted(value) for node, value in zip(keys, values, strict=True)}


async def check_layout(executor: Executor) -> None:
    """Raises Unavailable when the layout is a later one, and what Executor.command does."""
    if sentence := why_refused(await noted_layouts(executor)):
        raise Unavailable(sentence)


def why_refused(noted: Mapping[str, Noted]) -> str:
    """Why this version cannot work on a store of which this is noted; "" when it can."""
    highest = max((one.number for one in noted.values()), default=0)
    return later_layout(highest) if highest > LAYOUT else ""


def later_layout(number: int) -> str:
    """The sentence for data of a later layout."""
    return (
        f"the data have layout {number}, of a later readstate, and this version reads up to layout {LAYOUT}; "
        "install the version that has written them"
    )


def layout_of(packed: bytes) -> int:
    """The number of the layout in which a value was written, as lua/lib/layouts.lua has it."""
    return 1 if packed[0] < 128 else packed[0] - 128


def as_text(ranges: Ranges) -> str:
    """Slots as they are noted: 0-5460,5470-5470."""
    return ",".join(f"{first}-{last}" for first, last in ranges)


def without(ranges: Ranges, others: Ranges) -> Ranges:
    """The slots of `ranges` that are not in `others`."""
    left: list[tuple[int, int]] = list(ranges)
    for begin, end in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, begin - 1)), (max(first, end + 1), last))
            if part[0] <= part[1]
        ]
    return left


def _noted(value: bytes | None) -> Noted:
    number, _, slots = (value or b"0").decode().partition(" ")
    ranges = [part.partition("-") for part in slots.split(",") if part]
    return Noted(int(number), [(int(first), int(last)) for first, _, last in ranges])

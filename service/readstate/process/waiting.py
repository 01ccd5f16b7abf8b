"""A queue and an event for objects of which there are thousands. Those of asyncio take 3 KiB and
0.8 KiB each, most of it for several tasks that wait.
"""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleReaderQueue(Generic[T]):
    """A queue from which one task reads, and which is short."""

    __slots__ = ("_items", "_reader")

    def __init__(self) -> None:
        self._items: list[T] = []
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether there is nothing to read."""
        return not self._items

    def put_nowait(self, item: T) -> None:
        """Add an item."""
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> T:
        """Remove and return the oldest item; waits for one."""
        while not self._items:
            self._reader = reader = asyncio.get_running_loop().create_future()
            try:
                await reader
            finally:
                if self._reader is reader:  # else the next one reads already
                    self._reader = None
        return self._items.pop(0)


class Gate:
    """An event that is set nearly always."""

    __slots__ = ("_closed",)

    def __init__(self) -> None:
        self._closed: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._closed is None

    def set(self) -> None:
        """Let all pass that wait."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.set()

    def clear(self) -> None:
        """Let those wait that come from now on."""
        if self._closed is None:
            self._closed = asyncio.Event()

    async def wait(self) -> None:
        """Return when it is set."""
        if self._closed is not None:
            await self._closed.wait()

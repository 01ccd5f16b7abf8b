"""What waits to be sent to one socket. Bounded: a client that does not read costs at most this much memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MAX_PACKETS = 1_000
MAX_BYTES = 1024 * 1024
SLOW_AT = 64  # packets; a client that has so many waiting is spared receipts that later ones make needless


class Backlog(asyncio.Queue[Any]):
    """The queue between the service and python-engineio's writer, which takes Engine.IO packets from it; None ends the writer.

    From SLOW_AT on, of the receipts of one member in one room only the newest waits: a cursor only moves forward, and an older position
    says nothing that the newer one does not. Past MAX_PACKETS or MAX_BYTES everything is dropped and `on_full` is called, once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_full: Callable[[], None] = lambda: None
        self.ended = False

    def put_nowait(self, item: Any) -> None:
        if item is None:
            self.ended = True
            super().put_nowait(None)
        elif not self.ended:
            super().put_nowait(item)
            if len(self._waiting) > MAX_PACKETS or self._bytes > MAX_BYTES:
                self._overflow()

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    async def take(self) -> list[Any]:
        """All packets that wait, as soon as there is one; none at the end."""
        packets = [await self.get()]
        while self._waiting and packets[-1] is not None:
            packets.append(self.get_nowait())
        if packets[-1] is None and len(packets) > 1:
            super().put_nowait(None)  # for the next look
        return [packet for packet in packets if packet is not None]

    async def join(self) -> None:
        """Nobody waits here for a client that may never read."""

    def _overflow(self) -> None:
        self.ended = True
        self._waiting.clear()
        self._receipts.clear()
        self._bytes = 0
        self.on_full()

    # What asyncio.Queue leaves to its subclasses

    def _init(self, maxsize: int) -> None:
        self._waiting: OrderedDict[int, Any] = OrderedDict()
        self._queue = self._waiting  # the base class asks this one whether it is empty
        self._receipts: dict[tuple[str, str], int] = {}
        self._next = 0
        self._bytes = 0

    def _put(self, item: Any) -> None:
        receipt = getattr(item, "receipt", None)
        if receipt is not None:
            self._supersede(receipt)
        self._waiting[self._next] = item
        self._next += 1
        self._bytes += _size(item)

    def _supersede(self, receipt: tuple[str, str]) -> None:
        if len(self._waiting) >= SLOW_AT and receipt in self._receipts:
            self._bytes -= _size(self._waiting.pop(self._receipts[receipt]))
        self._receipts[receipt] = self._next

    def _get(self) -> Any:
        number, item = self._waiting.popitem(last=False)
        self._bytes -= _size(item)
        receipt = getattr(item, "receipt", None)
        if receipt is not None and self._receipts.get(receipt) == number:
            del self._receipts[receipt]
        return item


def _size(item: Any) -> int:
    # In characters: near enough to bytes, and free, because a packet keeps its text.
    return len(item.encode()) if item is not None else 0

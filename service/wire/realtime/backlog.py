"""What waits to be sent to one socket, and to all sockets of one user. Bounded: a client that does not read costs at most this much.

The packet that is sent next is not counted. So one packet alone never means that a client is slow, however large it is: a client is slow
when others wait behind it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

MAX_PACKETS = 1_000
MAX_BYTES = 1024 * 1024
MAX_USER_BYTES = 4 * MAX_BYTES  # all sockets of one user, on one worker
SLOW_AT = 64  # packets; a client that has so many waiting is spared receipts that later ones make needless
TAKEN_AT_ONCE_BYTES = 64 * 1024


class Allowance:
    """What the sockets of one user may leave waiting together, MAX_USER_BYTES. Beyond it the one that leaves most is given up."""

    def __init__(self) -> None:
        self.waiting = 0  # bytes
        self.backlogs: set[Backlog] = set()

    def check(self) -> None:
        """Give up the socket that leaves most, if they leave too much together."""
        if self.waiting > MAX_USER_BYTES:
            max(self.backlogs, key=lambda backlog: backlog.behind).give_up()


class Allowances:
    """The allowance of each user of this worker; kept for as long as one of their sockets is counted."""

    def __init__(self) -> None:
        self._allowances: WeakValueDictionary[tuple[str, str], Allowance] = WeakValueDictionary()

    def of(self, app: str, user: str) -> Allowance:
        return self._allowances.setdefault((app, user), Allowance())


class Backlog(asyncio.Queue[Any]):
    """The queue between the service and python-engineio's writer, which takes Engine.IO packets from it; None ends the writer.

    From SLOW_AT on, of the receipts of one member in one room only the newest waits: a cursor only moves forward, and an older position
    says nothing that the newer one does not. Past MAX_PACKETS, MAX_BYTES or the user's allowance everything is dropped and `on_full` is
    called, once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_full: Callable[[], None] = lambda: None
        self.ended = False
        self.behind = 0  # bytes that wait behind the packet that is sent next
        self._allowance: Allowance | None = None

    def put_nowait(self, item: Any) -> None:
        if item is None:
            self.ended = True
            super().put_nowait(None)
        elif not self.ended:
            super().put_nowait(item)
            if len(self._waiting) > MAX_PACKETS or self.behind > MAX_BYTES:
                self.give_up()
            elif self._allowance is not None:
                self._allowance.check()

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    async def take(self) -> list[Any]:
        """The packets that wait, as soon as there is one, up to TAKEN_AT_ONCE_BYTES; none at the end.

        What was taken is counted no longer, though the client may be slow to take it in turn: so it must not be much.
        """
        packets = [await self.get()]
        taken = _size(packets[0])
        while self._waiting and packets[-1] is not None and taken < TAKEN_AT_ONCE_BYTES:
            packets.append(self.get_nowait())
            taken += _size(packets[-1])
        if packets[-1] is None and len(packets) > 1:
            super().put_nowait(None)  # for the next look
        return [packet for packet in packets if packet is not None]

    async def join(self) -> None:
        """Nobody waits here for a client that may never read."""

    def count_towards(self, allowance: Allowance | None) -> None:
        """What waits here is part of `allowance` from here on, and of no other one."""
        if self._allowance is not None:
            self._allowance.waiting -= self.behind
            self._allowance.backlogs.remove(self)
        self._allowance = allowance
        if allowance is not None:
            allowance.waiting += self.behind
            allowance.backlogs.add(self)

    def give_up(self) -> None:
        """The client is too slow: drop everything, and say so."""
        self.ended = True
        self._waiting.clear()
        self._receipts.clear()
        self._bytes = 0
        self._count()
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
        self._count()

    def _supersede(self, receipt: tuple[str, str]) -> None:
        if len(self._waiting) >= SLOW_AT and receipt in self._receipts:
            self._bytes -= _size(self._waiting.pop(self._receipts[receipt]))
        self._receipts[receipt] = self._next

    def _get(self) -> Any:
        number, item = self._waiting.popitem(last=False)
        self._bytes -= _size(item)
        self._count()
        receipt = getattr(item, "receipt", None)
        if receipt is not None and self._receipts.get(receipt) == number:
            del self._receipts[receipt]
        return item

    def _count(self) -> None:
        """Note how much waits behind the first packet now."""
        behind = self._bytes - _size(next(iter(self._waiting.values()), None))
        if self._allowance is not None:
            self._allowance.waiting += behind - self.behind
        self.behind = behind


def _size(item: Any) -> int:
    # In characters: near enough to bytes, and free, because a packet keeps its text.
    return len(item.encode()) if item is not None else 0

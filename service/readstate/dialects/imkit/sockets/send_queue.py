"""What is queued for one connection, and for all connections of one owner.

Bounded, so that a client that does not read costs little.

The owner is the user. Before the client is authenticated it is the address.

The packet that is sent next is not counted. So a single packet, however large, never means that a
client is slow. A client is slow when more packets queue up behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from readstate.dialects.imkit.sockets.packets import Packet

MAX_PACKETS = 1_000
MAX_BYTES = 1024 * 1024
MAX_OWNER_BYTES = 4 * MAX_BYTES  # for all connections of one owner, on one worker
SLOW_AT = 64  # packets; from here on, receipts that newer ones supersede are dropped
BATCH_BYTES = 64 * 1024


class QueueBudget:
    """How much may be queued for all connections of one owner: MAX_OWNER_BYTES.

    Beyond it the longest queue overflows.
    """

    def __init__(self) -> None:
        self.used_bytes = 0
        self.queues: set[SendQueue] = set()

    def check(self) -> None:
        """Let the longest queue overflow when the budget is exceeded."""
        if self.used_bytes > MAX_OWNER_BYTES:
            max(self.queues, key=lambda queue: queue.counted_bytes).overflow()


class QueueBudgets:
    """The budget of each owner, (app, user) or (address,).

    It lasts as long as a queue is counted in it.
    """

    def __init__(self) -> None:
        self._budgets: WeakValueDictionary[tuple[str, ...], QueueBudget] = WeakValueDictionary()

    def of(self, *owner: str) -> QueueBudget:
        """The budget of `owner`."""
        return self._budgets.setdefault(owner, QueueBudget())


@dataclass(slots=True, eq=False)
class SendQueue:
    """The packets of one connection that are not yet handed to its transport, in order.

    From SLOW_AT packets on, only the newest receipt of a member in a room is kept: a cursor only
    moves forward, so an older position adds nothing. Beyond MAX_PACKETS, MAX_BYTES or the owner's
    budget all packets are dropped and `on_overflow` is called, once.
    """

    on_overflow: Callable[[], None]
    is_sealed: bool = False  # no more packets are accepted
    counted_bytes: int = 0  # behind the packet that is sent next
    _packets: dict[int, Packet] = field(default_factory=dict)
    _receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    _next: int = 0
    _total_bytes: int = 0
    _budget: QueueBudget | None = None

    def __len__(self) -> int:
        return len(self._packets)

    def push(self, packet: Packet) -> None:
        """Add a packet. Does nothing when the queue is sealed."""
        if self.is_sealed:
            return
        self._append(packet)
        self._count()
        if len(self._packets) > MAX_PACKETS or self.counted_bytes > MAX_BYTES:
            self.overflow()
        elif self._budget is not None:
            self._budget.check()

    def pop_batch(self) -> list[Packet]:
        """Remove and return the next packets: at least one, and more up to BATCH_BYTES.

        They are no longer counted, though the transport may send them slowly. So a batch must be
        small.
        """
        numbers, size = [], 0
        for number, packet in self._packets.items():
            numbers.append(number)
            size += len(packet.frame)
            if size >= BATCH_BYTES:
                break
        batch = [self._packets.pop(number) for number in numbers]
        for number, packet in zip(numbers, batch, strict=True):
            if packet.receipt is not None and self._receipts.get(packet.receipt) == number:
                del self._receipts[packet.receipt]
        if not self._packets:
            self._packets.clear()  # a dict that was emptied bit by bit keeps its memory
            self._receipts.clear()
        self._total_bytes -= size
        self._count()
        return batch

    def count_in(self, budget: QueueBudget | None) -> None:
        """Count the queued packets in `budget` from now on, and no longer in the one before."""
        if self._budget is not None:
            self._budget.used_bytes -= self.counted_bytes
            self._budget.queues.remove(self)
        self._budget = budget
        if budget is not None:
            budget.used_bytes += self.counted_bytes
            budget.queues.add(self)

    def overflow(self) -> None:
        """The client is too slow: drop all packets and report it."""
        self.is_sealed = True
        self._packets.clear()
        self._receipts.clear()
        self._total_bytes = 0
        self._count()
        self.on_overflow()

    def _append(self, packet: Packet) -> None:
        if packet.receipt is not None:
            self._supersede(packet.receipt)
        self._packets[self._next] = packet
        self._next += 1
        self._total_bytes += len(packet.frame)

    def _supersede(self, receipt: tuple[str, str]) -> None:
        if len(self._packets) >= SLOW_AT and receipt in self._receipts:
            self._total_bytes -= len(self._packets.pop(self._receipts[receipt]).frame)
        self._receipts[receipt] = self._next

    def _count(self) -> None:
        """Update how much is queued behind the first packet."""
        counted = 0
        if len(self._packets) > 1:
            counted = self._total_bytes - len(next(iter(self._packets.values())).frame)
        if self._budget is not None:
            self._budget.used_bytes += counted - self.counted_bytes
        self.counted_bytes = counted

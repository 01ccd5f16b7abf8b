"""What waits to be sent to one socket, and to all sockets of one owner. Bounded: a client that does not read costs at most this much.

The owner is the user, or the address for as long as the client has not said who it is.

The packet that is sent next is not counted. So one packet alone never means that a client is slow, however large it is: a client is slow
when others wait behind it.
"""

from collections.abc import Callable
from weakref import WeakValueDictionary

from readstate.dialects.imkit.sockets.packets import Packet

MAX_PACKETS = 1_000
MAX_BYTES = 1024 * 1024
MAX_OWNER_BYTES = 4 * MAX_BYTES  # all sockets of one owner, on one worker
SLOW_AT = 64  # packets; a client that has so many waiting is spared receipts that later ones make needless
TAKEN_AT_ONCE_BYTES = 64 * 1024


class Allowance:
    """What the sockets of one owner may leave waiting together, MAX_OWNER_BYTES. Beyond it the one that leaves most is given up."""

    def __init__(self) -> None:
        self.waiting = 0  # bytes
        self.backlogs: set[Backlog] = set()

    def check(self) -> None:
        """Give up the socket that leaves most, if they leave too much together."""
        if self.waiting > MAX_OWNER_BYTES:
            max(self.backlogs, key=lambda backlog: backlog.behind).give_up()


class Allowances:
    """The allowance of each owner: (app, user) or (address,). Kept for as long as one of their sockets is counted."""

    def __init__(self) -> None:
        self._allowances: WeakValueDictionary[tuple[str, ...], Allowance] = WeakValueDictionary()

    def of(self, *owner: str) -> Allowance:
        return self._allowances.setdefault(owner, Allowance())


class Backlog:
    """The packets of one socket that have not been handed to its transport yet, in their order.

    From SLOW_AT on, of the receipts of one member in one room only the newest waits: a cursor only moves forward, and an older position
    says nothing that the newer one does not. Past MAX_PACKETS, MAX_BYTES or the owner's allowance everything is dropped and `on_full` is
    called, once.
    """

    __slots__ = ("_allowance", "_bytes", "_next", "_receipts", "_waiting", "behind", "is_sealed", "on_full")

    def __init__(self, on_full: Callable[[], None]) -> None:
        self.on_full = on_full
        self.is_sealed = False  # nothing more is taken on
        self.behind = 0  # bytes that wait behind the packet that is sent next
        self._waiting: dict[int, Packet] = {}
        self._receipts: dict[tuple[str, str], int] = {}
        self._next = 0
        self._bytes = 0
        self._allowance: Allowance | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, packet: Packet) -> None:
        """Let a packet wait for its turn; nothing when the backlog is sealed."""
        if self.is_sealed:
            return
        if packet.receipt is not None:
            self._supersede(packet.receipt)
        self._waiting[self._next] = packet
        self._next += 1
        self._bytes += len(packet.frame)
        self._count()
        if len(self._waiting) > MAX_PACKETS or self.behind > MAX_BYTES:
            self.give_up()
        elif self._allowance is not None:
            self._allowance.check()

    def take(self) -> list[Packet]:
        """The next packets, up to TAKEN_AT_ONCE_BYTES, one of them in any case.

        What was taken is counted no longer, though the client may be slow to take it in turn: so it must not be much.
        """
        taken, size = [], 0
        for number, packet in self._waiting.items():
            taken.append(number)
            size += len(packet.frame)
            if size >= TAKEN_AT_ONCE_BYTES:
                break
        packets = [self._waiting.pop(number) for number in taken]
        for number, packet in zip(taken, packets, strict=True):
            if packet.receipt is not None and self._receipts.get(packet.receipt) == number:
                del self._receipts[packet.receipt]
        self._bytes -= size
        self._count()
        return packets

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
        self.is_sealed = True
        self._waiting.clear()
        self._receipts.clear()
        self._bytes = 0
        self._count()
        self.on_full()

    def _supersede(self, receipt: tuple[str, str]) -> None:
        if len(self._waiting) >= SLOW_AT and receipt in self._receipts:
            self._bytes -= len(self._waiting.pop(self._receipts[receipt]).frame)
        self._receipts[receipt] = self._next

    def _count(self) -> None:
        """Note how much waits behind the first packet now."""
        behind = 0
        if len(self._waiting) > 1:
            behind = self._bytes - len(next(iter(self._waiting.values())).frame)
        if self._allowance is not None:
            self._allowance.waiting += behind - self.behind
        self.behind = behind

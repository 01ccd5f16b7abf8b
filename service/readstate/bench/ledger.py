"""The ledger of notices: which listeners must get them, when they were caused, what went wrong.

A notice is known by room, member and message. Message ids of one room rise as strings, so the
ledger also sees a notice that comes after a newer one of the same member.
"""

from collections.abc import Iterable
from dataclasses import dataclass

Notice = tuple[str, str, str]  # room, member, message


@dataclass(frozen=True)
class Balance:
    """What did not go as promised, counted per listener and notice.

    `superseded` ones never came but a newer one of the same member did, which a service may do; the
    others it must not do.
    """

    arrived: int
    missing: int
    duplicate: int
    reordered: int
    unexpected: int
    superseded: int

    @property
    def wrong(self) -> int:
        return self.missing + self.duplicate + self.reordered + self.unexpected


class Ledger:
    """Times are seconds of one clock.

    The cause may be entered before or after the notice has arrived.
    """

    def __init__(self) -> None:
        self._audience: dict[str, dict[str, float]] = {}  # room -> listener -> since when
        self._due: dict[tuple[str, Notice], float] = {}
        self._early: dict[tuple[str, Notice], float] = {}
        self._seen: set[tuple[str, Notice]] = set()
        self._void: set[Notice] = set()
        self._caused: set[Notice] = set()
        self._newest: dict[tuple[str, str, str], str] = {}
        self._arrived = self._duplicate = self._reordered = 0

    def listen(self, listener: str, rooms: Iterable[str], at: float) -> None:
        """Every notice of `rooms` whose call begins after `at` must reach `listener`."""
        for room in rooms:
            self._audience.setdefault(room, {})[listener] = at

    def unlisten(self, listener: str) -> None:
        """`listener` is gone: nothing is due to it any more."""
        for audience in self._audience.values():
            audience.pop(listener, None)
        for key in [key for key in self._due if key[0] == listener]:
            del self._due[key]

    def cause(self, notice: Notice, at: float) -> list[float]:
        """A call begun at `at` makes this notice due.

        Returns the latencies of those that have arrived already.

        A listener that began while the call was under way may have come too late for its notice,
        so none is due to it.
        """
        self._caused.add(notice)
        latencies = []
        for listener, since in self._audience.get(notice[0], {}).items():
            arrived = self._early.pop((listener, notice), None)
            if arrived is not None:
                latencies.append(arrived - at)
            elif since <= at:
                self._due[listener, notice] = at
        return latencies

    def void(self, notice: Notice) -> None:
        """The call failed: its notice may or may not come, so it is neither due nor unexpected."""
        self._void.add(notice)
        for listener in self._audience.get(notice[0], ()):
            self._due.pop((listener, notice), None)

    def arrive(self, listener: str, notice: Notice, at: float) -> float | None:
        """A notice reached a listener. Returns its latency when its cause is known."""
        key = (listener, notice)
        if key in self._seen:
            self._duplicate += 1
            return None
        self._seen.add(key)
        self._arrived += 1
        self._note_order(listener, notice)
        caused = self._due.pop(key, None)
        if caused is None:
            self._early[key] = at
            return None
        return at - caused

    def _note_order(self, listener: str, notice: Notice) -> None:
        room, member, message = notice
        newest = self._newest.get((listener, room, member), "")
        if message < newest:
            self._reordered += 1
        else:
            self._newest[listener, room, member] = message

    @property
    def due(self) -> int:
        """How many are still expected: an older one is not, once a newer one came in its place."""
        return sum(1 for key in self._due if not self._is_superseded(*key))

    def _is_superseded(self, listener: str, notice: Notice) -> bool:
        room, member, message = notice
        return message < self._newest.get((listener, room, member), "")

    def balance(self) -> Balance:
        """Count what is still due as lost. Call it when nothing can be under way."""
        missing = self.due
        # A notice that came to a later listener was caused, although it was not due to it.
        unexpected = sum(1 for _, notice in self._early if notice not in self._void and notice not in self._caused)
        return Balance(
            arrived=self._arrived,
            missing=missing,
            duplicate=self._duplicate,
            reordered=self._reordered,
            unexpected=unexpected,
            superseded=len(self._due) - missing,
        )

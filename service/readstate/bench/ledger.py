"""The ledger of notices: which listeners must get them, when they were caused, what went wrong.

A notice is known by room, member and message. Message ids of one room rise as strings, so the
ledger also sees a notice that comes after a newer one of the same member.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

Notice = tuple[str, str, str]  # room, member, message

LATE_S = 1.0


@dataclass(frozen=True)
class Balance:
    """What did not go as promised, counted per listener and notice.

    `superseded` ones never came but a newer one of the same member did, which a service may do.
    `late` ones came, after more than LATE_S. Of the others there must be none.
    """

    arrived: int
    missing: int
    duplicate: int
    reordered: int
    unexpected: int
    superseded: int
    late: int

    @property
    def wrong(self) -> int:
        return self.missing + self.duplicate + self.reordered + self.unexpected


class _Listener:
    """What one listener is due, and has heard."""

    __slots__ = ("due", "early", "newest", "seen")

    def __init__(self) -> None:
        self.due: dict[Notice, float] = {}  # when it was caused
        self.early: dict[Notice, float] = {}  # when it came, before its cause was entered
        self.seen: set[Notice] = set()
        self.newest: dict[tuple[str, str], str] = {}  # (room, member) -> message

    def is_superseded(self, notice: Notice) -> bool:
        room, member, message = notice
        return message < self.newest.get((room, member), "")


class Ledger:
    """Times are seconds of one clock.

    The cause may be entered before or after the notice has arrived.
    """

    def __init__(self) -> None:
        self._audience: defaultdict[str, dict[str, float]] = defaultdict(dict)  # room -> listener -> since when
        self._listeners: defaultdict[str, _Listener] = defaultdict(_Listener)
        self._void: set[Notice] = set()
        self._caused: set[Notice] = set()
        self._arrived = self._duplicate = self._reordered = self._late = 0

    def listen(self, listener: str, rooms: Iterable[str], at: float) -> None:
        """Every notice of `rooms` whose call begins after `at` must reach `listener`."""
        for room in rooms:
            self._audience[room][listener] = at

    def unlisten(self, listener: str, rooms: Iterable[str]) -> None:
        """`listener` of `rooms` is gone: nothing is due to it any more."""
        for room in rooms:
            self._audience[room].pop(listener, None)
        self._listeners[listener].due.clear()

    def cause(self, notice: Notice, at: float) -> list[float]:
        """A call begun at `at` makes this notice due.

        Returns the latencies of those that have arrived already.

        A listener that began while the call was under way may have come too late for its notice,
        so none is due to it.
        """
        self._caused.add(notice)
        latencies = []
        for name, since in self._audience[notice[0]].items():
            listener = self._listeners[name]
            arrived = listener.early.pop(notice, None)
            if arrived is not None:
                latencies.append(self._timed(arrived - at))
            elif since <= at:
                listener.due[notice] = at
        return latencies

    def void(self, notice: Notice) -> None:
        """The call failed: its notice may or may not come, so it is neither due nor unexpected."""
        self._void.add(notice)
        for name in self._audience[notice[0]]:
            self._listeners[name].due.pop(notice, None)

    def arrive(self, name: str, notice: Notice, at: float) -> float | None:
        """A notice reached a listener. Returns its latency when its cause is known."""
        listener = self._listeners[name]
        if notice in listener.seen:
            self._duplicate += 1
            return None
        listener.seen.add(notice)
        self._arrived += 1
        if listener.is_superseded(notice):
            self._reordered += 1
        else:
            room, member, message = notice
            listener.newest[room, member] = message
        caused = listener.due.pop(notice, None)
        if caused is None:
            listener.early[notice] = at
            return None
        return self._timed(at - caused)

    def _timed(self, latency_s: float) -> float:
        self._late += latency_s > LATE_S
        return latency_s

    @property
    def due(self) -> int:
        """How many are still expected: an older one is not, once a newer one came in its place."""
        return sum(
            not listener.is_superseded(notice) for listener in self._listeners.values() for notice in listener.due
        )

    def balance(self) -> Balance:
        """Count what is still due as lost. Call it when nothing can be under way."""
        missing = self.due
        # A notice that came to a later listener was caused, although it was not due to it.
        unexpected = sum(
            notice not in self._void and notice not in self._caused
            for listener in self._listeners.values()
            for notice in listener.early
        )
        return Balance(
            arrived=self._arrived,
            missing=missing,
            duplicate=self._duplicate,
            reordered=self._reordered,
            unexpected=unexpected,
            superseded=sum(len(listener.due) for listener in self._listeners.values()) - missing,
            late=self._late,
        )

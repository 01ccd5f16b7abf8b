"""A checker of histories: could every answer have been right at some instant of its call?

A history is the calls of clients, with the times at which they began and ended, and afterwards the
order of the messages in each room. Bounds on every head and cursor at every instant follow from
that.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Place = tuple[str, str]  # user, room


@dataclass(frozen=True)
class Call:
    """One call of one client.

    `message` is what was posted or asked to be read up to; the rest is what was answered.
    """

    kind: str  # "post", "read" or "badge"
    user: str
    began: float
    ended: float
    room: str = ""
    message: str = ""
    cursor: str = ""  # id of the message up to which the user has read
    unread: int = 0
    badge: int = 0


@dataclass
class Steps:
    """A number that only rises. Each rise happened between an earliest and a latest instant."""

    rises: list[tuple[float, float, int]] = field(default_factory=list)  # earliest, latest, value from then on

    def freeze(self) -> None:
        by_earliest, by_latest = sorted(self.rises), sorted((latest, value) for _, latest, value in self.rises)
        self._earliest, self._highest = running_maximum((earliest, value) for earliest, _, value in by_earliest)
        self._latest, self._lowest = running_maximum(by_latest)

    def at_least(self, instant: float) -> int:
        """Its lowest possible value at that instant."""
        return self._lowest[bisect_left(self._latest, instant)]

    def at_most(self, instant: float) -> int:
        return self._highest[bisect_right(self._earliest, instant)]

    def can_be(self, value: int, began: float, ended: float) -> tuple[float, float]:
        """The span of a call in which it can have had this value.

        An empty span when it cannot.
        """
        first = bisect_left(self._highest, value)
        last = bisect_right(self._lowest, value)
        from_here = began if first == 0 else self._earliest[first - 1] if first <= len(self._earliest) else float("inf")
        until = ended if last > len(self._latest) else self._latest[last - 1] if last else float("-inf")
        return max(began, from_here), min(ended, until)

    def instants(self, began: float, ended: float) -> list[float]:
        """The instants within a call at which a bound moves."""
        return [
            *self._earliest[bisect_left(self._earliest, began) : bisect_right(self._earliest, ended)],
            *self._latest[bisect_left(self._latest, began) : bisect_right(self._latest, ended)],
        ]


def running_maximum(rises: Iterable[tuple[float, int]]) -> tuple[list[float], list[int]]:
    """Instants, and the highest value up to each; one value more, for before the first."""
    instants, values = [], [0]
    for instant, value in rises:
        instants.append(instant)
        values.append(max(values[-1], value))
    return instants, values


class Checker:
    """`order` is the messages of each room as they stand in it.

    Every user is a member of every room from its beginning.

    `at_one_instant`: a badge is counted at one instant over all rooms. On a cluster each room has
    its own instant within the call.
    """

    def __init__(self, history: Sequence[Call], order: Mapping[str, Sequence[str]], *, at_one_instant: bool) -> None:
        self._history = history
        self._at_one_instant = at_one_instant
        self._rooms = sorted(order)
        self._seq = {(room, message): number for room in order for number, message in enumerate(order[room], 1)}
        self._heads: dict[str, Steps] = {room: Steps() for room in order}
        self._cursors: dict[Place, Steps] = defaultdict(Steps)
        self._asked: dict[Place, dict[int, float]] = defaultdict(dict)
        self.violations: list[str] = []
        self._place_posts(order)
        self._place_reads()
        for steps in (*self._heads.values(), *self._cursors.values()):
            steps.freeze()
        self._nothing = Steps()
        self._nothing.freeze()

    def check(self) -> list[str]:
        """Sentences about answers that cannot have been right; empty when all can."""
        for call in self._history:
            if call.kind == "read":
                self._check_cursor(call)
                self._check_unread(call)
            if call.kind in ("read", "badge"):
                self._check_badge(call)
        self._check_later_reads()
        return self.violations

    def final_badge(self, user: str) -> int:
        """The unread messages at the end."""
        forever = float("inf")
        return sum(
            self._heads[room].at_least(forever) - self._cursor(user, room).at_least(forever) for room in self._rooms
        )

    def _place_posts(self, order: Mapping[str, Sequence[str]]) -> None:
        """A message came after its predecessor in the room and before its successor."""
        posts = {(call.room, call.message): call for call in self._history if call.kind == "post"}
        for room, messages in order.items():
            earliest = [posts[room, message].began for message in messages]
            latest = [posts[room, message].ended for message in messages]
            for i in range(1, len(messages)):
                earliest[i] = max(earliest[i], earliest[i - 1])
                latest[-1 - i] = min(latest[-1 - i], latest[-i])
            for i, message in enumerate(messages):
                if earliest[i] > latest[i]:
                    self._wrong(posts[room, message], "its place in the room is not that of its time")
                self._heads[room].rises.append((earliest[i], latest[i], i + 1))
                poster = (posts[room, message].user, room)
                self._cursors[poster].rises.append((earliest[i], latest[i], i + 1))
                self._asked[poster][i + 1] = earliest[i]

    def _place_reads(self) -> None:
        for call in self._history:
            if call.kind == "read":
                place, seq = (call.user, call.room), self._seq[call.room, call.message]
                self._cursors[place].rises.append((call.began, call.ended, seq))
                self._asked[place][seq] = min(call.began, self._asked[place].get(seq, call.began))

    def _cursor(self, user: str, room: str) -> Steps:
        return self._cursors.get((user, room), self._nothing)

    def _check_cursor(self, call: Call) -> None:
        """A read was asked for by then, and is at least the own question and the answer before."""
        answered = self._seq[call.room, call.cursor]
        if answered < self._seq[call.room, call.message]:
            self._wrong(call, "the cursor is before what it was just asked to reach")
        if self._asked[call.user, call.room].get(answered, float("inf")) > call.ended:
            self._wrong(call, "nobody had asked for this cursor yet")
        if answered < self._cursor(call.user, call.room).at_least(call.began):
            self._wrong(call, "the cursor is before one that was reached already")

    def _check_unread(self, call: Call) -> None:
        """Cursor and unread add up to the head, and are of one instant."""
        answered = self._seq[call.room, call.cursor]
        spans = [
            self._cursor(call.user, call.room).can_be(answered, call.began, call.ended),
            self._heads[call.room].can_be(answered + call.unread, call.began, call.ended),
        ]
        if max(start for start, _ in spans) > min(end for _, end in spans):
            self._wrong(call, "at no instant was so much unread")

    def _check_badge(self, call: Call) -> None:
        if not self._at_one_instant:
            low = sum(
                self._heads[room].at_least(call.began) - self._cursor(call.user, room).at_most(call.ended)
                for room in self._rooms
            )
            high = sum(
                self._heads[room].at_most(call.ended) - self._reached(call, room, call.began) for room in self._rooms
            )
            if not low <= call.badge <= high:
                self._wrong(call, f"the badge must be between {low} and {high}")
        elif not any(low <= call.badge <= high for low, high in self._badge_bounds(call)):
            self._wrong(call, "at no instant was this the badge")

    def _badge_bounds(self, call: Call) -> Iterable[tuple[int, int]]:
        """Least and greatest badge at each instant of the call at which a bound moves."""
        instants = {call.began, call.ended}
        for room in self._rooms:
            instants.update(self._heads[room].instants(call.began, call.ended))
            instants.update(self._cursor(call.user, room).instants(call.began, call.ended))
        for instant in instants:
            low = high = 0
            for room in self._rooms:
                head, reached = self._heads[room], self._reached(call, room, instant)
                low += max(0, head.at_least(instant) - max(reached, self._cursor(call.user, room).at_most(instant)))
                high += head.at_most(instant) - reached
            yield low, high

    def _reached(self, call: Call, room: str, instant: float) -> int:
        """The lowest possible cursor when the badge was counted: not before the call's own read."""
        reached = self._cursor(call.user, room).at_least(instant)
        return max(reached, self._seq[room, call.cursor]) if room == call.room else reached

    def _check_later_reads(self) -> None:
        """Of two calls that do not overlap, the later one answers no older cursor and no older
        head.
        """
        calls = defaultdict(list)
        for call in self._history:
            if call.kind == "read":
                seq = self._seq[call.room, call.cursor]
                calls["cursor", call.user, call.room].append((call, seq))
                calls["head", "", call.room].append((call, seq + call.unread))
        for (what, *_), answers in calls.items():
            by_end = sorted(answers, key=lambda answer: answer[0].ended)
            ends, highest = running_maximum((call.ended, value) for call, value in by_end)
            for call, value in answers:
                if value < highest[bisect_left(ends, call.began)]:
                    self._wrong(call, f"the {what} is older than one that was answered before")

    def _wrong(self, call: Call, why: str) -> None:
        self.violations.append(f"{call}: {why}")

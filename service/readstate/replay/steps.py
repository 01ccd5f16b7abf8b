"""From the events of one room to calls: in the same order, and as few as that order allows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from readstate.replay.traffic import TrafficEvent

# Keep one call well below the size limit of a request.
MAX_USERS_PER_STEP = 100
MAX_TEXTS_PER_STEP = 100
MAX_CHARS_PER_STEP = 100_000


@dataclass
class Step:
    """One call, or for a post two.

    `join` and `leave`: all of `users` at once. `post`: the one user reads the newest message, then
    posts `texts` in turn.
    """

    act: Literal["join", "leave", "post"]
    users: list[str]
    texts: list[str]
    events: int  # events of the file that this step finishes

    def absorb(self, later: "Step") -> bool:
        """Take over `later` if both at once have the same effect as one after the other.

        Whether it did.
        """
        if self.act != later.act:
            return False
        if self.act == "post":
            chars = sum(map(len, self.texts + later.texts))
            fits = self.users == later.users and len(self.texts) < MAX_TEXTS_PER_STEP and chars <= MAX_CHARS_PER_STEP
        else:
            fits = len(self.users) < MAX_USERS_PER_STEP
        if fits:
            self.users = list(dict.fromkeys(self.users + later.users))
            self.texts += later.texts
            self.events += later.events
        return fits


def by_room(events: Iterable[TrafficEvent]) -> dict[str, list[TrafficEvent]]:
    """The events of each room, in order."""
    rooms: dict[str, list[TrafficEvent]] = {}
    for event in events:
        rooms.setdefault(event.room, []).append(event)
    return rooms


def plan(events: Iterable[TrafficEvent]) -> list[Step]:
    """The steps of one room. Their `events` add up to the number of events given."""
    steps: list[Step] = []
    for step in _single_steps(events):
        if not (steps and steps[-1].absorb(step)):
            steps.append(step)
    return steps


def _single_steps(events: Iterable[TrafficEvent]) -> Iterator[Step]:
    present: set[str] = set()
    for event in events:
        if event.kind == "rename":
            # A cursor belongs to a user id, so the old name leaves and the new one joins.
            present = present - {event.user} | {event.to}
            yield Step("leave", [event.user], [], 0)
            yield Step("join", [event.to], [], 1)
        elif event.kind == "leave":
            present.discard(event.user)
            yield Step("leave", [event.user], [], 1)
        elif event.kind == "join":
            present.add(event.user)
            yield Step("join", [event.user], [], 1)
        else:
            if event.user not in present:
                present.add(event.user)
                yield Step("join", [event.user], [], 0)
            yield Step("post", [event.user], [event.text], 1)

"""Events on their way to a receiver: what a deliverer is handed, and what it reports back.

Of all events of one member in one room only the newest waits. It stands for the others and covers
what they covered.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec import Struct


class ReadEvent(Struct, frozen=True, array_like=True):
    """A member has read `room` up to `message`.

    Its values are absolute: a newer event of the same member and room stands for an older one.
    """

    app: str
    room: str
    member: str
    message: str
    seq: int  # of `message`
    before: int  # seq of the cursor before: the event covers messages before + 1 to seq
    at_ms: int  # Unix ms, server's clock
    unread: int  # of the room after this
    revision: int  # of the room: tells two events of a room apart and orders them

    @property
    def id(self) -> str:
        """The same however often the event is delivered, and no other event's."""
        room = hashlib.sha256(f"{self.app}:{self.room}".encode()).hexdigest()[:16]
        return f"read_{room}_{self.revision}"


class Due(Struct, frozen=True, array_like=True):
    """An event that is to be sent now, as the store keeps it while it waits."""

    event: ReadEvent
    attempts: int  # that failed before
    failing_since_ms: int  # store's clock; 0: this event has not failed yet
    sent: int  # how many of its forms the receiver has accepted


class Batch(Struct, frozen=True):
    """What one look at a shard gave."""

    held: bool  # False: another deliverer holds the shard, and nothing else here means anything
    now_ms: int = 0  # store's clock
    waiting: int = 0  # memberships with an event that waits in this shard, due or not
    more: bool = False  # there is more to do at once
    broken: int = 0  # entries of the stream that were no events
    due: tuple[Due, ...] = ()


class Delivered(Struct, frozen=True):
    """The receiver has accepted the event, or it needs no request."""

    event: ReadEvent


class Postponed(Struct, frozen=True):
    """The event is to be tried again in `wait_ms`."""

    event: ReadEvent
    wait_ms: int
    sent: int  # as in Due


class Dead(Struct, frozen=True):
    """The event is given up and becomes a dead letter. `reason`: a few words."""

    event: ReadEvent
    reason: str


Outcome = Delivered | Postponed | Dead


class DeadLetter(Struct, frozen=True, array_like=True):
    """An event that was given up, as the store keeps it.

    It goes when it is replayed, or when a newer event of its member and room covers it.
    """

    event: ReadEvent
    attempts: int
    at_ms: int  # when it was given up
    reason: str


class Events(Protocol):
    """Where events wait, in shards of which each is held by one deliverer at a time.

    Every method may raise Unavailable and UnknownOutcome; all of them may then be repeated.
    """

    shards: int
    lease_s: float  # a shard is held for so long after it was claimed last, unless it is released

    async def share(self) -> tuple[int, str | None]:
        """Be one of the deliverers for `lease_s`.

        Returns how many there are, and the target that wants no more events (None: there is none).
        """

    async def claim_shard(self, shard: int, *, limit: int) -> Batch:
        """Hold the shard if no other deliverer does, and be handed up to `limit` due events.

        Other deliverers are not handed these for `lease_s`.
        """

    async def record_outcomes(self, shard: int, outcomes: Sequence[Outcome]) -> None:
        """Record what has become of events that were handed out."""

    async def release_shard(self, shard: int) -> None:
        """Give the shard up."""

    async def depart(self) -> None:
        """No longer be one of the deliverers."""

    async def refuse(self, target: str) -> None:
        """Remember that `target` wants no more events."""

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """All dead letters, in no particular order.

        One that is replayed meanwhile may be missing.
        """

    async def replay(self, ids: Sequence[str] | None = None) -> int:
        """Let the dead letters with these event ids (None: all) wait for delivery again.

        Also to a target that wanted no more events. Returns how many wait now: not those that a
        newer delivery has covered meanwhile.
        """

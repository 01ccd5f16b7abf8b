"""Who is told of what happens in a room: the model of attention, of one room."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from readstate.domain.rooms import Status
from tests.support.model_room import ModelRoom

LONGER = 4  # times
CELLS_FOR_EACH = 8  # members x (2 + tags) that may be told, for each member of the fan-out limit


class Bounds(NamedTuple):
    """The settings of a store. Stores with different ones may work on the same data."""

    attention: int  # countable posts until a member is no longer told
    limit: int  # attentive members; a room of more is derived


@dataclass
class Attention:
    """Before which ordinal each member is told, and how the room stands to the fan-out limit.

    `indexed`: in a large room, who is counted as attentive; some may no longer be.
    """

    attentive_until: dict[str, int] = field(default_factory=dict)
    indexed: set[str] = field(default_factory=set)
    large: bool = False
    derived: bool = False
    revision: int = 0
    tags: tuple[str, ...] = ()
    status: Status = Status.ACTIVE
    by_client: bool = False

    def is_attentive(self, room: ModelRoom, member: str) -> bool:
        return room.ordinal < self.attentive_until[member]

    def attentive(self, room: ModelRoom) -> list[str]:
        return [member for member in self.attentive_until if self.is_attentive(room, member)]

    def state(self, room: ModelRoom, member: str) -> str:
        """How a copy stands that is brought up to date now."""
        if self.derived or not self.is_attentive(room, member):
            return "derived"
        return "active" if room.status is Status.ACTIVE else "frozen"

    def attend(self, room: ModelRoom, member: str, bounds: Bounds) -> None:
        """A member pays attention; of a large room only while it has not too many who do.

        Who comes back before another post than the one that ended their attention pays it for
        longer.
        """
        attentive_until = self.attentive_until[member]
        shorter, longer = room.ordinal + bounds.attention, room.ordinal + LONGER * bounds.attention
        if self.is_attentive(room, member):
            self.attentive_until[member] = max(shorter, min(attentive_until, longer))
        elif not self.large or self._admit(room, member, bounds):
            self.attentive_until[member] = longer if attentive_until == room.ordinal else shorter

    def join(self, room: ModelRoom, members: Iterable[str], bounds: Bounds) -> None:
        for member in members:
            admitted = not self.large or self._admit(room, member, bounds)
            self.attentive_until[member] = room.ordinal + bounds.attention if admitted else 0

    def leave(self, members: Iterable[str]) -> None:
        for member in members:
            del self.attentive_until[member]
            self.indexed.discard(member)

    def become_large_or_small(self, room: ModelRoom, limit: int) -> None:
        before = self.large
        if _is_beyond(len(self.attentive_until), room, limit, 1):
            self.large = True
        elif not _is_beyond(len(self.attentive_until), room, limit, 0.75):
            self.large = False
        if self.large != before:
            self.indexed = set(self.attentive(room)) if self.large else set()
            self.derived = self.derived and self.large

    def cross(self, room: ModelRoom, limit: int) -> bool:
        """Whether the room has become derived: too many members are attentive."""
        self.become_large_or_small(room, limit)
        crossed = self.large and not self.derived and _is_beyond(len(self.attentive(room)), room, limit, 1)
        self.derived = self.derived or crossed
        return crossed

    def cross_back(self, room: ModelRoom, limit: int) -> None:
        if self.derived:
            self.indexed.intersection_update(self.attentive(room))
            self.derived = _is_beyond(len(self.indexed), room, limit, 0.75)

    def audience(self, room: ModelRoom) -> tuple[list[str], list[str]]:
        """Whom a countable message at the head is told, and whose attention it ends.

        A room of which most members are in the index is walked. So it may list a member who went
        out of the index with this very message, when the room was derived.
        """
        walked = not self.large or 2 * len(self.indexed) > len(self.attentive_until)
        heard = set(self.attentive_until) if walked else self.indexed
        ended = [member for member in heard if self.attentive_until[member] == room.ordinal]
        told = self.attentive(room)
        self.indexed.intersection_update(told)
        return told, ended

    def _admit(self, room: ModelRoom, member: str, bounds: Bounds) -> bool:
        """One more than may be told is admitted: so the next post sees that there are too many."""
        if not self.derived and _is_beyond(len(self.indexed), room, bounds.limit, 1):
            return False
        self.indexed.add(member)
        return True


def _is_beyond(members: int, room: ModelRoom, limit: int, share: float) -> bool:
    cells = members * (2 + len(room.tags))
    return members > int(limit * share) or cells > limit * share * CELLS_FOR_EACH

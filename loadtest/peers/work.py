"""A day of work for all peers: posts, reads, badges with and without tags, and receipts.

It is the day of `loadtest.bench.day`, whose badges are in turn over all rooms, over those with a
tag, and over those with two tags. After each fourth read the reader asks who has read the message.
`Truth` counts the same from the list of calls alone.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from loadtest.bench import day as days
from loadtest.bench.calls import message_id
from loadtest.bench.day import Day, DayCall, DaySize, Room
from loadtest.bench.population import AT_ONCE, all_of

RECEIPTS_EVERY = 4  # reads
SMALL_ROOM = 40  # members, at most
PAGE = 50  # readers in an answer


class Act(Enum):
    """What a call does, as the tables name it."""

    POST = "post"
    READ = "mark read"
    BADGE = "badge"
    TAG_BADGE = "badge by tags"
    RECEIPTS = "receipts"


@dataclass(frozen=True)
class PeerCall:
    """One call. `message`: the number of the one that is read, posted or asked about."""

    act: Act
    user: str
    room: str = ""
    message: int = 0
    tags: tuple[str, ...] = ()


class Answers(Protocol):
    """What the calls need of a peer. Messages are named by their ids, which rise within a room."""

    async def make_rooms(self, rooms: Sequence[Room]) -> None:
        """Create rooms with their tags and members."""

    async def post(self, room: str, message: str, user: str) -> None:
        """A message by `user`, unread to all other members. They are told of it."""

    async def mark_read(self, room: str, user: str, message: str) -> int:
        """The user has read up to `message`, and the members are told of it. Their badge now."""

    async def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        """Unread over the user's rooms that have every one of `tags`."""

    async def receipts(self, room: str, message: str) -> dict[str, int]:
        """Up to PAGE members who have read the message, and when, in Unix ms."""

    async def delete(self, room: str, message: str) -> None:
        """Delete a message: no member has it unread any more."""


class DayOfWork:
    """Rooms, and the calls of the warm-up and of the day."""

    def __init__(self, size: DaySize) -> None:
        day = Day(size)
        self.rooms = day.rooms
        self._tags: dict[str, list[list[str]]] = {}
        for room in day.rooms:
            for member in room.members:
                self._tags.setdefault(member, []).append(room.tags)
        self._asks = self._reads = 0
        self.warm_up = list(self._calls(day.warm_up))
        self.calls = list(self._calls(day.calls))

    def _calls(self, calls: Iterable[DayCall]) -> Iterator[PeerCall]:
        for call in calls:
            if call.kind is days.Kind.POST:
                yield PeerCall(Act.POST, call.user, call.room, call.message)
            elif call.kind is days.Kind.ASK:
                yield self._ask(call.user)
            else:
                yield PeerCall(Act.READ, call.user, call.room, call.message)
                self._reads += 1
                if self._reads % RECEIPTS_EVERY == 0:
                    yield PeerCall(Act.RECEIPTS, call.user, call.room, call.message)

    def _ask(self, user: str) -> PeerCall:
        self._asks += 1
        count = self._asks % 3
        if not count:
            return PeerCall(Act.BADGE, user)
        theirs = self._tags[user]
        return PeerCall(Act.TAG_BADGE, user, tags=tuple(theirs[self._asks % len(theirs)][:count]))


class Kind(Enum):
    """Calls that cost alike."""

    SMALL_POST = "post, small rooms"
    LARGE_POST = "post, large rooms"
    READ = Act.READ.value
    BADGE = Act.BADGE.value
    TAG_BADGE = Act.TAG_BADGE.value
    RECEIPTS = Act.RECEIPTS.value


def by_kind(calls: Iterable[PeerCall], rooms: Iterable[Room]) -> dict[Kind, list[PeerCall]]:
    """The same calls, those of one kind together; posts first, so that what is read is there."""
    sizes = {room.id: len(room.members) for room in rooms}
    found: dict[Kind, list[PeerCall]] = {kind: [] for kind in Kind}
    for call in calls:
        if call.act is Act.POST:
            found[Kind.SMALL_POST if sizes[call.room] <= SMALL_ROOM else Kind.LARGE_POST].append(call)
        else:
            found[Kind(call.act.value)].append(call)
    return found


def mean_members(calls: Sequence[PeerCall], rooms: Iterable[Room]) -> float:
    """Members of the room of each call, on the average; 0 without calls."""
    sizes = {room.id: len(room.members) for room in rooms}
    return sum(sizes[call.room] for call in calls) / len(calls) if calls else 0.0


class Truth:
    """What the counts are, from the list of calls alone."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._rooms: dict[str, list[Room]] = {}
        self._messages: dict[str, list[int]] = {}
        self._cursors: dict[tuple[str, str], int] = {}
        for room in rooms:
            self._messages[room.id] = []
            for member in room.members:
                self._rooms.setdefault(member, []).append(room)

    def note(self, calls: Iterable[PeerCall]) -> None:
        """That these calls were made, in this order."""
        for call in calls:
            if call.act is Act.POST:
                self._messages[call.room].append(call.message)
            if call.act in (Act.POST, Act.READ):
                key = call.user, call.room
                self._cursors[key] = max(self._cursors.get(key, 0), call.message)

    def badge(self, user: str, tags: Sequence[str] = ()) -> int:
        return sum(self._unread(user, room.id) for room in self._rooms[user] if set(tags) <= set(room.tags))

    def _unread(self, user: str, room: str) -> int:
        messages = self._messages[room]
        return len(messages) - bisect_right(messages, self._cursors.get((user, room), 0))

    async def wrong(self, peer: Answers) -> tuple[int, int]:
        """How many badges of the peer are wrong, and how many were asked for: two of each user."""
        asked = [(user, tags) for user, rooms in self._rooms.items() for tags in ((), tuple(rooms[0].tags))]
        found = await all_of(peer.badge(*one) for one in asked)
        return sum(badge != self.badge(*one) for badge, one in zip(found, asked, strict=True)), len(asked)


async def feed(peer: Answers, calls: Sequence[PeerCall]) -> None:
    """Make the calls, AT_ONCE of them at a time. Those of one room stay in order."""
    for start in range(0, len(calls), AT_ONCE):
        rooms: dict[str, list[PeerCall]] = {}
        for number, call in enumerate(calls[start : start + AT_ONCE]):
            rooms.setdefault(call.room or f"ask {number}", []).append(call)
        await asyncio.gather(*(_in_order(peer, theirs) for theirs in rooms.values()))


async def _in_order(peer: Answers, calls: Iterable[PeerCall]) -> None:
    for call in calls:
        await _make(peer, call)


def _make(peer: Answers, call: PeerCall) -> Awaitable[object]:
    message = message_id(call.message)
    if call.act is Act.POST:
        return peer.post(call.room, message, call.user)
    if call.act is Act.READ:
        return peer.mark_read(call.room, call.user, message)
    if call.act is Act.RECEIPTS:
        return peer.receipts(call.room, message)
    return peer.badge(call.user, call.tags)

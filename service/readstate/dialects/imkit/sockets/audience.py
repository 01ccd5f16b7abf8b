"""Who hears what: an index in memory of the sockets of this worker.

A *person* is a user of an app with at least one socket here. Which rooms a person is in is read from the store once, when the first
socket authenticates, and from then on followed in the stream of notices.

The race this file is about: the store's answer and the stream come over different connections. A join or leave that is heard while
the answer is under way may be older or newer than it. So what was heard since the question was put is kept and applied on top of the
answer. If it is older than the answer, the stream still holds whatever followed it, and the stream has the last word either way: a
join or leave is neither lost nor undone.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

Socket = TypeVar("Socket")

RELOADS_AT_ONCE = 32  # questions to the store at a time after a gap

RoomsOf = Callable[[str, str], Awaitable[Sequence[str]]]  # (app, user) -> rooms; may raise


class _Person(Generic[Socket]):
    __slots__ = ("changes", "key", "loading", "rooms", "sockets", "stale", "visitors")

    def __init__(self, app: str, user: str) -> None:
        self.key = (app, user)
        self.sockets: list[Socket] = []
        self.visitors = 0  # sockets that wait to be let in
        self.rooms: set[str] | None = None  # None: not known yet
        self.loading: asyncio.Task[None] | None = None
        self.changes: dict[str, bool] | None = None  # room -> joined (else left), heard while loading
        self.stale = False  # notices were lost while loading: the answer may be older than the loss


class Audience(Generic[Socket]):
    """The index. `rooms_of` asks the store for the rooms of a user and may raise; nothing else here waits for anything."""

    def __init__(self, rooms_of: RoomsOf) -> None:
        self._rooms_of = rooms_of
        self._people: dict[tuple[str, str], _Person[Socket]] = {}
        self._members: defaultdict[tuple[str, str], set[_Person[Socket]]] = defaultdict(set)

    # Sockets

    async def admit(self, app: str, user: str, socket: Socket) -> None:
        """Let `socket` hear the rooms of `user` from now on. The stream of `app` must be flowing already.

        Raises what `rooms_of` raises; the socket then hears nothing.
        """
        person = self._people.setdefault((app, user), _Person(app, user))
        person.visitors += 1
        try:
            if person.rooms is None:
                await self._load_together(person)
            person.sockets.append(socket)
        finally:
            person.visitors -= 1
            self._forget_if_gone(person)

    def dismiss(self, app: str, user: str, socket: Socket) -> None:
        """`socket` hears nothing any more. Harmless when it never did."""
        person = self._people.get((app, user))
        if person is not None and socket in person.sockets:
            person.sockets.remove(socket)
            self._forget_if_gone(person)

    def sockets_of(self, app: str, user: str) -> list[Socket]:
        person = self._people.get((app, user))
        return list(person.sockets) if person else []

    def count(self, app: str, user: str) -> int:
        """How many sockets of `user` hear, or wait to be let in."""
        person = self._people.get((app, user))
        return len(person.sockets) + person.visitors if person else 0

    def hearing(self, app: str, room: str) -> Iterator[Socket]:
        """The sockets of all members of `room`. Must be used up before the index changes."""
        for person in self._members.get((app, room), ()):
            yield from person.sockets

    def hears(self, app: str, room: str) -> bool:
        """Whether anybody here is in `room`."""
        return (app, room) in self._members

    def among(self, app: str, users: Iterable[str]) -> list[str]:
        """Those of `users` who have a socket here."""
        return [person.key[1] for person in self._present(app, users) if person.sockets]

    def members(self, app: str, room: str) -> list[str]:
        """Those members of `room` who have a socket here."""
        return [person.key[1] for person in self._members.get((app, room), ()) if person.sockets]

    # The stream, in its order

    def joined(self, app: str, room: str, members: Iterable[str]) -> None:
        for person in self._present(app, members):
            self._move(person, room, joined=True)

    def left(self, app: str, room: str, members: Iterable[str]) -> None:
        for person in self._present(app, members):
            self._move(person, room, joined=False)

    def room_deleted(self, app: str, room: str) -> None:
        for person in list(self._people.values()):
            if person.key[0] == app and (person.changes is not None or (person.rooms and room in person.rooms)):
                self._move(person, room, joined=False)

    async def reload(self, app: str) -> list[Socket]:
        """Notices of `app` were lost: ask anew for the rooms of everybody.

        Until the answer is there a person keeps the old rooms. Returns the sockets of those whose rooms the store did not tell; they
        hear nothing any more.
        """
        gate = asyncio.Semaphore(RELOADS_AT_ONCE)
        people = [person for person in self._people.values() if person.key[0] == app]
        lost = await asyncio.gather(*(self._reload(person, gate) for person in people))
        return [socket for sockets in lost for socket in sockets]

    # How

    async def _reload(self, person: _Person[Socket], gate: asyncio.Semaphore) -> list[Socket]:
        person.stale = True
        async with gate:
            try:
                await self._load_together(person)
            except Exception as error:
                logger.warning("the rooms of a user could not be read: %r", error)
                lost, person.sockets = person.sockets, []
                self._forget_if_gone(person)
                return lost
        return []

    async def _load_together(self, person: _Person[Socket]) -> None:
        # One question serves everybody who waits. Shielded, because one of them may give up.
        if person.loading is None:
            person.loading = asyncio.create_task(self._load(person))
        await asyncio.shield(person.loading)

    async def _load(self, person: _Person[Socket]) -> None:
        try:
            while True:
                person.stale, person.changes = False, {}
                rooms = set(await self._rooms_of(*person.key))
                if not person.stale:
                    break
            for room, is_in in person.changes.items():
                (rooms.add if is_in else rooms.discard)(room)
            self._settle(person, rooms)
        finally:
            person.loading = person.changes = None

    def _settle(self, person: _Person[Socket], rooms: set[str]) -> None:
        if self._people.get(person.key) is not person:
            return  # everybody gave up while the store was thinking
        before = person.rooms or set()
        person.rooms = rooms
        for room in before - rooms:
            self._unlist(person, room)
        for room in rooms - before:
            self._members[person.key[0], room].add(person)

    def _present(self, app: str, members: Iterable[str]) -> list[_Person[Socket]]:
        return [person for member in members if (person := self._people.get((app, member)))]

    def _move(self, person: _Person[Socket], room: str, *, joined: bool) -> None:
        if person.changes is not None:
            person.changes[room] = joined
        if person.rooms is None:
            return
        if joined:
            person.rooms.add(room)
            self._members[person.key[0], room].add(person)
        elif room in person.rooms:
            person.rooms.remove(room)
            self._unlist(person, room)

    def _unlist(self, person: _Person[Socket], room: str) -> None:
        key = (person.key[0], room)
        self._members[key].discard(person)
        if not self._members[key]:
            del self._members[key]

    def _forget_if_gone(self, person: _Person[Socket]) -> None:
        if person.sockets or person.visitors or self._people.get(person.key) is not person:
            return
        del self._people[person.key]
        for room in person.rooms or ():
            self._unlist(person, room)

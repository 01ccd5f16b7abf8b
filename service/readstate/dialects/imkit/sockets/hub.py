"""Which connections of this worker receive the events of which room: an index in memory.

A *local user* is a user of an app who has a connection on this worker. The user's rooms are read
from the store once, when the first connection authenticates. After that the hub follows the stream
of notices.

The store's answer and the stream use different connections, so they race. A join or leave that
arrives while the hub waits for the answer may be older or newer than the answer. So these changes
are kept and applied on top of it. If a kept change is older than the answer, the later changes of
that room are still to come in the stream. In both cases the stream has the last word: no join or
leave is lost or undone.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

AnyConnection = TypeVar("AnyConnection")

RELOADS_AT_ONCE = 32  # requests to the store at a time after a gap


class RoomsOf(Protocol):
    """Asks the store for the rooms of a user. May raise."""

    async def __call__(self, *, app: str, user: str) -> Sequence[str]: ...


class _LocalUser(Generic[AnyConnection]):
    __slots__ = ("changes", "connections", "is_stale", "key", "loading", "pending", "rooms")

    def __init__(self, app: str, user: str) -> None:
        self.key = (app, user)
        self.connections: list[AnyConnection] = []
        self.pending = 0  # connections that wait for the rooms
        self.rooms: set[str] | None = None  # None: not known yet
        self.loading: asyncio.Task[None] | None = None
        self.changes: dict[str, bool] | None = None  # while loading: room -> joined, else left
        self.is_stale = False  # notices were lost while loading, so the answer may lack them


class Hub(Generic[AnyConnection]):
    """The index. Only methods that ask the store wait."""

    def __init__(self, rooms_of: RoomsOf) -> None:
        self._rooms_of = rooms_of
        self._users: dict[tuple[str, str], _LocalUser[AnyConnection]] = {}
        self._subscribers: defaultdict[tuple[str, str], set[_LocalUser[AnyConnection]]] = defaultdict(set)

    # Connections

    async def add(self, app: str, user: str, connection: AnyConnection) -> None:
        """Subscribe `connection` to the rooms of `user`.

        The stream of `app` must be flowing already.

        Raises what `rooms_of` raises; then the connection is not subscribed.
        """
        local = self._users.setdefault((app, user), _LocalUser(app, user))
        local.pending += 1
        try:
            if local.rooms is None:
                await self._load_shared(local)
            local.connections.append(connection)
        finally:
            local.pending -= 1
            self._forget_if_unused(local)

    def remove(self, app: str, user: str, connection: AnyConnection) -> None:
        """Unsubscribe `connection`, if it is subscribed."""
        local = self._users.get((app, user))
        if local is not None and connection in local.connections:
            local.connections.remove(connection)
            self._forget_if_unused(local)

    def connections_of(self, app: str, user: str) -> list[AnyConnection]:
        """The connections of `user`."""
        local = self._users.get((app, user))
        return list(local.connections) if local else []

    def count(self, app: str, user: str) -> int:
        """How many connections of `user` are subscribed or wait to be."""
        local = self._users.get((app, user))
        return len(local.connections) + local.pending if local else 0

    def subscribers(self, app: str, room: str) -> Iterator[AnyConnection]:
        """The connections of all members of `room`. Must be consumed before the index changes."""
        for local in self._subscribers.get((app, room), ()):
            yield from local.connections

    def has_subscribers(self, app: str, room: str) -> bool:
        """Whether a local user is a member of `room`."""
        return (app, room) in self._subscribers

    def local_users(self, app: str, users: Iterable[str]) -> list[str]:
        """Those of `users` who have a connection on this worker."""
        return [local.key[1] for local in self._local(app, users) if local.connections]

    def local_members(self, app: str, room: str) -> list[str]:
        """The members of `room` who have a connection on this worker."""
        return [local.key[1] for local in self._subscribers.get((app, room), ()) if local.connections]

    # Changes of membership, in the order of the stream

    def on_joined(self, app: str, room: str, members: Iterable[str]) -> None:
        """`members` have joined `room`."""
        for local in self._local(app, members):
            self._change(local, room, joined=True)

    def on_left(self, app: str, room: str, members: Iterable[str]) -> None:
        """`members` have left `room`."""
        for local in self._local(app, members):
            self._change(local, room, joined=False)

    def on_room_deleted(self, app: str, room: str) -> None:
        """All members have left `room`."""
        for local in list(self._users.values()):
            if local.key[0] == app and (local.changes is not None or (local.rooms and room in local.rooms)):
                self._change(local, room, joined=False)

    async def reload(self, app: str) -> list[AnyConnection]:
        """Notices of `app` were lost: read the rooms of all its local users again.

        Until the answer arrives a user keeps the old rooms. Returns the connections of users whose
        rooms could not be read; they are not subscribed any more.
        """
        limit = asyncio.Semaphore(RELOADS_AT_ONCE)
        users = [local for local in self._users.values() if local.key[0] == app]
        lost = await asyncio.gather(*(self._reload(local, limit) for local in users))
        return [connection for connections in lost for connection in connections]

    async def _reload(self, local: _LocalUser[AnyConnection], limit: asyncio.Semaphore) -> list[AnyConnection]:
        local.is_stale = True
        async with limit:
            try:
                await self._load_shared(local)
            except Exception as error:
                logger.warning("the rooms of a user could not be read: %r", error)
                lost, local.connections = local.connections, []
                self._forget_if_unused(local)
                return lost
        return []

    async def _load_shared(self, local: _LocalUser[AnyConnection]) -> None:
        # All callers wait for one request to the store. It is shielded, because one of them may be
        # cancelled.
        if local.loading is None:
            local.loading = asyncio.create_task(self._load(local))
        await asyncio.shield(local.loading)

    async def _load(self, local: _LocalUser[AnyConnection]) -> None:
        try:
            while True:
                local.is_stale, local.changes = False, {}
                app, user = local.key
                rooms = set(await self._rooms_of(app=app, user=user))
                if not local.is_stale:
                    break
            for room, joined in local.changes.items():
                (rooms.add if joined else rooms.discard)(room)
            self._set_rooms(local, rooms)
        finally:
            local.loading = local.changes = None

    def _set_rooms(self, local: _LocalUser[AnyConnection], rooms: set[str]) -> None:
        if self._users.get(local.key) is not local:
            return  # all its connections were removed meanwhile
        before = local.rooms or set()
        local.rooms = rooms
        for room in before - rooms:
            self._unsubscribe(local, room)
        for room in rooms - before:
            self._subscribers[local.key[0], room].add(local)

    def _local(self, app: str, users: Iterable[str]) -> list[_LocalUser[AnyConnection]]:
        return [local for user in users if (local := self._users.get((app, user)))]

    def _change(self, local: _LocalUser[AnyConnection], room: str, *, joined: bool) -> None:
        if local.changes is not None:
            local.changes[room] = joined
        if local.rooms is None:
            return
        if joined:
            local.rooms.add(room)
            self._subscribers[local.key[0], room].add(local)
        elif room in local.rooms:
            local.rooms.remove(room)
            self._unsubscribe(local, room)

    def _unsubscribe(self, local: _LocalUser[AnyConnection], room: str) -> None:
        key = (local.key[0], room)
        self._subscribers[key].discard(local)
        if not self._subscribers[key]:
            del self._subscribers[key]

    def _forget_if_unused(self, local: _LocalUser[AnyConnection]) -> None:
        if local.connections or local.pending or self._users.get(local.key) is not local:
            return
        del self._users[local.key]
        for room in local.rooms or ():
            self._unsubscribe(local, room)

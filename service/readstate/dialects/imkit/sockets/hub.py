"""Which connections of this worker receive the events of which room: an index in memory.

A *local user* is a user of an app who has a connection on this worker. When the first one
authenticates, the worker subscribes to the user's notices, reads the rooms from the store, and
subscribes to the notices of these. After that the hub follows the notices.

A join or leave that arrives while the user is loaded may be older or newer than the store's answer.
So these changes are kept and applied on top of it. If a kept change is older than the answer, the
later changes are still to come.

That a user is in a room is announced twice: to the room, in the order of the room's notices, and to
the user. The room's notices count, if they are heard. What the user's notices say otherwise is
settled with the room (`joining`).
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from readstate.domain.notices import Notices, Topic
from readstate.errors import Unavailable

AnyConnection = TypeVar("AnyConnection")

LOADS_AT_MOST = 5  # of a user, when notices are lost meanwhile


class RoomsOf(Protocol):
    """Asks the store for the rooms of a user. May raise."""

    async def __call__(self, *, app: str, user: str) -> Sequence[str]: ...


class _Room(Generic[AnyConnection]):
    """A room of local users. They share its id: for a user of fifty rooms, ids of their own would
    take 4 KiB.
    """

    __slots__ = ("members", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.members: dict[_LocalUser[AnyConnection], None] = {}  # a small set takes three times as much


class _LocalUser(Generic[AnyConnection]):
    __slots__ = ("changes", "connections", "is_stale", "key", "loading", "pending", "rooms")

    def __init__(self, app: str, user: str) -> None:
        self.key = (app, user)
        self.connections: list[AnyConnection] = []
        self.pending = 0  # connections that wait for the rooms
        # None: not known yet. Each once, and for leaving them only: whether a user is in a room is
        # said by its members.
        self.rooms: list[_Room[AnyConnection]] | None = None
        self.loading: asyncio.Task[None] | None = None
        self.changes: dict[str, bool] = {}  # while loading: room -> joined, else left
        self.is_stale = False  # notices were lost while loading, so the answer may lack them

    @property
    def topic(self) -> Topic:
        return Topic.user(*self.key)


class Hub(Generic[AnyConnection]):
    """The index. Only `add` waits.

    To be set: `on_unsettled(app, user, room, is_member)`, what the user's notices say of a room,
    and its own may not have said; and `on_entered(app, user)`, a user is in one more room, of which
    some notices may have passed already.
    """

    def __init__(self, rooms_of: RoomsOf, notices: Notices) -> None:
        self._rooms_of = rooms_of
        self._notices = notices
        self.on_unsettled: Callable[[str, str, str, bool], None] = lambda app, user, room, is_member: None
        self.on_entered: Callable[[str, str], None] = lambda app, user: None
        self._users: dict[tuple[str, str], _LocalUser[AnyConnection]] = {}
        self._loading: set[_LocalUser[AnyConnection]] = set()
        self._rooms: dict[Topic, _Room[AnyConnection]] = {}

    # Connections

    async def add(self, app: str, user: str, connection: AnyConnection) -> None:
        """Subscribe `connection` to the rooms of `user`: it gets every later event.

        Raises what `rooms_of` raises, or Unavailable; then the connection is not subscribed.
        """
        local = self._users.setdefault((app, user), _LocalUser(app, user))
        local.pending += 1
        try:
            if local.rooms is None:
                await self._load_shared(local)
            if self._users.get(local.key) is not local:
                raise Unavailable("notices were lost")
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
        for local in self._members(app, room):
            yield from local.connections

    def has_subscribers(self, app: str, room: str) -> bool:
        """Whether a local user is a member of `room`."""
        return Topic.room(app, room) in self._rooms

    def is_member(self, app: str, user: str, room: str) -> bool:
        """Whether `user` is a local user and a member of `room`."""
        local = self._users.get((app, user))
        return local is not None and self._is_in(local, room)

    def local_members(self, app: str, room: str) -> list[str]:
        """The members of `room` who have a connection on this worker."""
        return [local.key[1] for local in self._members(app, room) if local.connections]

    # Changes of membership, in the order of the room

    def on_joined(self, app: str, room: str, members: Iterable[str]) -> None:
        """`members` have joined `room`."""
        for local in self._local(app, members):
            if local.rooms is None:
                local.changes[room] = True
            elif not self._is_in(local, room):
                self._enter_if_heard(local, room)
                self.on_entered(*local.key)

    def on_left(self, app: str, room: str, members: Iterable[str]) -> None:
        """`members` have left `room`."""
        for local in self._local(app, members):
            if local.rooms is None:
                local.changes[room] = False
            elif self._is_in(local, room):
                self._leave(local, room)

    def on_room_deleted(self, app: str, room: str) -> None:
        """All members have left `room`."""
        for local in list(self._members(app, room)):
            self._leave(local, room)
        for local in self._loading:
            if local.key[0] == app:
                local.changes[room] = False

    # Changes of membership, in the order of the user

    def on_membership(self, app: str, user: str, room: str, *, is_member: bool) -> None:
        """A notice of the user: they are a member of `room` from here on, or no longer."""
        local = self._users.get((app, user))
        if local is None:
            return
        if local.rooms is None:
            local.changes[room] = is_member
        else:
            self.on_unsettled(app, user, room, is_member)

    # Gaps

    def remove_concerned(self, topics: Collection[Topic]) -> list[AnyConnection]:
        """Notices of `topics` were lost: unsubscribe all whom they concern, and return these."""
        for local in self._loading:
            local.is_stale = True
        concerned: dict[_LocalUser[AnyConnection], None] = {}
        for kind, app, name in topics:
            if kind == "room":
                concerned.update(dict.fromkeys(self._members(app, name)))
            else:
                concerned.update((local, None) for local in self._local(app, [name]) if local.rooms is not None)
        lost: list[AnyConnection] = []
        for local in concerned:
            lost += local.connections
            local.connections = []
            self._forget(local)
        return lost

    # Loading

    async def _load_shared(self, local: _LocalUser[AnyConnection]) -> None:
        # All callers wait for one request to the store. It is shielded, because one of them may be
        # cancelled.
        if local.loading is None:
            local.loading = asyncio.create_task(self._load(local))
        await asyncio.shield(local.loading)

    async def _load(self, local: _LocalUser[AnyConnection]) -> None:
        self._loading.add(local)
        try:
            for _ in range(LOADS_AT_MOST):
                held: dict[Topic, None] = {}
                try:
                    rooms = await self._read_rooms(local, held)
                    if self._users.get(local.key) is not local:
                        return  # all its connections were removed meanwhile
                    if not local.is_stale:
                        self._set_rooms(local, rooms, held)
                        return
                finally:
                    self._notices.unsubscribe(held)
            raise Unavailable("notices were lost again and again")
        finally:
            local.loading = None
            self._loading.discard(local)

    async def _read_rooms(self, local: _LocalUser[AnyConnection], held: dict[Topic, None]) -> Collection[Topic]:
        """The user's rooms. They and the user are subscribed to then: that is `held`."""
        local.is_stale, local.changes = False, {}
        app, user = local.key
        await self._subscribe([local.topic], held)
        rooms = [Topic.room(app, room) for room in dict.fromkeys(await self._rooms_of(app=app, user=user))]
        await self._subscribe(rooms, held)
        return rooms

    async def _subscribe(self, topics: Collection[Topic], held: dict[Topic, None]) -> None:
        await self._notices.subscribe(topics)
        held.update(dict.fromkeys(topics))

    def _set_rooms(self, local: _LocalUser[AnyConnection], rooms: Collection[Topic], held: dict[Topic, None]) -> None:
        """The rooms are known. Their subscriptions are the index's from now on, not `held`."""
        app, user = local.key
        changes, local.changes, local.rooms = local.changes, {}, []
        del held[local.topic]
        for topic in rooms:
            if changes and not changes.pop(topic.name, True):
                continue
            if self._notices.is_heard(topic):
                del held[topic]
                self._enter(local, topic)
            else:  # the subscription was lost
                self.on_unsettled(app, user, topic.name, True)
        for room, joined in changes.items():
            if joined:
                self.on_unsettled(app, user, room, True)

    # The index

    def _local(self, app: str, users: Iterable[str]) -> list[_LocalUser[AnyConnection]]:
        return [local for user in users if (local := self._users.get((app, user)))]

    def _members(self, app: str, room: str) -> Collection[_LocalUser[AnyConnection]]:
        found = self._rooms.get(Topic.room(app, room))
        return found.members if found is not None else ()

    def _is_in(self, local: _LocalUser[AnyConnection], room: str) -> bool:
        return local in self._members(local.key[0], room)

    def _enter_if_heard(self, local: _LocalUser[AnyConnection], room: str) -> None:
        app, user = local.key
        topic = Topic.room(app, room)
        if self._notices.retain(topic):
            self._enter(local, topic)
        else:  # the room is not listened to any more, or the subscription was lost
            self.on_unsettled(app, user, room, True)

    def _enter(self, local: _LocalUser[AnyConnection], topic: Topic) -> None:
        assert local.rooms is not None
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = _Room(topic)
        room.members[local] = None
        local.rooms.append(room)

    def _leave(self, local: _LocalUser[AnyConnection], room: str) -> None:
        assert local.rooms is not None
        left = self._rooms[Topic.room(local.key[0], room)]
        local.rooms.remove(left)
        self._unsubscribe(local, [left])

    def _unsubscribe(self, local: _LocalUser[AnyConnection], rooms: Collection[_Room[AnyConnection]]) -> None:
        for room in rooms:
            del room.members[local]
            if not room.members:
                del self._rooms[room.topic]
        self._notices.unsubscribe([room.topic for room in rooms])

    def _forget_if_unused(self, local: _LocalUser[AnyConnection]) -> None:
        if not local.connections and not local.pending and self._users.get(local.key) is local:
            self._forget(local)

    def _forget(self, local: _LocalUser[AnyConnection]) -> None:
        del self._users[local.key]
        if local.rooms is not None:
            self._unsubscribe(local, local.rooms)
            self._notices.unsubscribe([local.topic])

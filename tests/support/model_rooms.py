"""Rooms and members in the model."""

from collections.abc import Mapping, Sequence

from readstate.domain.client_rules import Made
from readstate.domain.notices import (
    Joined,
    Left,
    Notice,
    RoomChanged,
    RoomDeleted,
)
from readstate.domain.rooms import MemberState, Room, Status, Subscriptions
from readstate.errors import LimitReached, RoomUnknown
from tests.support.model_room import ModelRoom, ref
from tests.support.model_world import World

MAX_INVITATIONS = 1000


class ModelRooms:
    """Implements domain.rooms.Rooms, as far as tests ask."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def create_room(
        self,
        *,
        app: str,
        room: str,
        tags: Sequence[str] = (),
        profile: Mapping[str, bytes] | None = None,
        members: Sequence[str] = (),
        by_client: bool = False,
    ) -> bool:
        rooms = self._world.rooms(app)
        created = room not in rooms
        if not created and by_client:
            return False
        if not created and rooms[room].by_client:
            self._take_over(app, room, tags, profile or {}, members)
            return False
        if created:
            before = self._world.buried.pop((app, room), None)
            head, ordinal = (before.head, before.ordinal) if before else (0, 0)
            rooms[room] = ModelRoom(
                self._world.now_ms(),
                head,
                ordinal,
                tuple(sorted(set(tags))),
                dict(profile or {}),
                floor=ordinal,
                by_client=by_client,
                term=before.term if before else None,
            )
            rooms[room].begin_term(self._world.term_of(app, room))
        self._world.announce_join(app, room, self._world.join(rooms[room], members))
        return created

    def _take_over(
        self, app: str, room: str, tags: Sequence[str], profile: Mapping[str, bytes], members: Sequence[str]
    ) -> None:
        """The room becomes what the backend says; messages stay, and so do its members' cursors."""
        there = self._world.rooms(app)[room]
        left = sorted(set(there.members) - set(members))
        for member in left:
            there.leave(member)
            self._world.removed[app, room, member] = self._world.now_ms()
        there.invited.clear()
        joined = self._world.join(there, members)
        there.tags, there.profile = tuple(sorted(set(tags))), dict(profile)
        there.status, there.by_client = Status.ACTIVE, False
        changes: list[Notice] = [*([Left(room, left)] if left else []), *([Joined(room, joined)] if joined else [])]
        self._world.publish(app, *changes, RoomChanged(room))

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        joined = self._world.join(self._world.room(app, room, made), members)
        self._world.announce_join(app, room, joined)
        return joined

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        there = self._world.room(app, room, made)
        invited = [user for user in dict.fromkeys(users) if user not in there.members and user not in there.invited]
        if len(there.invited) + len(invited) > MAX_INVITATIONS and invited:
            raise LimitReached
        there.invited.update(invited)
        return invited

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        there = self._world.room(app, room, made)
        there.invited.difference_update(members)
        left = [member for member in dict.fromkeys(members) if there.leave(member)]
        self._world.removed.update({(app, room, member): self._world.now_ms() for member in left})
        if left:
            self._world.publish(app, Left(room, left), RoomChanged(room))
        return left

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        there, wanted = self._world.room(app, room, made), tuple(sorted(set(tags)))
        changed = there.tags != wanted
        there.tags = wanted
        self._world.announce_change(app, room, changed)
        return changed

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        there = self._world.room(app, room, made)
        changed = there.status is not status
        there.status = status
        self._world.announce_change(app, room, changed)
        return changed

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        there = self._world.room(app, room, made)
        changed = any(there.profile.get(name) != value for name, value in profile.items())
        there.profile.update(profile)
        self._world.announce_change(app, room, changed)

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        try:
            there = self._world.room(app, room, made)
        except RoomUnknown:
            return False
        del self._world.rooms(app)[room]
        self._world.buried[app, room] = there
        self._world.removed.update({(app, room, member): self._world.now_ms() for member in there.members})
        self._world.publish(app, RoomDeleted(room))
        return True

    async def room(self, *, app: str, room: str, user: str | None = None) -> Room:
        there = self._world.room(app, room)
        return Room(
            room,
            there.status,
            there.tags,
            dict(there.profile),
            there.created_ms,
            there.head,
            len(there.members),
            ref(newest) if (newest := there.newest()) else None,
            there.state(user or "") if user in there.members else None,
            user in there.invited,
            there.by_client,
        )

    async def members(self, *, app: str, room: str, limit: int = 1000) -> list[MemberState]:
        there = self._world.room(app, room)
        return [there.state(member) for member in list(there.members)[:limit]]

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        return [room for room, there in self._world.rooms(app).items() if user in there.members]

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        """As coarse as allowed: every change of a room is a change for all its members."""
        changed = {
            room: at_ms for (where, room), at_ms in self._world.changed.items() if where == app and at_ms > since_ms
        }
        mine = set(await self.rooms_of(app=app, user=user))
        removed = [
            (room, at_ms) for (where, room, who), at_ms in self._world.removed.items() if (where, who) == (app, user)
        ]
        return Subscriptions(
            tuple((room, at_ms) for room, at_ms in changed.items() if room in mine),
            tuple((room, at_ms) for room, at_ms in removed if room not in mine and at_ms > since_ms),
        )

"""Rooms, their members, and who is in which."""

import contextlib
from collections.abc import Mapping, Sequence

from readstate.batches import in_batches
from readstate.domain.client_rules import Made
from readstate.domain.limits import MAX_MEMBERS_SHOWN
from readstate.domain.rooms import MemberState, Room, RoomSummary, Status, Subscriptions
from readstate.errors import Fault, RoomUnknown
from readstate.store import lua
from readstate.store.badges import RedisBadges
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.keys import Keys, OfRoom
from readstate.store.operations import Operations, after_a_change
from readstate.store.outbox import Outbox
from readstate.store.user_limits import UserLimits

MEMBERS_AT_ONCE = 100  # who come or go in one script
MAX_INVITATIONS = 1000  # open ones of a room
_TAKING_OVER = 2  # what create_room.lua answers when it has to be called again


class RedisRooms(Operations):
    """Implements domain.rooms.Rooms."""

    def __init__(
        self, executor: Executor, outbox: Outbox, bounds: Bounds, *, limits: UserLimits, badges: RedisBadges
    ) -> None:
        super().__init__(executor, outbox, bounds)
        self._user_limits = limits
        self._badges = badges

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
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client)
        first, rest = members[:MEMBERS_AT_ONCE], members[MEMBERS_AT_ONCE:]
        call = lua.create_room(
            app=app,
            tags=tags,
            settings=self._settings,
            by_client=by_client,
            profile=tuple((profile or {}).items()),
            joining=first,
            others=rest,
        )
        outcome = await self._change(call, app, room)
        with after_a_change():
            while outcome == _TAKING_OVER:  # one script lets only so many members leave
                outcome = await self._change(call, app, room)
            if rest and (outcome == 1 or not by_client):
                # A room that is deleted meanwhile was created all the same.
                with contextlib.suppress(RoomUnknown):
                    await self._add(app, room, rest, Made.ANYHOW)
        return outcome == 1

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        tags = (await self.room(app=app, room=room, user=None)).tags
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client, retags=False)
        return await self._add(app, room, members, made)

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        call = lua.invite(most=MAX_INVITATIONS, made=made, users=users)
        return await self._executor.call(call, Keys.room(app, room))

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        removed: list[str] = []
        for batch in in_batches(members, MEMBERS_AT_ONCE) if members else [()]:
            call = lua.remove_members(app=app, settings=self._settings, made=made, members=batch)
            with after_a_change(bool(removed)):
                removed += await self._change(call, app, room)
        return removed

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        size = (await self.room(app=app, room=room, user=None)).member_count
        members = await self._told_members(app, room, size)
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client)
        return await self._change(lua.set_tags(app=app, tags=tags, settings=self._settings, made=made), app, room)

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        return await self._change(lua.set_status(app=app, active=status is Status.ACTIVE, made=made), app, room)

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        call = lua.set_profile(app=app, made=made, profile=profile.items())
        await self._executor.call(call, Keys.room(app, room))

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        reply = await self._change(lua.delete_room(app=app, made=made), app, room)
        left = reply.left
        # The room is gone, whatever becomes of this: other members find out when they ask.
        with contextlib.suppress(Fault):
            while left > 0:
                left = await self._change(lua.sweep_room(app=app, limit=MEMBERS_AT_ONCE), app, room)
        return reply.deleted

    async def room(self, *, app: str, room: str, user: str | None = None) -> Room:
        return await self._executor.call(lua.room(app=app, user=user or ""), Keys.room(app, room))

    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]:
        return await self._ask_each(lua.room(app=app, user=user), app, rooms)

    async def room_summary_each(
        self,
        *,
        app: str,
        rooms: Sequence[str],
        user: str,
        tags: bool = False,
        fields: Sequence[str] = (),
        last_read: bool = False,
    ) -> list[RoomSummary | None]:
        with_tags = tags or last_read
        call = lua.room_summary(app=app, user=user, with_tags=with_tags, with_last_read=last_read, fields=fields)
        return await self._ask_each(call, app, rooms)

    async def members(self, *, app: str, room: str, limit: int = MAX_MEMBERS_SHOWN) -> list[MemberState]:
        return await self._executor.call(lua.members(limit=limit), Keys.room(app, room))

    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]:
        return [found or [] for found in await self._ask_each(lua.members(limit=limit), app, rooms)]

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        reply = await self._executor.call(lua.rooms(), Keys.user(app, user))
        return [*reply.rooms, *await self._still_in(app, user, reply.asked)]

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        call, key = lua.subscriptions(since_ms=since_ms), Keys.user(app, user)
        reply = await self._executor.call(call, key)
        if reply.news:
            await self._badges.badge(app=app, user=user)  # it visits the rooms that have news
            reply = await self._executor.call(call, key)
        large = dict(reply.derived)
        there = [(room, large[room]) for room in await self._still_in(app, user, tuple(large))]
        return Subscriptions((*reply.changed, *there), tuple(reply.removed))

    async def _told_members(self, app: str, room: str, size: int) -> list[str]:
        """Members of a room of `size` who may be told of a change; none when they are too many."""
        key = Keys.room(app, room)
        if size <= self._limit:
            fields = await self._executor.command("HKEYS", key, key=key)
            return [field.decode() for field in fields if field]  # "" is the head
        attentive = key + OfRoom.ATTENTIVE
        if await self._executor.command("SCARD", attentive, key=attentive) > self._limit + 1:
            return []
        return [member.decode() for member in await self._executor.command("SMEMBERS", attentive, key=attentive)]

    async def _add(self, app: str, room: str, members: Sequence[str], made: Made) -> list[str]:
        """Add members, some after the others, so that no script keeps the store busy for long.
        Returns the new ones.
        """
        added: list[str] = []
        for batch in in_batches(members, MEMBERS_AT_ONCE) if members else [()]:
            call = lua.add_members(app=app, settings=self._settings, made=made, members=batch)
            with after_a_change(bool(added)):
                added += await self._change(call, app, room)
        return added

    async def _still_in(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of `rooms`, of which the user's side may not know the end, that still exist.

        A room that was deleted meanwhile is taken off the list.
        """
        there = await self.among(app, user, rooms)
        # A question is answered, whatever becomes of this: a full store takes no writes, and the
        # next question tries again.
        with contextlib.suppress(Fault):
            for room in set(rooms).difference(there):
                await self._change(lua.refresh_members(app=app, at_least=0, users=[user]), app, room)
        return there

    async def among(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of the rooms that the user is a member of."""
        found = await self.room_summary_each(app=app, rooms=rooms, user=user)
        return [room.room for room in found if room is not None]

"""Rooms, their members, and who is in which."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from readstate.batches import in_batches
from readstate.domain.limits import MAX_MEMBERS_SHOWN
from readstate.domain.types import Made, MemberState, Room, RoomSummary, Status, Subscriptions
from readstate.errors import Fault, RoomUnknown
from readstate.store.decoding import message_ref, tag_set, text, texts, two_by_two
from readstate.store.executor import Executor, Part
from readstate.store.keys import Keys
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox
from readstate.store.states import SEPARATOR
from readstate.store.user_limits import UserLimits

MEMBERS_AT_ONCE = 100  # who come or go in one script
MAX_INVITATIONS = 1000  # open ones of a room
_TAKING_OVER = 2  # what create_room.lua answers when it has to be called again


class RedisRooms(Operations):
    """Implements domain.rooms.Rooms."""

    def __init__(
        self, executor: Executor, outbox: Outbox, *, limits: UserLimits, fanout_limit: int, journal: str
    ) -> None:
        super().__init__(executor, outbox)
        self._user_limits = limits
        self._limit = fanout_limit
        self._journal = journal

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
        fields: list[Part] = [part for item in (profile or {}).items() for part in item]
        args: list[Part] = [app, SEPARATOR.join(tags), self._limit, self._journal, int(by_client), len(fields)]
        first, rest = members[:MEMBERS_AT_ONCE], members[MEMBERS_AT_ONCE:]
        args += [len(first), *fields, *members]
        while (reply := await self._change("create_room", app, room, args)) == _TAKING_OVER:
            pass  # so many leave at a time
        if rest and (reply == 1 or not by_client):
            # A room that is deleted meanwhile was made, and is gone.
            with contextlib.suppress(RoomUnknown):
                await self._change_members(
                    "add_members", app, room, [app, self._limit, self._journal, Made.ANYHOW.value], rest
                )
        return bool(reply == 1)

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        tags = (await self.room(app=app, room=room, user=None)).tags
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client, retags=False)
        return await self._change_members(
            "add_members", app, room, [app, self._limit, self._journal, made.value], members
        )

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        args = [MAX_INVITATIONS, made.value, *users]
        return texts(await self._executor.call(self._scripts["invite"], [Keys.room(app, room)], args))

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        return await self._change_members("remove_members", app, room, [app, self._limit, made.value], members)

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        if (await self.room(app=app, room=room, user=None)).member_count <= self._limit:
            key = Keys.room(app, room)
            members = [
                text(field) for field in await self._executor.command("HKEYS", key, key=key) if field
            ]  # "" is the head
            await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client)
        return bool(
            await self._change("set_tags", app, room, [app, SEPARATOR.join(tags), self._limit, made.value]) == 1
        )

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        return bool(await self._change("set_status", app, room, [app, status.value, made.value]) == 1)

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        fields: list[Part] = [part for item in profile.items() for part in item]
        await self._executor.call(self._scripts["set_profile"], [Keys.room(app, room)], [app, made.value, *fields])

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        deleted, left = await self._change("delete_room", app, room, [app, made.value])
        # The room is gone, whatever becomes of this: who is not told finds out when they next ask for it.
        with contextlib.suppress(Fault):
            while left > 0:
                left = await self._change("sweep_room", app, room, [app, MEMBERS_AT_ONCE])
        return bool(deleted)

    async def room(self, *, app: str, room: str, user: str | None = None) -> Room:
        args = [user or ""]
        return _room(room, user, await self._executor.call(self._scripts["room"], [Keys.room(app, room)], args))

    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]:
        replies = await self._ask_each("room", app, rooms, [user])
        return [_room(room, user, reply) if reply else None for room, reply in zip(rooms, replies, strict=True)]

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
        replies = await self._ask_each("room_summary", app, rooms, [user, 2 if last_read else int(tags), *fields])
        return [
            _summary(room, user, fields, reply) if reply else None for room, reply in zip(rooms, replies, strict=True)
        ]

    async def members(self, *, app: str, room: str, limit: int = MAX_MEMBERS_SHOWN) -> list[MemberState]:
        return _members(await self._executor.call(self._scripts["members"], [Keys.room(app, room)], [limit]))

    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]:
        return [_members(flat) for flat in await self._ask_each("members", app, rooms, [limit])]

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        rooms, derived = await self._executor.call(self._scripts["rooms"], [Keys.user(app, user)], [])
        return [*texts(rooms), *await self._in_derived(app, user, texts(derived))]

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        changed, derived, removed = await self._executor.call(
            self._scripts["subscriptions"], [Keys.user(app, user)], [since_ms]
        )
        large = dict(_rooms_at(derived))
        there = [(room, large[room]) for room in await self._in_derived(app, user, tuple(large))]
        return Subscriptions((*_rooms_at(changed), *there), _rooms_at(removed))

    async def _change_members(
        self, script: str, app: str, room: str, args: Sequence[Part], members: Sequence[str]
    ) -> list[str]:
        """Run a script for some members after the others, so that none keeps the store busy for long; all that the runs answer."""
        changed: list[str] = []
        for batch in in_batches(members, MEMBERS_AT_ONCE) if members else [()]:
            changed += texts(await self._change(script, app, room, [*args, *batch]))
        return changed

    async def _in_derived(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of the rooms that the user's side lists as derived that are there; one that was deleted meanwhile is taken off the list."""
        there = await self.among(app, user, rooms)
        # Who only asks is answered, whatever becomes of this: a full store takes nothing, and the next one to ask tries again.
        with contextlib.suppress(Fault):
            for room in set(rooms).difference(there):
                await self._change("retell", app, room, [app, 0, user])
        return there

    async def among(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of the rooms that the user is a member of."""
        found = await self.room_summary_each(app=app, rooms=rooms, user=user, tags=False, fields=())
        return [room.room for room in found if room is not None]


def _rooms_at(flat: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    return tuple((text(room), int(at_ms)) for room, at_ms in two_by_two(flat))


def _room(room: str, user: str | None, reply: Sequence[Any]) -> Room:
    active, tags, created_ms, seq, members, profile, last, me, invited, by_client = reply
    return Room(
        room=room,
        status=Status(active),
        tags=tag_set(tags),
        profile={text(name): bytes(value) for name, value in two_by_two(profile)},
        created_ms=created_ms,
        seq=seq,
        member_count=members,
        last=message_ref(last),
        me=MemberState(user or "", me[0], me[1], text(me[2]) or None, me[3], me[4] == 1, me[5] or None, me[6])
        if me
        else None,
        invited=invited == 1,
        by_client=by_client == 1,
    )


def _summary(room: str, user: str, fields: Sequence[str], reply: Sequence[Any]) -> RoomSummary:
    active, created_ms, last, unread, moved_ms, has_read, marked_ms, tags, profile, last_read = reply
    return RoomSummary(
        room=room,
        status=Status(active),
        created_ms=created_ms,
        last=message_ref(last),
        tags=tag_set(tags),
        profile={name: value for name, value in zip(fields, profile, strict=True) if value is not None},
        me=MemberState(user, 0, unread, text(last_read) or None, moved_ms, has_read == 1, marked_ms or None),
    )


def _members(flat: Sequence[Any]) -> list[MemberState]:
    return [
        MemberState(member=text(flat[i]), cursor=flat[i + 1], unread=flat[i + 2], last_read=text(flat[i + 3]) or None)
        for i in range(0, len(flat), 4)
    ]

"""What an export says of users and rooms, read while the service goes on.

The messages of a room are those up to its head when the look at it began. Its members are read
after that, and each of them says how far they had read of these messages. When many messages were
deleted together meanwhile, the room is looked at again: counts would fit to neither time.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from readstate.domain.transfer import EndLine, HolesLine, Line, MemberLine, MessageLine, RoomLine, StayLine, UserLine
from readstate.errors import Unavailable
from readstate.store import transfer_scripts as scripts
from readstate.store.executor import Executor, scan_hash
from readstate.store.keys import Keys, OfRoom, OfUser
from readstate.store.transfer_scripts import ExportedMember, ExportedMessage, ExportedRoom
from readstate.store.users import RedisUsers

_COUNTABLE, _DELETED, _RECALLED = 1, 2, 4  # of a message's kind (lua/lib/messages.lua)
_MESSAGES_AT_ONCE = 128
_MEMBERS_AT_ONCE = 100
_MOVES_AT_ONCE = 4000
_HOLES_AT_ONCE = 1000
_LOOKS = 5  # at a room that changes meanwhile


class RedisExport:
    """Reads one app."""

    def __init__(self, executor: Executor, app: str) -> None:
        self._executor = executor
        self._app = app
        self._users = RedisUsers(executor)

    async def users(self) -> AsyncIterator[str]:
        """The ids of all users who were created; one may come twice."""
        suffix = OfUser.USER_PROFILE
        async for key in self._executor.scan(Keys.user_profile(self._app, "*")):
            parsed = Keys.parse(key.removesuffix(suffix))
            if parsed and key.endswith(suffix):
                yield parsed[2]

    async def rooms(self) -> AsyncIterator[str]:
        """The ids of all rooms; one may come twice, and be deleted."""
        async for key in self._executor.scan(Keys.room(self._app, "*")):
            if parsed := Keys.parse(key):
                yield parsed[2]

    async def user(self, user: str) -> UserLine | None:
        """None when there is no such user any more."""
        found = (await self._users.users(app=self._app, users=[user])).get(user)
        if found is None:
            return None
        profile = {name: msgspec.Raw(value) for name, value in found.profile.items()}
        return UserLine(found.user, profile, found.updated_ms)

    async def room(self, room: str) -> list[Line]:
        """The lines of a room from its beginning to its end.

        Raises RoomUnknown, Unavailable when the room changes too much.
        """
        key = Keys.room(self._app, room)
        for _ in range(_LOOKS):
            look = _Look(self._executor, key, room, await self._executor.call(scripts.export_room(), key))
            lines: list[Line] = [line async for line in look.lines()]
            after = await self._executor.call(scripts.export_room(), key)
            if not look.late and _identity(after) == _identity(look.head):
                return [*lines, EndLine(room)]
        raise Unavailable(f"room {room} changes too quickly to be exported: its messages are deleted again and again")


def _identity(room: ExportedRoom) -> tuple[int, int]:
    return room.created_ms, room.floor_seq


class _Look:
    """One look at a room. `late`: somebody came back into it meanwhile."""

    def __init__(self, executor: Executor, key: str, room: str, head: ExportedRoom) -> None:
        self._executor = executor
        self._key = key
        self._room = room
        self.head = head
        self.late = False

    async def lines(self) -> AsyncIterator[Line]:
        pages = self._messages()
        first: list[ExportedMessage] = await anext(pages, [])
        before = first[0].ordinal - (first[0].kind & _COUNTABLE) if first else self.head.ordinal
        yield _room_line(self._room, self.head, first[0].seq - 1 if first else self.head.seq, before)
        async for holes in self._holes(before):
            yield HolesLine(holes)
        for message in first:
            yield _message_line(message)
        async for page in pages:
            for message in page:
                yield _message_line(message)
        async for member in self._members():
            yield member
        async for stay in self._stays():
            yield stay

    async def _messages(self) -> AsyncIterator[list[ExportedMessage]]:
        """In pages, none of which is empty."""
        for first in range(self.head.oldest, self.head.seq + 1, _MESSAGES_AT_ONCE):
            last = min(first + _MESSAGES_AT_ONCE - 1, self.head.seq)
            if page := await self._executor.call(scripts.export_messages(first=first, last=last), self._key):
                yield page

    async def _holes(self, last: int) -> AsyncIterator[list[int]]:
        """Those above the floor and up to the ordinal `last`."""
        above, holes = self.head.floor, self._key + OfRoom.HOLES
        while above < last:
            found = await self._executor.command(
                *("ZRANGEBYSCORE", holes, f"({above}", last, "LIMIT", 0, _HOLES_AT_ONCE), key=holes
            )
            if not found:
                return
            yield [int(hole) for hole in found]
            above = int(found[-1])

    async def _members(self) -> AsyncIterator[MemberLine]:
        for suffix in ("", OfRoom.LEAVERS):
            names: list[bytes] = []
            async for name, _ in scan_hash(self._executor, self._key + suffix, _MEMBERS_AT_ONCE):
                if name:  # "" is the head
                    names.append(name)
                if len(names) == _MEMBERS_AT_ONCE:
                    async for member in self._named(names):
                        yield member
                    names.clear()
            async for member in self._named(names):
                yield member

    async def _named(self, names: Sequence[bytes]) -> AsyncIterator[MemberLine]:
        while names:
            call = scripts.export_members(
                head=self.head.seq, ordinal=self.head.ordinal, most=_MOVES_AT_ONCE, names=names
            )
            reply = await self._executor.call(call, self._key)
            self.late = self.late or reply.late
            for member in reply.people:
                yield _member_line(member)
            names = names[reply.looked :]

    async def _stays(self) -> AsyncIterator[StayLine]:
        fields: list[bytes] = []
        async for field, _ in scan_hash(self._executor, self._key + OfRoom.LEAVERS, _MEMBERS_AT_ONCE):
            fields.append(field)
            if len(fields) == _MEMBERS_AT_ONCE:
                for stay in await self._executor.call(
                    scripts.export_stays(head=self.head.seq, fields=fields), self._key
                ):
                    yield StayLine(*stay)
                fields.clear()
        for stay in await self._executor.call(scripts.export_stays(head=self.head.seq, fields=fields), self._key):
            yield StayLine(*stay)


def _room_line(room: str, head: ExportedRoom, seq: int, ordinal: int) -> RoomLine:
    return RoomLine(
        room=room,
        created_ms=head.created_ms,
        tags=head.tags,
        profile={name: msgspec.Raw(value) for name, value in sorted(head.profile.items())},
        frozen=not head.active,
        by_client=head.by_client,
        invited=sorted(head.invited),
        seq=seq,
        ordinal=ordinal,
        floor_seq=head.floor_seq,
        floor=head.floor,
        deleted=head.deleted,
    )


def _message_line(message: ExportedMessage) -> MessageLine:
    return MessageLine(
        seq=message.seq,
        id=message.message,
        at_ms=message.at_ms,
        sender=message.sender,
        joined=message.joined if message.joined >= 0 else None,
        countable=bool(message.kind & _COUNTABLE),
        deleted=bool(message.kind & _DELETED),
        recalled=bool(message.kind & _RECALLED),
        hidden=message.hidden,
        acknowledged=message.acknowledged,
    )


def _member_line(member: ExportedMember) -> MemberLine:
    moves = zip(member.moves[::3], member.moves[1::3], member.moves[2::3], strict=True)
    return MemberLine(
        user=member.member,
        since=(member.since_cursor, member.since_ms),
        moves=[(cursor, at_ms) if exact else (cursor, at_ms, False) for cursor, at_ms, exact in moves],
        ordinal=member.ordinal,
        joined=member.joined,
        read=member.read,
        marked=member.marked,
        until_ms=member.until_ms,
        left=member.left,
    )

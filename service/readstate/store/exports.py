"""What an export says of users and rooms, read while the service goes on.

The messages of a room are those up to its head when the look at it began. Its members are read
after that, and each of them says how far they had read of these messages. When many messages were
deleted together meanwhile, the room is looked at again: counts would fit to neither time.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

import msgspec
from msgspec.structs import replace

from readstate.batches import as_batches
from readstate.domain.transfer import EndLine, HolesLine, Line, MemberLine, MessageLine, RoomLine, StayLine, UserLine
from readstate.errors import Unavailable
from readstate.store import transfer_scripts as scripts
from readstate.store.executor import Executor, escaped, scan_hash
from readstate.store.key_scan import keys_of
from readstate.store.keys import Keys, OfRoom, OfUser
from readstate.store.states import SEPARATOR
from readstate.store.transfer_scripts import ExportedMember, ExportedMessage, ExportedRoom
from readstate.store.users import RedisUsers

_COUNTABLE, _DELETED, _RECALLED = 1, 2, 4  # of a message's kind (lua/lib/messages.lua)
_MESSAGES_AT_ONCE = 128
_MEMBERS_AT_ONCE = 100
_COMPARED_AT_ONCE = 1000  # stays, with the name of one member
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
        async for key in keys_of(self._executor, Keys.user_profile(self._app, "*")):
            parsed = Keys.parse(key.removesuffix(suffix))
            if parsed and key.endswith(suffix):
                yield parsed[2]

    async def rooms(self) -> AsyncIterator[str]:
        """The ids of all rooms; one may come twice, and be deleted."""
        async for key in keys_of(self._executor, Keys.room(self._app, "*")):
            if parsed := Keys.parse(key):
                yield parsed[2]

    async def user(self, user: str) -> UserLine | None:
        """None when there is no such user any more."""
        found = (await self._users.users(app=self._app, users=[user])).get(user)
        if found is None:
            return None
        profile = {name: msgspec.Raw(value) for name, value in found.profile.items()}
        return UserLine(found.user, profile, found.updated_ms)

    async def room(
        self,
        room: str,
        keep: Callable[[Line], Line | None] = lambda line: line,
        *,
        after: int = 0,
        most: int | None = None,
        member: str | None = None,
    ) -> list[Line]:
        """The lines of a room from its beginning, or those behind the message `after`, to its end.

        `keep` gives what is wanted of a line, None for nothing; the look may be repeated. When
        there are `most` of what is wanted, it ends with the message then reached. `member`: no
        other's record and stays are read.
        Raises RoomUnknown, Unavailable when the room changes too much.
        """
        key = Keys.room(self._app, room)
        for _ in range(_LOOKS):
            head = await self._executor.call(scripts.export_room(), key)
            look = _Look(self._executor, key, room, head, after, member)
            lines = await _kept(look, keep, most)
            now = await self._executor.call(scripts.export_room(), key)
            if _identity(now) == _identity(look.head):
                return lines
        raise Unavailable(f"room {room} changes too quickly to be exported: its messages are deleted again and again")


async def _kept(look: "_Look", keep: Callable[[Line], Line | None], most: int | None) -> list[Line]:
    kept: list[Line] = []
    async with aclosing(look.lines()) as lines:
        async for line in lines:
            if one := keep(line):
                kept.append(one)
                if len(kept) == most and isinstance(line, MessageLine):
                    break
    return kept


def _identity(room: ExportedRoom) -> tuple[int, int]:
    return room.created_ms, room.floor_seq


class _Look:
    """One look at a room."""

    def __init__(
        self, executor: Executor, key: str, room: str, head: ExportedRoom, after: int, member: str | None
    ) -> None:
        self._executor = executor
        self._key = key
        self._room = room
        self.head = head
        self._after = after  # the seq behind which the lines begin; 0: with the room's own
        self._member = member  # the only one who is looked at; None: all
        self._members: dict[str, MemberLine] = {}
        self._stays: list[StayLine] = []

    async def lines(self) -> AsyncGenerator[Line, None]:
        pages = self._messages()
        first: list[ExportedMessage] = await anext(pages, [])
        if not self._after:
            before = first[0].ordinal - (first[0].kind & _COUNTABLE) if first else self.head.ordinal
            yield _room_line(self._room, self.head, first[0].seq - 1 if first else self.head.seq, before)
            async for holes in self._holes(before):
                yield HolesLine(holes)
        for message in first:
            yield _message_line(message)
        async for page in pages:
            for message in page:
                yield _message_line(message)
        await self._look_at_members()
        for member in self._members.values():
            yield member
        for stay in self._stays:
            yield stay
        yield EndLine(self._room)

    async def _messages(self) -> AsyncIterator[list[ExportedMessage]]:
        """In pages, none of which is empty."""
        for first in range(max(self.head.oldest, self._after + 1), self.head.seq + 1, _MESSAGES_AT_ONCE):
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

    async def _look_at_members(self) -> None:
        """Members, then those who have left, then their stays: who leaves or comes back meanwhile
        is met once at least.
        """
        stays: list[StayLine] = []
        if self._member is None:
            async for names in self._names(""):
                await self._add_members(names)
            fields = self._names(OfRoom.LEAVERS)
        else:
            await self._add_members([self._member.encode()])
            fields = self._names(OfRoom.LEAVERS, escaped(self._member + SEPARATOR) + "*")
        async for names in fields:
            await self._add_members(names)
            found = await self._executor.call(scripts.export_stays(head=self.head.seq, fields=names), self._key)
            stays += (StayLine(*stay) for stay in found)
        await self._add_members([stay.user.encode() for stay in stays])
        by_user = defaultdict[str, list[StayLine]](list)
        for stay in stays:
            by_user[stay.user].append(stay)
        for user, own in by_user.items():
            self._add_stays(user, own)
        # Of those who were away at the head and have come back, the stays alone tell anything.
        self._members = {user: one for user, one in self._members.items() if one.joined <= self.head.seq}

    def _names(self, suffix: str, matching: str = "*") -> AsyncIterator[list[bytes]]:
        at_once = _MEMBERS_AT_ONCE if matching == "*" else _COMPARED_AT_ONCE
        fields = scan_hash(self._executor, self._key + suffix, at_once, matching)
        return as_batches((name async for name, _ in fields if name), _MEMBERS_AT_ONCE)  # "" is the head

    async def _add_members(self, names: Sequence[bytes]) -> None:
        names = [name for name in dict.fromkeys(names) if name.decode() not in self._members]
        while names:
            call = scripts.export_members(
                head=self.head.seq, ordinal=self.head.ordinal, most=_MOVES_AT_ONCE, names=names
            )
            reply = await self._executor.call(call, self._key)
            self._members |= {one.member: _member_line(one) for one in reply.people}
            names = names[reply.looked :]

    def _add_stays(self, user: str, stays: Sequence[StayLine]) -> None:
        """The stays of a user that had ended."""
        member = self._members.get(user)
        if member is None:
            return
        if member.joined > self.head.seq:
            # They have come back since: as at the end of their last stay.
            last = max(stays, key=lambda stay: stay.joined)
            moves = tuple(move for move in member.moves if move[0] <= last.cursor)
            self._members[user] = replace(member, joined=last.joined, read=min(member.read, last.cursor), moves=moves)
        # One who was a member when they were looked at has left since.
        self._stays += (stay for stay in stays if member.left or stay.joined != member.joined)


def _room_line(room: str, head: ExportedRoom, seq: int, ordinal: int) -> RoomLine:
    return RoomLine(
        room=room,
        created_ms=head.created_ms,
        tags=head.tags,
        profile={name: msgspec.Raw(value) for name, value in sorted(head.profile.items())},
        frozen=not head.active,
        by_client=head.by_client,
        invited=tuple(sorted(head.invited)),
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
        acknowledged=tuple(message.acknowledged),
    )


def _member_line(member: ExportedMember) -> MemberLine:
    moves = zip(member.moves[::3], member.moves[1::3], member.moves[2::3], strict=True)
    return MemberLine(
        user=member.member,
        since=(member.since_cursor, member.since_ms),
        moves=tuple((cursor, at_ms) if exact else (cursor, at_ms, False) for cursor, at_ms, exact in moves),
        ordinal=member.ordinal,
        joined=member.joined,
        read=member.read,
        marked=member.marked,
        until_ms=member.until_ms,
        left=member.left,
    )

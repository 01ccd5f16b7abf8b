"""Users and rooms as an import brings them in.

A room is staged, message after message, and put in its place when it has all of them. Its members
follow in groups, each in one script with what their sides must know. So every invariant holds at
every moment, and an import that was broken off goes on where it was. What is there stays: a room of
another origin is left alone, and so is a user's field, or a member who joined meanwhile.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import msgspec

from readstate.batches import in_batches
from readstate.domain.transfer import HolesLine, MemberLine, MessageLine, OfRoom, RoomLine, StayLine, UserLine
from readstate.domain.transfer_checks import RoomChecks, check_user
from readstate.errors import RoomUnknown
from readstate.store import transfer_scripts as scripts
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.keys import OfRoom as RoomKey
from readstate.store.outbox import Outbox
from readstate.store.script_calls import Call
from readstate.store.users import UPDATED

_MESSAGES_AT_ONCE = 100
_MEMBERS_AT_ONCE = 50
_MOVES_AT_ONCE = 4000
_HOLES_AT_ONCE = 1000
_BEGINNINGS = 3  # of a room that is lost on the way, as when a store restarts without its newest data

_COUNTABLE, _DELETED, _RECALLED = 1, 2, 4  # of a message's kind (lua/lib/messages.lua)
_pack = msgspec.msgpack.Encoder().encode


class Imported(Enum):
    """What became of a room."""

    WHOLE = "imported"
    OTHER = "there already"  # of another origin, or from an import that has ended
    DELETED = "deleted since"


class RedisImport:
    """Writes into one app. `source`: the id of what is imported."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds, *, app: str, source: str) -> None:
        self._executor = executor
        self._outbox = outbox
        self._settings = bounds.as_settings()
        self._app = app
        self._source = source

    async def user(self, line: UserLine) -> None:
        """Create a user. Fields that are there stay. Raises Invalid."""
        check_user(line)
        key = Keys.user_profile(self._app, line.user)
        # The time comes last: a user without it is one whose import was broken off.
        fields = {name: bytes(value) for name, value in line.profile.items()}
        for name, value in (fields | {UPDATED: str(line.updated_ms).encode()}).items():
            await self._executor.command("HSETNX", key, name, value, key=key)

    async def room(self, room: RoomLine, lines: Sequence[OfRoom]) -> Imported:
        """Bring in a room with all of its lines. Raises Invalid before anything is written."""
        checks = RoomChecks(room)
        for line in lines:
            checks.check(line)
        checks.end()
        for _ in range(_BEGINNINGS):
            try:
                return await self._room(room, lines)
            except RoomUnknown:
                continue
        return Imported.DELETED

    async def _room(self, room: RoomLine, lines: Sequence[OfRoom]) -> Imported:
        """Raises RoomUnknown when it has gone meanwhile."""
        key = Keys.room(self._app, room.room)
        staged = await self._executor.call(self._beginning(room), key)
        if staged.state == _THERE:
            return Imported.OTHER
        if staged.state == _DELETED_SINCE:
            return Imported.DELETED
        if staged.state == _STAGED:
            await self._messages(key, room, lines, staged.seq)
            if not await self._executor.call(scripts.import_head(source=self._source), key):
                return Imported.OTHER
        await self._members(room.room, [line for line in lines if isinstance(line, MemberLine)], [])
        await self._members(room.room, [], [line for line in lines if isinstance(line, StayLine)])
        await self._executor.command("DEL", key + RoomKey.STAGED, key=key)
        return Imported.WHOLE

    def _beginning(self, room: RoomLine) -> Call[scripts.Staged]:
        return scripts.import_room(
            source=self._source,
            created_ms=room.created_ms,
            seq=room.seq,
            ordinal=room.ordinal,
            floor_seq=room.floor_seq,
            floor=room.floor,
            deleted=room.deleted,
            active=not room.frozen,
            by_client=room.by_client,
            tags=sorted(set(room.tags)),
            profile=[(name, bytes(value)) for name, value in room.profile.items()],
            invited=room.invited,
        )

    async def _messages(self, key: str, room: RoomLine, lines: Sequence[OfRoom], after: int) -> None:
        """Stage the holes, and the messages behind seq `after`."""
        holes = [hole for line in lines if isinstance(line, HolesLine) for hole in line.ordinals]
        for batch in in_batches(holes, _HOLES_AT_ONCE):
            await self._executor.call(scripts.import_messages(source=self._source, holes=batch, messages=[]), key)
        packed = list(_packed_messages(room, lines, after))
        for some in in_batches(packed, _MESSAGES_AT_ONCE):
            await self._executor.call(scripts.import_messages(source=self._source, holes=[], messages=some), key)

    async def _members(self, room: str, members: Sequence[MemberLine], stays: Sequence[StayLine]) -> None:
        for batch in _by_moves(members):
            await self._bring_in(room, [_packed_member(member) for member in batch], [])
        for some in in_batches(stays, _MEMBERS_AT_ONCE):
            await self._bring_in(room, [], [_pack([one.user, one.joined, one.cursor, one.ended_ms]) for one in some])

    async def _bring_in(self, room: str, members: Sequence[bytes], stays: Sequence[bytes]) -> None:
        call = scripts.import_members(
            app=self._app, source=self._source, settings=self._settings, members=members, stays=stays
        )
        await self._outbox.change(call, self._app, room)


_STAGED, _THERE, _DELETED_SINCE = 0, 2, 3  # what import_room.lua answers


def _packed_messages(room: RoomLine, lines: Iterable[OfRoom], after: int) -> Iterator[bytes]:
    """As import_messages.lua takes them."""
    ordinal = room.ordinal
    for line in lines:
        if not isinstance(line, MessageLine):
            continue
        ordinal += line.countable
        if line.seq <= after:
            continue
        kind = _COUNTABLE * line.countable + _DELETED * line.deleted + _RECALLED * line.recalled
        acknowledged = [
            part
            for user, joined, at_ms in line.acknowledged
            for part in (user, joined, max(at_ms - room.created_ms, 0))
        ]
        hidden = int(line.hidden or line.deleted)
        joined = -1 if line.joined is None else line.joined
        yield _pack([line.seq, ordinal, kind, hidden, line.at_ms, joined, line.id, line.sender, acknowledged])


def _packed_member(member: MemberLine) -> bytes:
    """As import_members.lua takes it."""
    moves = [part for move in member.moves for part in (move[0], move[1], int(len(move) == 2 or bool(move[2])))]
    ordinal = -1 if member.ordinal is None else member.ordinal
    places = (member.read, member.joined, member.marked)
    return _pack([member.user, int(member.left), ordinal, *places, member.until_ms, *member.since, moves])


def _by_moves(members: Sequence[MemberLine]) -> Iterator[list[MemberLine]]:
    """In groups of so few that a script has little to do."""
    batch: list[MemberLine] = []
    moves = 0
    for member in members:
        if batch and (len(batch) == _MEMBERS_AT_ONCE or moves + len(member.moves) > _MOVES_AT_ONCE):
            yield batch
            batch, moves = [], 0
        batch.append(member)
        moves += len(member.moves)
    if batch:
        yield batch

"""All that the store has of one user, for them to read: as lines of an export, and lines about
tokens and events, which no export has. It can be had in pages.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from readstate.domain.direct import peers_of
from readstate.domain.events import ReadEvent
from readstate.domain.personal_data import CopyLine, EventLine, PersonLine, TokenLine
from readstate.domain.transfer import EndLine, Line, MemberLine, MessageLine, RoomLine, StayLine
from readstate.errors import RoomUnknown
from readstate.store import lua
from readstate.store.executor import Executor, escaped, scan_hash
from readstate.store.exports import RedisExport
from readstate.store.key_scan import KeyScan, ScanPosition
from readstate.store.keys import EVENT_SHARDS, Keys, OfRoom, OfShard
from readstate.store.states import SEPARATOR
from readstate.store.tokens import RedisTokens

_AT_ONCE = 500
_LINES_A_PAGE = 2_000
_LOOKED_AT_A_PAGE = 10_000  # keys and what is in rooms; a page ends behind the room with which it is reached
_AROUND = 2  # the beginning and the end of a room, which alone tell nothing


class Position(Struct, frozen=True, array_like=True):
    """Where the next page begins: among the rooms that one step of the scan finds; without
    `scan`, with the events.
    """

    scan: ScanPosition | None
    found: Annotated[str, Meta(max_length=32)] = ""  # digest of these rooms: others are begun anew
    room: Annotated[str, Meta(max_length=512)] = ""  # the last one of them that was shown
    seq: Annotated[int, Meta(ge=0, lt=2**53)] = 0  # up to which; 0: whole


class SomeLines(NamedTuple):
    """A page. `position` is None on the last one."""

    lines: Sequence[PersonLine]
    looked_at: int
    position: Position | None


class RedisPerson:
    """One user of one app."""

    def __init__(self, executor: Executor, app: str, user: str) -> None:
        self._executor = executor
        self._app = app
        self._user = user
        self._exports = RedisExport(executor, app)

    async def exists(self) -> bool:
        """Whether they were created, or are in a room."""
        key = Keys.user(self._app, self._user)
        return bool(await self._executor.command("EXISTS", key, Keys.user_profile(self._app, self._user), key=key))

    async def side(self) -> list[PersonLine]:
        """Profile, tokens and rooms, as the user's side has them."""
        key = Keys.user(self._app, self._user)
        lines: list[PersonLine] = []
        if profile := await self._exports.user(self._user):
            lines.append(profile)
        tokens = await RedisTokens(self._executor).tokens(app=self._app, user=self._user)
        lines += [TokenLine(one.token_id, one.created_ms, one.expires_s * 1000, one.bound) for one in tokens]
        copies = await self._executor.call(lua.copies(rooms=()), key)
        return lines + [CopyLine(one.room, one.cursor, one.unread, one.tags) for one in copies]

    async def everything(self) -> AsyncIterator[PersonLine]:
        """The same, and all that rooms and events tell of them. Looks at every room."""
        page = await self.page(None)
        while True:
            for line in page.lines:
                yield line
            if page.position is None:
                return
            page = await self.page(page.position)

    async def page(self, position: Position | None) -> SomeLines:
        """Some of these lines, from a position on; None: from the beginning."""
        if position is None:
            scan = await KeyScan.begin(self._executor, self._rooms)
            return SomeLines(await self.side(), 0, Position(scan.position))
        if position.scan is not None:
            return await self._of_rooms(position)
        return await self._events()

    @property
    def _rooms(self) -> str:
        return Keys.room(self._app, "*")

    async def _of_rooms(self, position: Position) -> SomeLines:
        scan = await KeyScan.begin(self._executor, self._rooms, position.scan)
        lines: list[PersonLine] = []
        looked_at = 0
        while here := scan.position:
            rooms = sorted({parsed[2] for key in await scan.step() if (parsed := Keys.parse(key))})
            found = hashlib.sha256(msgspec.msgpack.encode(rooms)).hexdigest()[:16]
            if (position.scan, position.found) != (here, found):
                position = Position(here, found)
            looked_at += KeyScan.AT_ONCE
            for room in rooms:
                if room < position.room or (room == position.room and not position.seq):
                    continue
                after = position.seq if room == position.room else 0
                some, seq, cost = await self._of_room(room, after, max(_AROUND + 1, _LINES_A_PAGE - len(lines)))
                lines += some
                looked_at += cost
                if seq or looked_at >= _LOOKED_AT_A_PAGE or len(lines) >= _LINES_A_PAGE:
                    return SomeLines(lines, looked_at, replace(position, room=room, seq=seq))
            if looked_at >= _LOOKED_AT_A_PAGE:
                break
        return SomeLines(lines, looked_at, Position(scan.position))

    async def _of_room(self, room: str, after: int, most: int) -> tuple[list[Line], int, int]:
        """What a room tells of the user behind the seq `after`, if it tells anything; the seq up to
        which, 0: to its end; and how much was looked at: messages, moves, and those who have left.

        There are more than `most` lines only if the rest are not about messages.
        """
        looked_at = 1

        def about(line: Line) -> Line | None:
            nonlocal looked_at
            if isinstance(line, MessageLine | MemberLine):
                looked_at += 1 if isinstance(line, MessageLine) else len(line.moves)
            return self._about(line)

        leavers = Keys.room(self._app, room) + OfRoom.LEAVERS
        try:
            found = await self._exports.room(room, about, after=after, most=most, member=self._user)
            looked_at += await self._executor.command("HLEN", leavers, key=leavers)
        except RoomUnknown:
            return [], 0, looked_at
        first, last = found[0], found[-1]
        is_theirs = isinstance(first, RoomLine) and (first.invited or self._user in (peers_of(room) or ()))
        if not (after or is_theirs or len(found) > _AROUND):
            return [], 0, looked_at
        return found, last.seq if isinstance(last, MessageLine) else 0, looked_at

    def _about(self, line: Line) -> Line | None:
        """What a room's line says of the user, without any other; None when that is nothing."""
        user = self._user
        if isinstance(line, RoomLine):
            return RoomLine(line.room, line.created_ms, line.tags, invited=[user] if user in line.invited else ())
        if isinstance(line, MemberLine | StayLine):
            return line if line.user == user else None
        if isinstance(line, MessageLine):
            acknowledged = tuple(one for one in line.acknowledged if one[0] == user)
            if line.sender != user and not acknowledged:
                return None
            sender = user if line.sender == user else ""
            return replace(line, sender=sender, acknowledged=acknowledged)
        return line if isinstance(line, EndLine) else None

    async def _events(self) -> SomeLines:
        """Events that wait or were given up."""
        theirs = f"{escaped(self._app)}{SEPARATOR}*{SEPARATOR}{escaped(self._user)}"
        lines: list[PersonLine] = []
        looked_at = EVENT_SHARDS
        for key in map(Keys.events, range(EVENT_SHARDS)):
            for suffix in (OfShard.WAITING, OfShard.DEAD_LETTERS):
                looked_at += await self._executor.command("HLEN", key + suffix, key=key)
                async for _, packed in scan_hash(self._executor, key + suffix, _AT_ONCE, theirs):
                    event = msgspec.msgpack.decode(packed, type=tuple[ReadEvent, int, int, int | str])[0]
                    lines.append(EventLine(event.room, event.message, event.at_ms, suffix is OfShard.DEAD_LETTERS))
        return SomeLines(lines, looked_at, None)

"""All that the store has of one user, for them to read: as lines of an export, and lines about
tokens and events, which no export has.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import Struct

from readstate.domain.direct import peers_of
from readstate.domain.events import ReadEvent
from readstate.domain.transfer import EndLine, Line, MemberLine, MessageLine, RoomLine, StayLine
from readstate.errors import RoomUnknown
from readstate.store import lua
from readstate.store.executor import Executor, scan_hash
from readstate.store.exports import RedisExport
from readstate.store.keys import EVENT_SHARDS, Keys, OfShard
from readstate.store.tokens import RedisTokens

_AT_ONCE = 500


class TokenLine(Struct, frozen=True, tag="token"):
    """A token of the user; what it is made of is not shown."""

    token: str
    created_ms: int
    expires_ms: int
    custom: bool


class CopyLine(Struct, frozen=True, tag="copy"):
    """What the user's side knows of a room."""

    room: str
    cursor: int
    unread: int
    tags: Sequence[str]


class EventLine(Struct, frozen=True, tag="event"):
    """A read that waits to be told a receiver of webhooks, or was given up."""

    room: str
    message: str
    at_ms: int
    given_up: bool


PersonLine = Line | TokenLine | CopyLine | EventLine


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
        for line in await self.side():
            yield line
        async for room in self._exports.rooms():
            try:
                lines = await self._exports.room(room)
            except RoomUnknown:
                continue
            found = [one for line in lines if (one := self._about(line))]
            is_theirs = isinstance(lines[0], RoomLine) and self._user in (*lines[0].invited, *(peers_of(room) or ()))
            if is_theirs or len(found) > 2:  # more than its beginning and end
                for one in found:
                    yield one
        for shard in range(EVENT_SHARDS):
            async for event in self._events(Keys.events(shard)):
                yield event

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
            return msgspec.structs.replace(line, sender=sender, acknowledged=acknowledged)
        return line if isinstance(line, EndLine) else None

    async def _events(self, shard: str) -> AsyncIterator[EventLine]:
        for suffix in (OfShard.WAITING, OfShard.DEAD_LETTERS):
            async for _, packed in scan_hash(self._executor, shard + suffix, _AT_ONCE):
                event = msgspec.msgpack.decode(packed, type=tuple[ReadEvent, int, int, int | str])[0]
                if (event.app, event.member) == (self._app, self._user):
                    yield EventLine(event.room, event.message, event.at_ms, suffix is OfShard.DEAD_LETTERS)

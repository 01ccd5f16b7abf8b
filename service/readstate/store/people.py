"""Users as people: who they are, what the store has of them, and how all of that is erased.

A user who is erased leaves every room. What a room must keep of them, so that the counts of others
stay exact, is kept under a name that stands in: their ended stays with the journal, and who sent
which message. A one-to-one room whose id holds their name is deleted. Everything else goes.

Each step is one script or command over a bounded piece, and may be repeated; so may the whole. The
name that stands in is noted at the user's side first and goes last: an erasure that was broken off
and is begun anew has the same one. The parts of one erasure hand it on to each other.

All keys of the store are scanned. That can be done in parts, by calls that may come to any worker.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct

from readstate.batches import in_batches
from readstate.domain.client_rules import Made
from readstate.domain.direct import peers_of
from readstate.domain.identity import Revocation
from readstate.domain.limits import MAX_ID_BYTES
from readstate.domain.personal_data import new_stand_in
from readstate.domain.transfer import MessageLine
from readstate.errors import RoomUnknown, UserUnknown
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, escaped, scan_hash, scan_members, scan_stream
from readstate.store.exports import RedisExport
from readstate.store.key_scan import KeyScan, ScanPosition
from readstate.store.keys import EVENT_SHARDS, Keys, OfRoom, OfShard, OfUser
from readstate.store.outbox import Outbox
from readstate.store.states import SEPARATOR, State
from readstate.store.tokens import RedisTokens

_AT_ONCE = 16  # rooms
_ROOMS_A_PAGE = 50
_USERS_A_PAGE = 500
_KEYS_A_PAGE = 5_000
_SEQS_AT_ONCE = 100
_SENDERS_AT_ONCE = 8
_SCANNED_AT_ONCE = 500
_SENDERS = "s"  # what their fields in a room's log begin with (lua/lib/keys.lua)

_decode_revocation = msgspec.msgpack.Decoder(Revocation).decode
_pack = msgspec.msgpack.Encoder().encode


class RestOfErasure(Struct, frozen=True, array_like=True):
    """Where an erasure goes on, and the name that stands in."""

    position: ScanPosition
    name: Annotated[str, Meta(min_length=1, max_length=MAX_ID_BYTES)]


class Erased(NamedTuple):
    """What was done of an erasure; `rest` is None when it is over."""

    name: str
    rooms: int
    looked_at: int  # keys, and events at the end
    rest: RestOfErasure | None


class RedisPeople:
    """The people of one app."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds, app: str) -> None:
        self._executor = executor
        self._outbox = outbox
        self._settings = bounds.as_settings()
        self._app = app
        self._tokens = RedisTokens(executor)

    async def users(self) -> AsyncIterator[str]:
        """Everyone who was created or is in a room, each once."""
        known: set[str] = set()
        some, _, position = await self.some_users()
        while True:
            for user in some:
                if user not in known:
                    known.add(user)
                    yield user
            if position is None:
                return
            some, _, position = await self.some_users(position)

    async def some_users(self, position: ScanPosition | None = None) -> tuple[list[str], int, ScanPosition | None]:
        """Some of those who were created or are in a room, how many keys were looked at, and where
        the rest is; one may come twice.
        """
        scan = await KeyScan.begin(self._executor, Keys.user(self._app, "*") + "*", position)
        known: dict[str, None] = {}
        looked_at = 0
        while scan.position and len(known) < _USERS_A_PAGE and looked_at < _KEYS_A_PAGE:
            keys = await scan.step()
            looked_at += KeyScan.AT_ONCE
            parsed = (Keys.parse(key[: key.rindex("}") + 1]) for key in keys)
            known |= dict.fromkeys(one[2] for one in parsed if one)
        return list(known), looked_at, scan.position

    async def erase(self, user: str, name: str | None, advance: Callable[[int], None]) -> str:
        """Erase a user. Returns the name that stands in: `name`, or "erased", and random digits.

        `advance` is told of so many more rooms that were looked at. Raises what Executor.call does.
        """
        erased = await self.erase_some(user, name)
        advance(erased.rooms)
        while erased.rest:
            erased = await self.erase_some(user, name, erased.rest)
            advance(erased.rooms)
        return erased.name

    async def erase_some(self, user: str, name: str | None, rest: RestOfErasure | None = None) -> Erased:
        """Erase a user from some of the keys, and end the erasure behind the last of them.

        Raises what Executor.call does.
        """
        name = await self._noted_stand_in(user) or rest.name if rest else await self._stand_in(user, name)
        if rest is None:
            await self._end_tokens(user, name)
        elsewhere = _Elsewhere(self._executor, self._app, user)
        scan = await KeyScan.begin(self._executor, Keys.that_may_name_users(self._app), rest.position if rest else None)
        rooms = looked_at = 0
        while scan.position and rooms < _ROOMS_A_PAGE and looked_at < _KEYS_A_PAGE:
            keys = await scan.step()
            looked_at += KeyScan.AT_ONCE
            found = [parsed[2] for key in keys if (parsed := Keys.parse(key))]
            for batch in in_batches(found, _AT_ONCE):
                await asyncio.gather(*(self._room(room, user, name) for room in batch))
            await elsewhere.forget_keys(keys)
            rooms += len(found)
        if scan.position is None:
            await self._outbox.idle()
            rooms += await self._rooms_since(user, name)
            await self._end_tokens(user, name)
            looked_at += await elsewhere.forget_events()
            await self._side(user)
        return Erased(name, rooms, looked_at, RestOfErasure(scan.position, name) if scan.position else None)

    async def _noted_stand_in(self, user: str) -> str:
        """The one of an erasure that is under way. A part of one that is over must not note its own
        when it comes again.
        """
        key = Keys.user(self._app, user) + OfUser.STAND_IN
        found: bytes | None = await self._executor.command("GET", key, key=key)
        return found.decode() if found else ""

    async def _stand_in(self, user: str, name: str | None) -> str:
        key = Keys.user(self._app, user) + OfUser.STAND_IN
        made = new_stand_in(name)
        # In one command: another erasure of the same user may end at any moment.
        found: bytes | None = await self._executor.command("SET", key, made, "NX", "GET", key=key)
        return found.decode() if found else made

    async def _end_tokens(self, user: str, name: str) -> None:
        """End the user's tokens. Revocations are told apart by the tokens, and keep no name."""
        with contextlib.suppress(UserUnknown):
            await self._tokens.revoke_tokens(app=self._app, user=user, token_id=None)
        key = Keys.revocations(self._app)
        found = await self._executor.command("ZRANGE", key, 0, -1, "WITHSCORES", key=key)
        for packed, position in zip(found[::2], found[1::2], strict=True):
            revoked = _decode_revocation(packed)
            if revoked.user == user:
                renamed = _pack(Revocation(name, revoked.token_id, revoked.expires_s))
                await self._executor.command("ZADD", key, position, renamed, key=key)
                await self._executor.command("ZREM", key, packed, key=key)

    async def _room(self, room: str, user: str, name: str) -> None:
        if user in (peers_of(room) or ()):
            await self._direct_room(room, user)
            return
        key = Keys.room(self._app, room)
        leaving = lua.remove_members(app=self._app, settings=self._settings, made=Made.ANYHOW, members=[user])
        with contextlib.suppress(RoomUnknown):
            await self._outbox.change(leaving, self._app, room)
        await self._outbox.drain(self._app, room)
        own = escaped(user + SEPARATOR) + "*"
        chunks = await self._fields(key + OfRoom.JOURNALS, own)
        stays = await self._fields(key + OfRoom.LEAVERS, own)
        if stays and await self._is_in_use(key + OfRoom.LEAVERS, user, name):
            name = new_stand_in(name.rpartition("-")[0])
        call = lua.erase_member(user=user, stand_in=name, chunks=chunks, stays=stays, seqs=[])
        await self._executor.call(call, key)
        seqs = await self._fields(key + OfRoom.ACKNOWLEDGEMENTS, "*", having=user.encode())
        for batch in in_batches(seqs, _SEQS_AT_ONCE):
            call = lua.erase_member(user=user, stand_in=name, chunks=[], stays=[], seqs=batch)
            await self._executor.call(call, key)
        senders = await self._fields(key + OfRoom.MESSAGE_LOG, f"{_SENDERS}*", having=user.encode())
        numbers = [field.decode().removeprefix(_SENDERS) for field in senders]
        for some in in_batches(numbers, _SENDERS_AT_ONCE):
            await self._executor.call(lua.erase_sender(user=user, stand_in=name, numbers=some), key)

    async def _is_in_use(self, leavers: str, user: str, name: str) -> bool:
        """Whether the name stands in a room already, for a user who has come back there since."""
        return None not in await self._executor.command("HMGET", leavers, user, name, key=leavers)

    async def _fields(self, key: str, pattern: str, *, having: bytes = b"") -> list[bytes]:
        """Fields of a hash that match, and whose values have these bytes."""
        fields = scan_hash(self._executor, key, _SCANNED_AT_ONCE, matching=pattern)
        return sorted({field async for field, value in fields if having in value})

    async def _rooms_since(self, user: str, name: str) -> int:
        """The rooms that the user has come into after they were looked at. Returns how many."""
        copies = await self._executor.call(lua.copies(rooms=()), Keys.user(self._app, user))
        rooms = [copy.room for copy in copies if copy.state != State.GONE]
        for batch in in_batches(rooms, _AT_ONCE):
            await asyncio.gather(*(self._room(room, user, name) for room in batch))
        await self._outbox.idle()
        return len(rooms)

    async def _direct_room(self, room: str, user: str) -> None:
        """Delete a room whose id holds the user's name, and all that is kept of deleted ones."""
        key = Keys.room(self._app, room)
        messages = await self._message_keys(room)
        await self._outbox.change(lua.delete_room(app=self._app, made=Made.ANYHOW), self._app, room)
        await self._outbox.drain(self._app, room)
        await self._outbox.idle()
        for peer in peers_of(room) or ():
            if peer != user:
                await self._executor.call(lua.erase_copy(room=room), Keys.user(self._app, peer))
        elsewhere = _Elsewhere(self._executor, self._app, user)
        for batch in in_batches(messages, _SEQS_AT_ONCE):
            await elsewhere.forget_keys(batch)
        await self._executor.command("UNLINK", *Keys.beside(key), key=key)
        entered = Keys.pending_rooms_of(key)
        await self._executor.command("ZREM", entered, f"{self._app}:{room}", key=entered)

    async def _message_keys(self, room: str) -> list[str]:
        """Where it may be noted of its messages in which room they are."""
        with contextlib.suppress(RoomUnknown):
            lines = await RedisExport(self._executor, self._app).room(room)
            return [Keys.message(self._app, line.id) for line in lines if isinstance(line, MessageLine)]
        return []

    async def _side(self, user: str) -> None:
        """What is the user's own; the name that stood in goes last."""
        key = Keys.user(self._app, user)
        own = [one for one in Keys.beside(key) if one != key + OfUser.STAND_IN]
        await self._executor.command("UNLINK", *own, key=key)
        await self._executor.command("UNLINK", key + OfUser.STAND_IN, key=key)


class _Elsewhere:
    """What tells of a user in neither their own slot nor in rooms."""

    def __init__(self, executor: Executor, app: str, user: str) -> None:
        self._executor = executor
        self._app = app
        self._user = user

    async def forget_keys(self, keys: Sequence[str]) -> None:
        """Windows of the user's calls, and where messages are, if that room's id holds the name."""
        gone = [key for key in keys if Keys.is_window_of(key, self._user)]
        messages = [key for key in keys if key.startswith("{m:")]
        rooms = await asyncio.gather(*(self._executor.command("GET", key, key=key) for key in messages))
        for key, room in zip(messages, rooms, strict=True):
            if room and self._user in (peers_of(room.decode()) or ()):
                gone.append(key)
        for key in gone:
            await self._executor.command("UNLINK", key, key=key)

    async def forget_events(self) -> int:
        """Events for webhooks, those that wait and those that were given up. Returns how many of
        all were looked at.
        """
        return sum([await self._events(Keys.events(shard)) for shard in range(EVENT_SHARDS)])

    async def _events(self, shard: str) -> int:
        """Events for webhooks: those that come, those that wait, and what became of others."""
        looked_at = 0
        async for entry, fields in scan_stream(self._executor, shard, _SCANNED_AT_ONCE):
            looked_at += 1
            if fields and fields[0].decode() == self._app and self._is_of_user(*_place_of(fields[1])):
                await self._executor.command("XDEL", shard, entry, key=shard)
        for suffix, command in ((OfShard.WAITING, "HDEL"), (OfShard.DEAD_LETTERS, "HDEL")):
            async for membership, _ in scan_hash(self._executor, shard + suffix, _SCANNED_AT_ONCE):
                looked_at += 1
                await self._drop(command, shard + suffix, membership)
        for suffix in (OfShard.DUE, OfShard.DELIVERED_REVISIONS):
            async for membership in scan_members(self._executor, shard + suffix, _SCANNED_AT_ONCE):
                looked_at += 1
                await self._drop("ZREM", shard + suffix, membership)
        return looked_at

    async def _drop(self, command: str, key: str, membership: bytes) -> None:
        app, room, member = membership.decode().split(SEPARATOR)
        if app == self._app and self._is_of_user(room, member):
            await self._executor.command(command, key, membership, key=key)

    def _is_of_user(self, room: str, member: str) -> bool:
        return member == self._user or self._user in (peers_of(room) or ())


def _place_of(packed: bytes) -> tuple[str, str]:
    """Room and member of an event in a stream: the notice of a read stands first in it."""
    unpacker = msgspec.msgpack.Decoder(tuple[str, str, str, str, int])
    _, room, member, _, _ = unpacker.decode(packed[:-_BEHIND_NOTICE])
    return room, member


_BEHIND_NOTICE = 17  # bytes (ENTRY_LAYOUT in lua/lib/events.lua)

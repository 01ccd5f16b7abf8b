"""The audit: every copy is recomputed from its room, every counter from the copies, and what a room
holds is held against the rest of it (audit_rooms.py).

What is pending is pushed first. A copy is wrong only if it stayed the same while its room was
asked, and if no update of it is pending. So an audit can run while users post and read: a change
that is under way is no drift. A copy that is newer than its room is: a failover has set the room
back.

Rooms come first, then the copies, then the counters, so that no value is mended after another that
is wrong. Then the audit looks again: mended is what is found no more.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from readstate.domain.audit import Drift
from readstate.store import audit_scripts as scripts
from readstate.store import lua
from readstate.store.audit_rooms import RoomAudit
from readstate.store.audit_scripts import Difference
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, scan_hash
from readstate.store.key_scan import keys_of
from readstate.store.keys import Keys, OfUser
from readstate.store.lua import CopyReply, MemberStates, UserState
from readstate.store.outbox import Outbox
from readstate.store.reconciling import copy_of
from readstate.store.replies import UNREADABLE
from readstate.store.states import SEPARATOR, State

_MEMBERS_AT_ONCE = 500
_UNREADABLE = (*UNREADABLE, UnicodeDecodeError)
_ROUNDS = 4  # of looking again; what was mended may show something else

_USER_TYPES = {
    "": "hash",
    OfUser.TAG_SETS: "hash",
    OfUser.TAG_USES: "hash",
    OfUser.DERIVED_ROOMS: "set",
    OfUser.NEWS: "zset",
    OfUser.LEFT_ROOMS: "zset",
    OfUser.USER_PROFILE: "hash",
    OfUser.TOKENS: "hash",
}


class Compared(Struct):
    """How much an audit has looked at. A value is what was compared with what it must be."""

    rooms: int = 0
    users: int = 0
    messages: int = 0
    values: int = 0


class RedisAudit:
    """Implements domain.audit.Audit. `compared` counts everything that was looked at so far."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds) -> None:
        self._executor = executor
        self._outbox = outbox
        self._rooms = RoomAudit(executor, bounds.as_settings())
        self.compared = Compared()

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        """Everything that one user's side holds."""
        return await self._mended(lambda: self._user(app, user, repair, also_as_member=True), repair)

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        """One room: everything in it, and the copy of every member."""
        return await self._mended(lambda: self._room(app, room, repair), repair)

    async def audit_all(self, *, repair: bool = False, app: str | None = None) -> list[Drift]:
        """All rooms, then all users, of all apps or of one."""
        drifts: list[Drift] = []
        async for key in keys_of(self._executor, Keys.every_room):
            if (parsed := Keys.parse(key)) and app in (None, parsed[1]):
                drifts += await self.audit_room(app=parsed[1], room=parsed[2], repair=repair)
        async for key in keys_of(self._executor, Keys.every_user):
            if (parsed := Keys.parse(key)) and app in (None, parsed[1]):
                drifts += await self._other_user(parsed[1], parsed[2], repair)
        # A scan may come to the same room or user twice.
        return list({(drift.app, drift.user, drift.room, drift.what): drift for drift in drifts}.values())

    async def _other_user(self, app: str, user: str, repair: bool) -> list[Drift]:
        """A user whose copies of the rooms that they are in were compared with the rooms."""
        return await self._mended(lambda: self._user(app, user, repair, also_as_member=False), repair)

    async def _mended(self, look: Callable[[], Awaitable[list[Drift]]], repair: bool) -> list[Drift]:
        """What `look` finds, each once. With `repair` it is asked again until it finds nothing."""
        found = {(drift.user, drift.room, drift.what): drift for drift in await look()}
        if not (repair and found):
            return list(found.values())
        so_far, left = replace(self.compared), dict(found)
        for _ in range(_ROUNDS):
            left = {(drift.user, drift.room, drift.what): drift for drift in await look()}
            found |= {name: drift for name, drift in left.items() if name not in found}
            if not left:
                break
        self.compared = so_far
        return [replace(drift, mended=name not in left) for name, drift in found.items()]

    async def _room(self, app: str, room: str, repair: bool) -> list[Drift]:
        async def cursor_of(member: str) -> int | None:
            copy = await copy_of(self._executor, app, member, room)
            return None if copy.state == State.GONE else copy.cursor

        with contextlib.suppress(*UNREADABLE):
            await self._outbox.drain(app, room)
        try:
            looked = await self._rooms.look(app, room, cursor_of, repair=repair)
        except UNREADABLE as error:
            return [Drift(app, "", room, "room", f"what fails every script: {error}", "lost")]
        self.compared.rooms += looked.there
        self.compared.messages += self._rooms.messages
        self.compared.values += self._rooms.values
        self._rooms.messages = self._rooms.values = 0
        drifts = _drifts(app, "", room, looked.differences)
        if looked.has_members:
            async for member, _ in scan_hash(self._executor, Keys.room(app, room), _MEMBERS_AT_ONCE):
                if member:  # "" is the head
                    drifts += await self._membership(app, member.decode(errors="replace"), room, repair)
        return drifts

    async def _user(self, app: str, user: str, repair: bool, *, also_as_member: bool) -> list[Drift]:
        drifts = await self._side(app, user, repair)
        if drifts and not repair:
            return drifts  # the rest cannot be read
        copies: dict[str, CopyReply] = {}
        with contextlib.suppress(*_UNREADABLE):
            copies = await self._copies(app, user, ())
        for room in copies:
            drifts += await self._membership(app, user, room, repair, also_as_member=also_as_member)
        counters = await self._executor.call(scripts.audit_counters(repair=repair), Keys.user(app, user))
        self.compared.users += 1
        self.compared.values += counters.compared
        return drifts + _drifts(app, user, "", counters.differences)

    async def _side(self, app: str, user: str, repair: bool, rooms: Sequence[str] = ()) -> list[Drift]:
        """What of a user's side cannot be read; it is dropped with `repair`.

        `rooms`: whose copies are to give way to whatever the room tells next.
        """
        key = Keys.user(app, user)
        types = await self._executor.call(scripts.audit_types(repair=repair, types=list(_USER_TYPES.items())), key)
        self.compared.values += types.compared
        if types.differences and not repair:
            return _drifts(app, user, "", types.differences)
        copies = await self._executor.call(scripts.audit_copies(repair=repair, rooms=rooms), key)
        self.compared.values += copies.compared
        return _drifts(app, user, "", [*types.differences, *copies.differences])

    async def _membership(
        self, app: str, user: str, room: str, repair: bool, *, also_as_member: bool = True
    ) -> list[Drift]:
        """One user's copy of a room; without `also_as_member` only if they are no member of it."""
        # When a script fails, the audit of the room, or of the user's side, says why.
        with contextlib.suppress(*_UNREADABLE):
            return await self._compare(app, user, room, repair, also_as_member)
        if repair:
            with contextlib.suppress(*_UNREADABLE):
                await self._side(app, user, repair)
                return await self._compare(app, user, room, repair, also_as_member)
        return []

    async def _compare(self, app: str, user: str, room: str, repair: bool, also_as_member: bool) -> list[Drift]:
        before = await copy_of(self._executor, app, user, room)
        in_room, member = await self._ask(app, room, user)
        if member.pending:
            try:
                await self._outbox.push_pending(app, room, [user])
            except UNREADABLE as error:
                return [Drift(app, user, room, "pending", f"an update that fails: {error}", "")]
            await self._outbox.idle()
            before = await copy_of(self._executor, app, user, room)
            in_room, member = await self._ask(app, room, user)
        after = await copy_of(self._executor, app, user, room)
        if (member.state != State.GONE and not also_as_member) or member.pending or before != after:
            return []
        compared = _compared(before, member, in_room)
        self.compared.values += len(compared)
        wrong = [one for one in compared if one[1] != one[2]]
        if wrong and repair:
            await self._tell(app, user, room, before, in_room)
        return [Drift(app, user, room, *difference) for difference in wrong]

    async def _tell(self, app: str, user: str, room: str, copy: CopyReply, in_room: MemberStates) -> None:
        """Have the room tell a copy anew, and then recompute the counters from the copies."""
        await self._side(app, user, repair=True)
        if copy.revision > in_room.revision > 0:
            # The room may have lost what the copy knows.
            await self._outbox.reconcile(app, room, user)
        await self._side(app, user, repair=True, rooms=[room])
        await self._outbox.change(lua.refresh_members(app=app, at_least=0, users=[user]), app, room)
        await self._executor.call(scripts.audit_counters(repair=True), Keys.user(app, user))

    async def _copies(self, app: str, user: str, rooms: Sequence[str]) -> dict[str, CopyReply]:
        copies = await self._executor.call(lua.copies(rooms=rooms), Keys.user(app, user))
        return {copy.room: copy for copy in copies}

    async def _ask(self, app: str, room: str, user: str) -> tuple[MemberStates, UserState]:
        in_room = await self._executor.call(lua.member_states(users=[user]), Keys.room(app, room))
        (member,) = in_room.states
        return in_room, member


def _drifts(app: str, user: str, room: str, differences: Sequence[Difference]) -> list[Drift]:
    shown = [[part.decode(errors="backslashreplace") for part in one] for one in differences]
    return [Drift(app, user, room, what, stored, expected) for what, stored, expected in shown]


def _compared(copy: CopyReply, member: UserState, in_room: MemberStates) -> list[tuple[str, str, str]]:
    """(what, stored, expected) for everything in which a copy must be as its room says."""
    values = []
    if copy.revision > in_room.revision > 0:
        values.append(("stamp", str(copy.revision), str(in_room.revision)))
    asks = copy.news or copy.state == State.DERIVED
    if State.GONE in (member.state, copy.state):
        # A copy that makes its user ask is dropped then.
        if not (asks and member.state == State.GONE):
            values.append(("state", State(copy.state).name, State(member.state).name))
        return values
    if not copy.news:
        # A copy that lags may be of an earlier stay.
        values.append(("cursor", str(copy.cursor), str(member.cursor)))
    if asks:
        return values
    told = "told" if member.attentive and member.state != State.DERIVED else "not told"
    return [
        *values,
        ("state", State(copy.state).name, State(member.state).name),
        ("attention", "told", told),
        ("unread", str(copy.unread), str(member.unread)),
        ("tags", SEPARATOR.join(copy.tags), SEPARATOR.join(in_room.tags if member.state == State.ACTIVE else ())),
    ]

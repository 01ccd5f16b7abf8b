"""The audit: every copy is recomputed from its room, every counter from the copies.

What is pending is pushed first. A copy is wrong only if it stayed the same while its room was
asked, and if no update of it is pending. So an audit can run while users post and read: a change
that is under way is no drift. A copy that is newer than its room is: a failover has set the room
back.
"""

import contextlib
from collections.abc import Sequence

from msgspec import Struct

from readstate.domain.audit import Drift
from readstate.store import lua
from readstate.store.executor import Executor, scan_hash
from readstate.store.keys import Keys
from readstate.store.lua import CopyReply, Snapshot, UserState
from readstate.store.outbox import Outbox
from readstate.store.reconciling import copy_of
from readstate.store.replies import ScriptFailed
from readstate.store.states import SEPARATOR, State

_MEMBERS_AT_ONCE = 500


class Compared(Struct):
    """How much an audit has compared. A value is a counter, or a part of a copy."""

    rooms: int = 0
    users: int = 0
    values: int = 0


class RedisAudit:
    """Implements domain.audit.Audit. `compared` counts everything that was compared so far."""

    def __init__(self, executor: Executor, outbox: Outbox) -> None:
        self._executor = executor
        self._outbox = outbox
        self.compared = Compared()

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        """Everything that one user's side holds."""
        return await self._user(app, user, repair, also_as_member=True)

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        """One room: its own sums, and the copy of every member."""
        with contextlib.suppress(ScriptFailed):  # whose it is, is said below
            await self._outbox.drain(app, room)
        head = await self._executor.call(lua.audit_head(repair=repair), Keys.room(app, room))
        self.compared.rooms += head.compared > 0
        self.compared.values += head.compared
        drifts = [Drift(app, "", room, *difference) for difference in head.differences]
        async for member, _ in scan_hash(self._executor, Keys.room(app, room), _MEMBERS_AT_ONCE):
            if member:  # "" is the head
                drifts += await self._membership(app, member.decode(), room, repair)
        return drifts

    async def audit_all(self, *, repair: bool = False, app: str | None = None) -> list[Drift]:
        """All rooms, then all users, of all apps or of one."""
        drifts: list[Drift] = []
        async for key in self._executor.scan(Keys.every_room):
            if (parsed := Keys.parse(key)) and app in (None, parsed[1]):
                drifts += await self.audit_room(app=parsed[1], room=parsed[2], repair=repair)
        async for key in self._executor.scan(Keys.every_user):
            if (parsed := Keys.parse(key)) and app in (None, parsed[1]):
                # Their copies of rooms that they are in were compared with the rooms.
                drifts += await self._user(parsed[1], parsed[2], repair, also_as_member=False)
        # A scan may come to the same room or user twice.
        return list({(drift.app, drift.user, drift.room, drift.what): drift for drift in drifts}.values())

    async def _user(self, app: str, user: str, repair: bool, *, also_as_member: bool) -> list[Drift]:
        drifts = []
        for room in await self._copies(app, user, ()):
            drifts += await self._membership(app, user, room, repair, also_as_member=also_as_member)
        counters = await self._executor.call(lua.audit_counters(repair=repair), Keys.user(app, user))
        self.compared.users += 1
        self.compared.values += counters.compared
        return drifts + [Drift(app, user, "", *difference) for difference in counters.differences]

    async def _membership(
        self, app: str, user: str, room: str, repair: bool, *, also_as_member: bool = True
    ) -> list[Drift]:
        """One user's copy of a room; without `also_as_member` only if they are no member of it."""
        before = await copy_of(self._executor, app, user, room)
        snapshot, member = await self._ask(app, room, user)
        if member.pending:
            try:
                await self._outbox.push_pending(app, room, [user])
            except ScriptFailed as error:
                return [Drift(app, user, room, "pending", f"an update that fails: {error}", "")]
            await self._outbox.idle()
            before = await copy_of(self._executor, app, user, room)
            snapshot, member = await self._ask(app, room, user)
        after = await copy_of(self._executor, app, user, room)
        if (member.state != State.GONE and not also_as_member) or member.pending or before != after:
            return []
        compared = _compared(before, member, snapshot)
        self.compared.values += len(compared)
        wrong = [one for one in compared if one[1] != one[2]]
        if wrong and repair:
            call = lua.refresh_members(app=app, at_least=before.revision + 1, users=[user])
            await self._outbox.change(call, app, room)
        return [Drift(app, user, room, *difference) for difference in wrong]

    async def _copies(self, app: str, user: str, rooms: Sequence[str]) -> dict[str, CopyReply]:
        copies = await self._executor.call(lua.copies(rooms=rooms), Keys.user(app, user))
        return {copy.room: copy for copy in copies}

    async def _ask(self, app: str, room: str, user: str) -> tuple[Snapshot, UserState]:
        snapshot = await self._executor.call(lua.snapshot(users=[user]), Keys.room(app, room))
        (member,) = snapshot.states
        return snapshot, member


def _compared(copy: CopyReply, member: UserState, snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """(what, stored, expected) for everything in which a copy must be as its room says."""
    values = [("order", str(member.cursor) if member.ordered else "", str(member.cursor))]
    if copy.revision > snapshot.revision > 0:
        values.append(("stamp", str(copy.revision), str(snapshot.revision)))
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
        ("tags", SEPARATOR.join(copy.tags), SEPARATOR.join(snapshot.tags if member.state == State.ACTIVE else ())),
    ]

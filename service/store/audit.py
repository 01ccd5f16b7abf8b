"""The truth check: every copy recomputed from its room, every counter from the copies. It must never find anything.

A copy is wrong only if it stayed the same while its room was asked, is not newer than what the room said, and no news of it is under
way. So an audit can run while people post and read, and does not take what is merely in motion for a drift.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec import Struct

from service.domain.types import Drift
from service.store.connect import Caller
from service.store.keys import Keys
from service.store.outbox import Outbox
from service.store.states import State

_MEMBERS_AT_ONCE = 500


class _Copy(Struct, frozen=True):
    revision: int
    cursor: int
    unread: int
    state: int
    tags: bytes


class _Said(Struct, frozen=True):
    """What a room says of one member."""

    revision: int
    tags: bytes
    cursor: int
    unread: int
    state: int
    owed: bool
    ordered: bool


_NO_COPY = _Copy(revision=0, cursor=0, unread=0, state=State.GONE, tags=b"")


class Audit:
    """See the module."""

    def __init__(self, caller: Caller, outbox: Outbox) -> None:
        self._caller = caller
        self._outbox = outbox

    async def user(self, app: str, user: str, repair: bool) -> list[Drift]:
        """Everything that one user's side holds."""
        drifts = []
        for room in await self._copies(app, user, ()):
            drifts += await self._pair(app, user, room, repair)
        return drifts + await self._counters(app, user, repair)

    async def room(self, app: str, room: str, repair: bool) -> list[Drift]:
        """One room: its own sums, and the copy of every member."""
        head = await self._caller.call(self._caller.scripts["audit_head"], [Keys.room(app, room)], [int(repair)])
        drifts = [
            Drift(app=app, user="", room=room, what=name.decode(), stored=stored.decode(), expected=expected.decode())
            for name, stored, expected in zip(head[::3], head[1::3], head[2::3], strict=True)
        ]
        async for member in self._members(app, room):
            drifts += await self._pair(app, member, room, repair)
        return drifts

    async def everything(self, repair: bool) -> list[Drift]:
        """All rooms, then all users, of all apps."""
        drifts: list[Drift] = []
        async for key in self._caller.scan(Keys.every_room):
            if parsed := Keys.parse(key):
                drifts += await self.room(parsed[1], parsed[2], repair)
        async for key in self._caller.scan(Keys.every_user):
            if parsed := Keys.parse(key):
                drifts += await self.user(parsed[1], parsed[2], repair)
        return drifts

    async def _pair(self, app: str, user: str, room: str, repair: bool) -> list[Drift]:
        """One member's copy of one room."""
        before = (await self._copies(app, user, (room,))).get(room, _NO_COPY)
        said = await self._ask(app, room, user)
        after = (await self._copies(app, user, (room,))).get(room, _NO_COPY)
        if said.owed or before != after or (before.revision > said.revision > 0 and said.state != State.GONE):
            return []
        wrong = _differences(before, said)
        if wrong and repair:
            await self._outbox.change("retell", app, room, [app, before.revision + 1, user])
        return [Drift(app=app, user=user, room=room, what=what, stored=stored, expected=expected) for what, stored, expected in wrong]

    async def _counters(self, app: str, user: str, repair: bool) -> list[Drift]:
        flat = await self._caller.call(self._caller.scripts["audit_counters"], [Keys.user(app, user)], [int(repair)])
        return [
            Drift(app=app, user=user, room="", what=what.decode(), stored=stored.decode(), expected=expected.decode())
            for what, stored, expected in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        ]

    async def _copies(self, app: str, user: str, rooms: Sequence[str]) -> dict[str, _Copy]:
        flat = await self._caller.call(self._caller.scripts["copies"], [Keys.user(app, user)], rooms)
        return {
            flat[i].decode(): _Copy(revision=flat[i + 1], cursor=flat[i + 2], unread=flat[i + 3], state=flat[i + 4], tags=flat[i + 5])
            for i in range(0, len(flat), 6)
        }

    async def _ask(self, app: str, room: str, user: str) -> _Said:
        revision, tags, _, (_, cursor, unread, state, owed, ordered) = await self._caller.call(
            self._caller.scripts["snapshot"], [Keys.room(app, room)], [user]
        )
        return _Said(revision=revision, tags=tags, cursor=cursor, unread=unread, state=state, owed=owed == 1, ordered=ordered == 1)

    async def _members(self, app: str, room: str) -> AsyncIterator[str]:
        key = Keys.room(app, room)
        scan_cursor: Any = 0
        while True:
            scan_cursor, flat = await self._caller.command("HSCAN", key, scan_cursor, "COUNT", _MEMBERS_AT_ONCE, key=key)
            for member in filter(None, flat[::2]):  # one field is the head
                yield member.decode()
            if scan_cursor == b"0":
                return


def _differences(copy: _Copy, said: _Said) -> list[tuple[str, str, str]]:
    """(what, stored, expected) for everything in which a copy differs from what its room says."""
    wrong = []
    if not said.ordered:
        wrong.append(("order", "", str(said.cursor)))
    if said.state == State.GONE and copy.state == State.DERIVED:
        # The room was deleted while it was large; the entry counts nothing and is dropped when next asked for.
        return wrong
    if copy.state != said.state:
        wrong.append(("state", State(copy.state).name, State(said.state).name))
        return wrong
    if said.state == State.GONE:
        return wrong
    if copy.cursor != said.cursor:
        wrong.append(("cursor", str(copy.cursor), str(said.cursor)))
    if said.state != State.DERIVED and copy.unread != said.unread:
        wrong.append(("unread", str(copy.unread), str(said.unread)))
    if said.state == State.ACTIVE and copy.tags != said.tags:
        wrong.append(("tags", copy.tags.decode(), said.tags.decode()))
    return wrong

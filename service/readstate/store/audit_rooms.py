"""The audit of what is in a room's slot: head, messages, members, journals and the rest.

Each script looks at a piece of bounded size and compares within one moment, so nothing that is
under way is a difference. With `repair` it mends what it finds in the same moment.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct

from readstate.batches import in_batches
from readstate.store import audit_scripts as scripts
from readstate.store.audit_scripts import Compared, Difference
from readstate.store.executor import Executor, scan_names
from readstate.store.keys import Keys, OfRoom
from readstate.store.script_calls import Call

_TYPES = {
    "": "hash",
    OfRoom.ATTENTIVE: "set",
    OfRoom.BY_CURSOR: "zset",
    OfRoom.BY_JOINING: "zset",
    OfRoom.JOURNALS: "hash",
    OfRoom.LEAVERS: "hash",
    OfRoom.STAYS_BY_CURSOR: "zset",
    OfRoom.STAYS_BY_JOINING: "zset",
    OfRoom.ACKNOWLEDGEMENTS: "hash",
    OfRoom.UNREAD_OVERRIDES: "hash",
    OfRoom.MESSAGE_LOG: "hash",
    OfRoom.DELETED_SEQS: "zset",
    OfRoom.HOLES: "zset",
    OfRoom.PROFILE: "hash",
    OfRoom.DELETED_MEMBERS: "hash",
    OfRoom.INVITED: "set",
    OfRoom.PENDING: "hash",
    OfRoom.PENDING_EVENTS: "hash",
}
_AT_ONCE = 100  # of what a script looks at
_MESSAGES_AT_ONCE = 128

CursorOf = Callable[[str], Awaitable[int | None]]


class Looked(Struct, frozen=True):
    """What was found in a room."""

    differences: list[Difference]
    there: bool  # there is such a room, or something is left of it
    has_members: bool  # who can be read


class RoomAudit:
    """Looks at rooms. `messages` and `values` count what was looked at so far."""

    def __init__(self, executor: Executor, settings: str) -> None:
        self._executor = executor
        self._settings = settings
        self.messages = 0
        self.values = 0

    async def look(self, app: str, room: str, cursor_of: CursorOf, *, repair: bool) -> Looked:
        """Everything that differs in a room's slot.

        `cursor_of`: a member's cursor as their copy has it. Raises what Executor.call does.
        """
        key = Keys.room(app, room)
        types = await self._executor.call(scripts.audit_types(repair=repair, types=list(_TYPES.items())), key)
        found = self._note(types)
        if found and not repair:
            return Looked(found, there=True, has_members=False)  # the rest cannot be read
        there = {suffix.decode() for suffix in types.there}
        if OfRoom.PENDING in there:
            found += await self._each(
                key, OfRoom.PENDING, lambda names: scripts.audit_pending(repair=repair, members=names)
            )
        head = await self._executor.call(scripts.audit_head(repair=repair), key)
        found += self._note(head)
        if not head.exists:
            return Looked(found, there=bool(head.compared or found), has_members=False)
        found += await self._messages(key, repair)
        found += await self._members(key, cursor_of, repair)
        for suffix, call in _parts(repair):
            if suffix in there:
                found += await self._each(key, suffix, call)
        return Looked(found, there=True, has_members=True)

    async def _messages(self, key: str, repair: bool) -> list[Difference]:
        """The index first, so that what is missing there can be added."""
        found: list[Difference] = []
        fields = await self._executor.command("HKEYS", key + OfRoom.MESSAGE_LOG, key=key)
        for batch in in_batches(fields, _AT_ONCE):
            found += self._note(await self._executor.call(scripts.audit_index(repair=repair, fields=batch), key))
        below = 0
        while True:
            call = scripts.audit_messages(repair=repair, below=below, most=_MESSAGES_AT_ONCE)
            reply = await self._executor.call(call, key)
            found += self._note(reply)
            self.messages += reply.looked
            below = reply.below
            if not below:
                break
        for batch in in_batches(fields, _AT_ONCE):
            found += self._note(await self._executor.call(scripts.audit_chunks(repair=repair, fields=batch), key))
        return found

    async def _members(self, key: str, cursor_of: CursorOf, repair: bool) -> list[Difference]:
        found: list[Difference] = []
        async for names in scan_names(self._executor, key, "hash", _AT_ONCE):
            unhinted = [(name, "") for name in names if name]
            call = scripts.audit_members(repair=False, settings=self._settings, members=unhinted)
            different = self._note(await self._executor.call(call, key))
            found += different
            if different and repair:
                cursors = [(name, await cursor_of(name.decode(errors="replace"))) for name, _ in unhinted]
                hinted = [(name, "" if cursor is None else str(cursor)) for name, cursor in cursors]
                call = scripts.audit_members(repair=True, settings=self._settings, members=hinted)
                await self._executor.call(call, key)
        return found

    async def _each(self, key: str, suffix: str, call: Callable[[Sequence[bytes]], Call[Compared]]) -> list[Difference]:
        found: list[Difference] = []
        async for names in scan_names(self._executor, key + suffix, _TYPES[suffix], _AT_ONCE):
            for batch in in_batches(names, _AT_ONCE):
                found += self._note(await self._executor.call(call(batch), key))
        return found

    def _note(self, reply: Any) -> list[Difference]:
        self.values += reply.compared
        return list(reply.differences)


def _parts(repair: bool) -> list[tuple[OfRoom, Callable[[Sequence[bytes]], Call[Compared]]]]:
    """What is looked at name by name, and how."""

    def order(names: Sequence[bytes]) -> Call[Compared]:
        return scripts.audit_order(repair=repair, names=names)

    def stays(names: Sequence[bytes]) -> Call[Compared]:
        return scripts.audit_stays(repair=repair, names=names)

    return [
        (OfRoom.BY_CURSOR, order),
        (OfRoom.ATTENTIVE, order),
        (OfRoom.BY_JOINING, order),
        (OfRoom.INVITED, order),
        (OfRoom.JOURNALS, lambda names: scripts.audit_journals(repair=repair, chunks=names)),
        (OfRoom.LEAVERS, stays),
        (OfRoom.STAYS_BY_CURSOR, stays),
        (OfRoom.STAYS_BY_JOINING, stays),
        (OfRoom.UNREAD_OVERRIDES, lambda names: scripts.audit_marks(repair=repair, fields=names)),
        (OfRoom.ACKNOWLEDGEMENTS, lambda names: scripts.audit_acknowledgements(repair=repair, seqs=names)),
        (OfRoom.HOLES, lambda names: scripts.audit_holes(repair=repair, holes=names, deleted=())),
        (OfRoom.DELETED_SEQS, lambda names: scripts.audit_holes(repair=repair, holes=(), deleted=names)),
    ]

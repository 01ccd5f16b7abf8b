"""A room with something of everything, what damages it, and what an audit finds in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readstate.store.audit_rooms import RoomAudit
from readstate.store.audit_scripts import Difference
from readstate.store.bounds import DEFAULTS
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted

MEMBERS = ("ann", "bob", "cid", "dan")
TAGS = ("a", "b")


async def differences(executor: Executor, app: str, room: str) -> list[Difference]:
    """What the audit of a room's own slot finds."""

    async def no_copy(_: str) -> None:
        return None

    looked = await RoomAudit(executor, DEFAULTS.as_settings()).look(app, room, no_copy, repair=False)
    assert looked.has_members, f"there is no room {room}"
    return looked.differences


async def busy_room(store: RedisStore, app: str, room: str = "r", *, others: Sequence[str] = ()) -> None:
    """Messages of every kind, members who have read to different places, some who have left, one
    who came back, marks, acknowledgements and a count set by hand, and another room beside it.
    """
    await a_room(store, app, "other", members=("ann", "bob"), tags=("b",))
    await posted(store, app, "other", sender="bob")
    await a_room(store, app, room, members=(*MEMBERS, "eve", "fay", *others), tags=TAGS)
    for number in range(1, 41):
        await posted(
            store, app, room, message=f"m{number}", sender="bob" if number % 3 else "", countable=number % 5 > 0
        )
        for reader, step in (("ann", 2), ("cid", 7), ("fay", 4), ("eve", 9)):
            if number % step == 0:
                await store.reading.mark_read(app=app, room=room, user=reader, message=f"m{number}")
    await store.rooms.remove_members(app=app, room=room, members=("eve", "fay"))
    for message in ("m38", "m37", "m33"):
        await store.messages.delete_message(app=app, room=room, message=message)
    await store.messages.recall_message(app=app, room=room, message="m36", body="{}")
    await store.rooms.add_members(app=app, room=room, members=("fay", "gus"))
    for number in range(41, 45):
        await posted(store, app, room, message=f"m{number}", as_last=number != 43)
    await store.reading.mark_read(app=app, room=room, user="gus", message="m42")
    await store.reading.mark_read(app=app, room=room, user="fay", message="m43")
    await store.reading.acknowledge(app=app, room=room, user="cid", messages=["m41", "m42"])
    await store.reading.mark_unread(app=app, room=room, user="dan", message="m40")
    await store.outbox.idle()


class Planter:
    """Damages values of one room, and of the side of one of its members."""

    def __init__(self, executor: Executor, app: str, *, room: str = "r", user: str = "ann") -> None:
        self._executor = executor
        self.room = Keys.room(app, room)
        self.user = Keys.user(app, user)

    async def run(self, command: str, key: str, *parts: str | int | bytes) -> Any:
        """One command on `key`."""
        return await self._executor.command(command, key, *parts, key=key)

    async def edit(self, key: str, field: str | bytes, change: Callable[[bytes], bytes]) -> None:
        """Change the value of a field of a hash."""
        value = await self.run("HGET", key, field)
        assert value is not None, f"{key} has no field {field!r}"
        assert change(value) != value
        await self.run("HSET", key, field, change(value))

    async def head(self, **changes: int) -> None:
        """Change numbers of the room's head."""
        await self.edit(self.room, "", lambda head: with_numbers(head, HEAD, changes))

    async def record(self, member: str, **changes: int) -> None:
        """Change numbers of a member's record, which gets its wide form."""
        await self.edit(self.room, member, lambda record: with_numbers(widened(record), RECORD, changes))


def with_numbers(value: bytes, layout: Mapping[str, tuple[int, int]], changes: Mapping[str, int]) -> bytes:
    """A head or a record with other numbers."""
    for name, number in changes.items():
        at, size = layout[name]
        value = value[:at] + number.to_bytes(size, "big") + value[at + size :]
    return value


# Where the numbers stand, and their sizes.
HEAD = {
    "revision": (1, 7),
    "created": (8, 7),
    "seq": (15, 5),
    "ordinal": (20, 5),
    "member_count": (25, 4),
    "floor": (29, 5),
    "top_hole": (34, 5),
    "floor_seq": (39, 5),
    "deleted_count": (44, 5),
    "oldest": (49, 5),
    "buckets": (54, 3),
    "term": (57, 3),
    "flags": (60, 1),
}
RECORD = {
    "begins": (0, 1),
    "cursor": (1, 5),
    "ordinal": (6, 5),
    "attentive_until": (11, 5),
    "read": (16, 5),
    "joined": (21, 5),
    "at": (26, 6),
    "moves": (32, 4),
}
SHORT_SIZES = (1, 2, 2, 2, 2, 2, 5, 2)
SHORT_FORM = 2  # added to the first byte


def widened(record: bytes) -> bytes:
    """A member's record in its wide form."""
    if not record[0] & SHORT_FORM:
        return record
    wide, at = bytes([record[0] - SHORT_FORM]), 1
    for size, (_, wide_size) in zip(SHORT_SIZES[1:], list(RECORD.values())[1:], strict=True):
        wide += record[at : at + size].rjust(wide_size, b"\0")
        at += size
    return wide + record[at:]

"""Each script costs what its header says, in a small world and at the limits of the README:
commands and turns, no clock.

Two sizes, so that a product that the formula does not name is seen. On both plans, whose scripts
differ; each on one server, where all that a script does can be counted.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from readstate.domain.identity import FIRST_APP
from readstate.domain.receipts import Filter
from readstate.domain.rooms import Status
from readstate.store import lua, scripts
from readstate.store.apps import AppRegistry
from readstate.store.badges import DERIVED_AT_ONCE
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.lua_replies import OutcomeRow
from readstate.store.redis_store import redis_store
from readstate.store.rooms import MEMBERS_AT_ONCE
from readstate.store.script_calls import Call
from readstate.store.scripts import Plan
from readstate.store.states import SEPARATOR
from tests.support.calls import plain_call
from tests.support.costs import Cost, Counting, allowed, with_turns_counted
from tests.support.events import an_event, cleared, shard_of, written
from tests.support.rooms import posted
from tests.support.servers import Server

NAMES = sorted(path.stem for path in scripts.lua_dir().glob("*.lua"))
FANOUT_LIMIT = 256
JOURNAL = {"journal_moves": 1024, "journal_ms": 7_776_000_000}
LEAVE_AT_ONCE = 100  # of a room that is taken over
FORGOTTEN_AT_ONCE = 16  # rooms that a user left, when they leave another one

ON_THE_SPLIT_PLAN = {"pending"}
# So many more may be allowed than are counted at the limits, besides three times as many
SLACK = 25

Sizes = dict[str, int]


class World:
    """A store in which one script is counted."""

    def __init__(self, executor: Executor, app: str, script: str, *, large: bool) -> None:
        self.executor = executor
        self.app = app
        self.large = large
        self.script = script
        self.store = redis_store(executor, fanout_limit=FANOUT_LIMIT, message_history=2000)
        self._counting = Counting(executor)

    @property
    def counted(self) -> list[Cost]:
        return self._counting.counted

    def of(self, small: int, large: int) -> int:
        """The size that is tried."""
        return large if self.large else small

    async def count(self, work: Awaitable[Any]) -> Any:
        """Do `work`, in which the script that is tried runs."""
        await self.store.outbox.idle()
        return await self._counting.of(self.script, work)

    async def run(self, key: str, **arguments: Any) -> Any:
        """The script by itself, counted."""
        call: Call[Any] = getattr(lua, self.script)(**arguments)
        return await self.count(self.executor.call(plain_call(call.script, *call.args), key))

    async def room(self, members: int, *, tags: int = 0, others: int = 0, prefix: str = "t") -> list[str]:
        """Room r of so many members who are all in `others` further rooms of one tag each, and so
        have as many tag sets. Its members.
        """
        names = people(members)
        for number in range(others):
            await self.store.rooms.create_room(
                app=self.app, room=f"other{number}", tags=[f"o{number}"], profile={}, members=names
            )
        await self.store.rooms.create_room(app=self.app, room="r", tags=many(prefix, tags), profile={}, members=names)
        await self.store.outbox.idle()
        return names

    async def long_gone(self, names: Sequence[str], count: int = FORGOTTEN_AT_ONCE) -> None:
        """Let so many rooms that these users left over an hour ago be forgotten next."""
        for name in names:
            key = Keys.user(self.app, name)
            await self.executor.command(
                "ZADD", key + ":g", *(part for room in many("gone", count) for part in (1, room)), key=key
            )

    async def messages(self, count: int, *, room: str = "r", sender: str = "", prefix: str = "m") -> list[str]:
        """So many messages in the room."""
        names = [f"{prefix}{number:05}" for number in range(count)]
        for name in names:
            await posted(self.store, self.app, room, message=name, sender=sender)
        return names

    async def rooms(self, count: int, *, tags: int = 1, shared: int = 0, derived: bool = False) -> list[str]:
        """Rooms of ann's, each with tags of its own and some that all have; above the fan-out
        limit, or hers alone. One message in each.
        """
        names = many("d" if derived else "r", count)
        crowd = people(FANOUT_LIMIT + 1) if derived else []
        for name in names:
            await self.store.rooms.create_room(
                app=self.app,
                room=name,
                tags=[*many("all", shared), *many(f"{name}t", tags)],
                profile={},
                members=["ann", *crowd],
            )
            await posted(self.store, self.app, name)
        await self.store.outbox.idle()
        return names


def people(count: int) -> list[str]:
    return [f"p{number:04}" for number in range(count)]


def many(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


Case = Callable[[World], Awaitable[Sizes]]
CASES: dict[str, Case] = {}


def case(script: str) -> Callable[[Case], Case]:
    """The way in which a script is tried: makes a world, runs the script in it, and answers the
    sizes that its formula names.
    """

    def register(function: Case) -> Case:
        CASES[script] = function
        return function

    return register


# Rooms and members


@case("create_room")
async def _create_room(world: World) -> Sizes:
    """By a client, then taken over by a backend: some stay, some leave, and some come who had left
    it.
    """
    lot, fields, tags, members, named = (
        world.of(10, MEMBERS_AT_ONCE),
        world.of(1, 32),
        world.of(1, 4),
        world.of(5, 100),
        world.of(20, 1000),
    )
    room: dict[str, Any] = {"app": world.app, "room": "r", "profile": dict.fromkeys(many("f", fields), b"1")}
    back, stay, leave = many("back", lot), people(members), many("leave", LEAVE_AT_ONCE)
    await world.count(world.store.rooms.create_room(**room, tags=many("old", tags), members=back, by_client=True))
    last = (await world.messages(1))[0]
    for member in back:
        await world.store.reading.mark_read(app=world.app, room="r", user=member, message=last)
    await world.store.rooms.remove_members(app=world.app, room="r", members=back)
    await world.store.rooms.add_members(app=world.app, room="r", members=[*stay, *leave])
    last = (await world.messages(1, prefix="n"))[0]
    for member in leave:
        await world.store.reading.mark_read(app=world.app, room="r", user=member, message=last)
    await world.long_gone(leave)
    others = many("new", named - lot - members)
    await world.count(world.store.rooms.create_room(**room, tags=many("t", tags), members=[*back, *stay, *others]))
    return {"lot": lot, "fields": fields, "tags": tags, "members": members, "left": LEAVE_AT_ONCE, "named": named}


@case("add_members")
async def _add_members(world: World) -> Sizes:
    """Crossing the fan-out limit, so that everybody is told; all of them come back, so that
    journals go on.
    """
    members, lot, tags, sets = FANOUT_LIMIT, world.of(10, MEMBERS_AT_ONCE), world.of(1, 4), world.of(1, 4)
    await world.room(members, tags=tags, others=sets - 1)
    back = [f"back{number}" for number in range(lot)]
    await world.store.rooms.remove_members(app=world.app, room="r", members=people(lot))
    await world.store.rooms.add_members(app=world.app, room="r", members=back)
    last = (await world.messages(1))[0]
    for member in back:
        await world.store.reading.mark_read(app=world.app, room="r", user=member, message=last)
    await posted(world.store, world.app)
    await world.store.rooms.remove_members(app=world.app, room="r", members=back)
    await world.store.rooms.add_members(app=world.app, room="r", members=people(lot))
    await world.count(world.store.rooms.add_members(app=world.app, room="r", members=back))
    return {"lot": lot, "members": members, "tags": tags}


@case("remove_members")
async def _remove_members(world: World) -> Sizes:
    """Crossing back below the fan-out limit; everybody has read, so that stays are kept."""
    lot, tags, sets = world.of(10, MEMBERS_AT_ONCE), world.of(1, 4), world.of(1, 4)
    members = FANOUT_LIMIT * 3 // 4
    await world.room(members, tags=tags, others=sets - 1)
    leaving = [f"leaving{number}" for number in range(lot)]
    await world.store.rooms.add_members(app=world.app, room="r", members=leaving)
    await world.store.rooms.add_members(
        app=world.app, room="r", members=[f"more{number}" for number in range(FANOUT_LIMIT)]
    )
    await world.store.rooms.remove_members(
        app=world.app, room="r", members=[f"more{number}" for number in range(FANOUT_LIMIT)]
    )
    last = (await world.messages(1))[0]
    for member in leaving:
        await world.store.reading.mark_read(app=world.app, room="r", user=member, message=last)
    await world.long_gone(leaving)
    await world.count(world.store.rooms.remove_members(app=world.app, room="r", members=leaving))
    return {"lot": lot, "members": members, "tags": tags}


@case("invite")
async def _invite(world: World) -> Sizes:
    users = world.of(10, 1000)
    await world.room(2)
    await world.count(world.store.rooms.invite(app=world.app, room="r", users=people(users)[2:]))
    return {"users": users - 2}


@case("set_tags")
async def _set_tags(world: World) -> Sizes:
    members, tags, sets = world.of(5, 60), world.of(2, 15), world.of(2, 10)
    await world.room(members, tags=tags, others=sets - 1)
    await posted(world.store, world.app)
    await world.count(world.store.rooms.set_tags(app=world.app, room="r", tags=many("n", tags)))
    return {"members": members, "tags": tags}


@case("set_status")
async def _set_status(world: World) -> Sizes:
    members, tags, sets = world.of(5, 60), world.of(2, 15), world.of(2, 10)
    await world.room(members, tags=tags, others=sets - 1)
    await posted(world.store, world.app)
    await world.count(world.store.rooms.set_status(app=world.app, room="r", status=Status.FROZEN))
    await world.count(world.store.rooms.set_status(app=world.app, room="r", status=Status.ACTIVE))
    return {"members": members, "tags": tags}


@case("set_profile")
async def _set_profile(world: World) -> Sizes:
    fields = world.of(1, 32)
    await world.room(2)
    await world.count(
        world.store.rooms.set_profile(app=world.app, room="r", profile=dict.fromkeys(many("f", fields), b"1"))
    )
    return {"fields": fields}


@case("delete_room")
async def _delete_room(world: World) -> Sizes:
    members, tags, sets = world.of(5, 60), world.of(2, 15), world.of(2, 10)
    await world.room(members, tags=tags, others=sets - 1)
    await posted(world.store, world.app)
    await world.long_gone(people(members))
    await world.count(world.store.rooms.delete_room(app=world.app, room="r"))
    await world.room(FANOUT_LIMIT + 1)
    await world.count(world.store.rooms.delete_room(app=world.app, room="r"))
    return {"members": members, "tags": tags}


@case("sweep_room")
async def _sweep_room(world: World) -> Sizes:
    await world.long_gone(await world.room(FANOUT_LIMIT + world.of(10, 244)))
    await world.count(world.store.rooms.delete_room(app=world.app, room="r"))
    return {"limit": MEMBERS_AT_ONCE}


@case("members")
async def _members(world: World) -> Sizes:
    """Of a small room, which is put in order first; everybody has read something else, and
    something was deleted.
    """
    members = world.of(10, 250)
    names = await world.room(members)
    messages = await world.messages(members)
    for name, message in zip(names, messages, strict=True):
        await world.store.reading.mark_read(app=world.app, room="r", user=name, message=message)
    await world.store.messages.delete_message(app=world.app, room="r", message=messages[-1])
    await world.count(world.store.rooms.members(app=world.app, room="r", limit=1000))
    return {"members": members, "limit": members}


@case("room")
async def _room(world: World) -> Sizes:
    await a_marked_room(world)
    await world.count(world.store.rooms.room(app=world.app, room="r", user=people(1)[0]))
    return {}


@case("room_summary")
async def _room_summary(world: World) -> Sizes:
    await a_marked_room(world)
    fields = many("f", world.of(1, 32))
    await world.count(
        world.store.rooms.room_summary_each(
            app=world.app, rooms=["r"], user=people(1)[0], tags=True, fields=fields, last_read=True
        )
    )
    return {"fields": len(fields)}


async def a_marked_room(world: World) -> None:
    """With many deleted messages at its end, and marked as unread by its first member."""
    await world.room(2, tags=world.of(1, 50))
    names = await world.messages(world.of(3, 1000))
    await world.store.reading.mark_read(app=world.app, room="r", user=people(1)[0], message=names[0])
    await world.store.reading.mark_unread(app=world.app, room="r", user=people(1)[0], message=names[1])
    for name in names[2:]:
        await world.store.messages.delete_message(app=world.app, room="r", message=name)


# Messages


@case("post")
async def _post(world: World) -> Sizes:
    """Until messages are forgotten, and with them who has left and their journals; one was deleted,
    so holes are looked at.

    Some are hidden, and lengthen a row.
    """
    members, tags, left, history = world.of(5, 100), world.of(1, 4), world.of(2, 150), 100
    world.store = redis_store(world.executor, fanout_limit=FANOUT_LIMIT, message_history=history)
    names = await world.room(members, tags=tags)
    gone = [f"gone{number}" for number in range(left)]
    await world.store.rooms.add_members(app=world.app, room="r", members=gone)
    for message in await world.messages(16, prefix="read"):
        for member in gone:
            await world.store.reading.mark_read(app=world.app, room="r", user=member, message=message)
    await world.store.rooms.remove_members(app=world.app, room="r", members=gone)
    for number in range(2 * history):
        message = (
            await world.count(
                posted(world.store, world.app, sender=names[0] if number % 2 else "", as_last=number % 4 > 1)
            )
        ).message
        if number == history:
            await world.store.messages.delete_message(app=world.app, room="r", message=message)
    return {"members": members, "tags": tags, "left": left, "forgotten": 64}


@case("edit_message")
async def _edit_message(world: World) -> Sizes:
    await world.room(world.of(2, 250))
    await world.count(
        world.store.messages.edit_message(app=world.app, room="r", message=(await world.messages(3))[0], body="{}")
    )
    return {}


@case("delete_message")
async def _delete_message(world: World) -> Sizes:
    members, tags = world.of(5, 250), world.of(1, 4)
    await world.room(members, tags=tags)
    names = await world.messages(world.of(3, 30))
    for name in [*names[::3], *names[1::3], *names[2::3]]:
        await world.count(world.store.messages.delete_message(app=world.app, room="r", message=name))
    return {"members": members, "tags": tags}


@case("recall_message")
async def _recall_message(world: World) -> Sizes:
    members, tags = world.of(5, 250), world.of(1, 4)
    await world.room(members, tags=tags)
    for name in await world.messages(world.of(3, 10)):
        await world.count(world.store.messages.recall_message(app=world.app, room="r", message=name, body="{}"))
    return {"members": members, "tags": tags}


@case("delete_messages")
async def _delete_messages(world: World) -> Sizes:
    """Before a message, before a time, and the rest; some were deleted before."""
    members, tags, messages = world.of(5, 250), world.of(1, 4), world.of(10, 1500)
    names = await world.room(members, tags=tags)
    for number in range(messages):
        await world.store.messages.post(
            app=world.app,
            room="r",
            sender=names[0],
            message=f"m{number}",
            countable=True,
            body="{}",
            sender_must_be_member=True,
            sent_ms=1_000_000 + number,
        )
    for number in (0, 1, messages - 1):
        await world.store.messages.delete_message(app=world.app, room="r", message=f"m{number}")
    room: dict[str, Any] = {"app": world.app, "room": "r"}
    await world.count(world.store.messages.delete_messages(**room, before="m3"))
    await world.count(world.store.messages.delete_messages(**room, before_ms=1_000_000 + messages - 2))
    await world.count(world.store.messages.delete_messages(**room))
    return {"members": members, "tags": tags, "looked": messages}


@case("message")
async def _message(world: World) -> Sizes:
    await world.room(2)
    await world.count(
        world.store.messages.message(app=world.app, room="r", message=(await world.messages(world.of(2, 100)))[0])
    )
    return {}


@case("count_messages")
async def _count_messages(world: World) -> Sizes:
    await world.room(2)
    names = await world.messages(messages := world.of(3, 500))
    await world.store.messages.delete_message(app=world.app, room="r", message=names[0])
    await world.count(world.store.messages.count_messages(app=world.app, room="r", since_ms=1, after=0))
    return {"messages": messages}


# Reading


@case("mark_read")
async def _mark_read(world: World) -> Sizes:
    """Each message by itself, so that chunks of the journal are put away and forgotten."""
    names = await world.room(world.of(2, 100), tags=(tags := world.of(1, 4)))
    world.store = redis_store(
        world.executor, fanout_limit=FANOUT_LIMIT, message_history=2000, journal_moves=32, events=True
    )
    messages = await world.messages(world.of(20, 100))
    await world.store.messages.delete_message(app=world.app, room="r", message=messages[-1])
    await world.store.reading.mark_unread(app=world.app, room="r", user=names[0], message=messages[-3])
    for message in messages:
        await world.count(world.store.reading.mark_read(app=world.app, room="r", user=names[0], message=message))
    return {"tags": tags}


@case("mark_read_until")
async def _mark_read_until(world: World) -> Sizes:
    names = await world.room(2, tags=(tags := world.of(1, 4)))
    newer = world.of(10, 1000)
    for number in range(newer + 1):
        await world.store.messages.post(
            app=world.app,
            room="r",
            sender="",
            message=f"m{number:05}",
            countable=True,
            body="{}",
            sender_must_be_member=False,
            sent_ms=1_000_000 + number,
        )
    await world.count(world.store.reading.mark_read_until(app=world.app, room="r", user=names[0], until_ms=1_000_000))
    return {"newer": newer, "tags": tags}


@case("mark_unread")
async def _mark_unread(world: World) -> Sizes:
    names = await world.room(world.of(2, 100), tags=(tags := world.of(1, 4)))
    messages = await world.messages(world.of(3, 300))
    for message in messages[1:]:
        await world.store.messages.delete_message(app=world.app, room="r", message=message)
    await world.count(world.store.reading.mark_unread(app=world.app, room="r", user=names[0], message=""))
    return {"tags": tags}


@case("set_unread")
async def _set_unread(world: World) -> Sizes:
    """Through rows of deleted messages, single ones and long ones."""
    messages = world.of(20, 1000)
    names = await world.room(2, tags=(tags := world.of(1, 4)))
    sent = await world.messages(messages)
    for number in (*range(0, messages // 2, 2), *range(messages // 2, messages - messages // 10)):
        await world.store.messages.delete_message(app=world.app, room="r", message=sent[number])
    for count in (0, 1, messages // 10, messages // 8, messages // 4, messages):
        await world.count(world.store.reading.set_unread(app=world.app, room="r", user=names[0], count=count))
    return {"messages": messages, "tags": tags}


@case("restore_cursor")
async def _restore_cursor(world: World) -> Sizes:
    names = await world.room(2, tags=(tags := world.of(1, 4)))
    await world.messages(world.of(20, 100))
    for seq in range(1, world.of(20, 100)):
        await world.run(Keys.room(world.app, "r"), app=world.app, user=names[0], cursor=seq, **JOURNAL)
    return {"tags": tags}


@case("acknowledge")
async def _acknowledge(world: World) -> Sizes:
    members, messages = world.of(5, 200), world.of(5, 100)
    names = await world.room(members)
    sent = await world.messages(messages)
    for name in names[:-1]:
        await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=sent)
    await world.count(world.store.reading.acknowledge(app=world.app, room="r", user=names[-1], messages=sent))
    return {"messages": messages, "acknowledged": members}


# Receipts


@case("receipts")
async def _receipts(world: World) -> Sizes:
    """Those who acknowledged the message, then members with long journals, then those who have
    left, in pages of all sizes.
    """
    members, moves = world.of(4, 120), world.of(5, 60)
    names = await world.room(members)
    (message,) = await world.messages(1, sender=names[0])
    for name in names[: members // 3]:
        await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=[message])
    for name in names[members // 4 :]:
        await world.store.reading.mark_read(app=world.app, room="r", user=name, message=message)
    ask: dict[str, Any] = {"app": world.app, "room": "r", "message": message}
    pages = [await world.store.receipts.page(**ask, which=Filter.READ, limit=limit, page="") for limit in (1, 1000)]
    later = await world.store.receipts.page(**ask, which=Filter.READ, limit=members + 1, page="")
    for number in range(moves):
        newer = (await posted(world.store, world.app, message=f"n{number:04}")).message
        for name in names[1:]:
            await world.store.reading.mark_read(app=world.app, room="r", user=name, message=newer)
    await world.store.rooms.remove_members(app=world.app, room="r", members=names[members // 2 :])
    for which in Filter:
        page = ""
        while page or which:
            found = await world.count(
                world.store.receipts.page(**ask, which=which, limit=1000 if page else members // 3, page=page)
            )
            page = found.next
            if not page:
                break
    for begun in (*pages, later):
        if begun.next:
            await world.count(world.store.receipts.page(**ask, which=Filter.READ, limit=1000, page=begun.next))
    return {
        "members": members,
        "acknowledged": members // 3,
        "limit": members,
        "chunks": moves // 16,
        "walked": members * moves,
    }


@case("receipt_counts")
async def _receipt_counts(world: World) -> Sizes:
    members, messages = world.of(5, 200), world.of(5, 25)
    names = await world.room(members)
    sent = await world.messages(messages)
    for name in names:
        await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=sent)
    await world.store.rooms.remove_members(app=world.app, room="r", members=names[members // 2 :])
    await world.count(world.store.receipts.receipt_counts(app=world.app, room="r", messages=sent))
    return {"members": members, "messages": messages, "acknowledged": members}


# A user's side


@case("apply")
async def _apply(world: World) -> Sizes:
    """A room is retagged, leaves and comes back, for a user who has many tag sets."""
    tags, sets = world.of(2, 100), world.of(2, 200)
    await world.rooms(sets - 1)
    await world.long_gone(["ann"])
    for revision, prefix, state in (
        (2**50, "a", 1),
        (2**50 + 1, "b", 1),
        (2**50 + 2, "b", 2),
        (2**50 + 3, "b", 3),
        (2**50 + 4, "b", 1),
    ):
        common = {"room": "new", "created_revision": 1, "cursor": 0, "unread": 5}
        joined = SEPARATOR.join(many(prefix, tags)).encode()
        await world.run(Keys.user(world.app, "ann"), revision=revision, tags=joined, state=state, **common)
    return {"tags": tags}


@case("badge")
async def _badge(world: World) -> Sizes:
    sets, shared, derived = world.of(3, 100), world.of(2, 90), world.of(1, 10)
    await world.rooms(sets, shared=shared)
    await world.rooms(derived, shared=shared, derived=True)
    await world.count(world.store.badges.badge(app=world.app, user="ann", tags=[]))
    await world.count(world.store.badges.badge(app=world.app, user="ann", tags=[*many("all", shared), "nowhere"]))
    return {"sets": sets, "asked": shared + 1, "tags": shared + 1, "derived": derived}


@case("badges_by_tags")
async def _badges_by_tags(world: World) -> Sizes:
    """Every tag, then as many unknown ones as a question may hold."""
    sets, tags, derived, asked = world.of(3, 90), world.of(2, 10), world.of(1, 10), world.of(2, 100)
    await world.rooms(sets, tags=tags)
    await world.rooms(derived, tags=tags, derived=True)
    await world.count(world.store.badges.badges_by_tags(app=world.app, user="ann", tags=[]))
    await world.count(world.store.badges.badges_by_tags(app=world.app, user="ann", tags=many("unknown", asked)))
    return {"sets": sets, "tags": tags, "derived": derived, "asked": asked}


@case("derived_unread")
async def _derived_unread(world: World) -> Sizes:
    derived = world.of(2, DERIVED_AT_ONCE // 4)
    await world.rooms(derived, tags=2, derived=True)
    names = await world.store.rooms.rooms_of(app=world.app, user="ann")
    await world.run(Keys.user(world.app, "ann"), app=world.app, user="ann", rooms=names)
    return {"derived": derived}


@case("user_load")
async def _user_load(world: World) -> Sizes:
    """Of a member, and with tags that are new."""
    tags = world.of(2, 100)
    await world.rooms(world.of(3, 300))
    await world.run(Keys.user(world.app, "ann"), room="r000", tags=many("new", tags))
    return {"tags": tags}


@case("rooms")
async def _rooms(world: World) -> Sizes:
    rooms = await world.rooms(world.of(3, 300))
    await world.count(world.store.rooms.rooms_of(app=world.app, user="ann"))
    return {"rooms": len(rooms), "tags": len(rooms)}


@case("subscriptions")
async def _subscriptions(world: World) -> Sizes:
    rooms = await world.rooms(world.of(3, 300))
    await world.count(world.store.rooms.subscriptions(app=world.app, user="ann", since_ms=0))
    return {"rooms": len(rooms), "tags": len(rooms)}


@case("copies")
async def _copies(world: World) -> Sizes:
    rooms = await world.rooms(world.of(3, 300))
    await world.run(Keys.user(world.app, "ann"), rooms=[])
    await world.run(Keys.user(world.app, "ann"), rooms=rooms)
    return {"rooms": len(rooms), "tags": len(rooms)}


@case("audit_counters")
async def _audit_counters(world: World) -> Sizes:
    """Of a user whose counters are all wrong."""
    rooms = await world.rooms(world.of(3, 100), tags=(tags := world.of(1, 5)))
    key = Keys.user(world.app, "ann")
    await world.executor.command("HINCRBY", key + ":k", "", 1, key=key)
    for room in rooms:
        await world.executor.command("HINCRBY", key + ":s", SEPARATOR.join(many(f"{room}t", tags)), 1, key=key)
        for tag in many(f"{room}t", tags):
            await world.executor.command("HINCRBY", key, f"t{tag}", 1, key=key)
            await world.executor.command("HINCRBY", key + ":k", tag, 1, key=key)
    await world.run(key, repair=True)
    return {"rooms": len(rooms), "tags": tags}


# Debts, and what an audit asks


@case("pending")
async def _pending(world: World) -> Sizes:
    owed = world.of(10, 250)
    await world.room(owed)
    key = Keys.room(world.app, "r")
    for name in people(owed):
        await world.executor.command("HSET", key + ":o", name, 1, key=key)
    await world.run(key, app=world.app, members=[])
    await world.run(key, app=world.app, members=people(owed))
    return {"pending": owed, "members": owed}


@case("ack")
async def _ack(world: World) -> Sizes:
    key, told = Keys.room(world.app, "r"), people(world.of(10, 1000))
    for name in told:
        await world.executor.command("HSET", key + ":o", name, 1, key=key)
    assert await world.run(key, revision=1, members=told) == 0
    return {"members": len(told)}


@case("snapshot")
async def _snapshot(world: World) -> Sizes:
    names = await world.room(world.of(10, 250))
    await world.messages(3)
    await world.store.messages.delete_message(app=world.app, room="r", message="m00002")
    await world.run(Keys.room(world.app, "r"), users=names)
    return {"members": len(names)}


@case("refresh_members")
async def _refresh_members(world: World) -> Sizes:
    """To users who have lost everything."""
    members = world.of(10, 250)
    names = await world.room(members, tags=(tags := world.of(1, 4)))
    for name in names:
        await world.executor.command(
            "DEL", *(Keys.user(world.app, name) + part for part in ("", ":s", ":k")), key=Keys.user(world.app, name)
        )
    await world.run(Keys.room(world.app, "r"), app=world.app, at_least=0, users=names)
    return {"members": members, "tags": tags}


@case("audit_head")
async def _audit_head(world: World) -> Sizes:
    await world.room(world.of(2, 250))
    for message in await world.messages(world.of(2, 100)):
        await world.store.messages.delete_message(app=world.app, room="r", message=message)
    await world.run(Keys.room(world.app, "r"), repair=True)
    return {}


# Small ones


@case("add_to_sorted_set")
async def _add_to_sorted_set(world: World) -> Sizes:
    await world.run(Keys.pending_rooms(0), entries=[(1, "room")])
    return {}


@case("note_worker")
async def _note_worker(world: World) -> Sizes:
    for note in people(world.of(1, 50)):
        await world.run(Keys.workers, life_ms=1000, note=note.encode())
    return {}


@case("revoke")
async def _revoke(world: World) -> Sizes:
    """First tokens whose end has passed, so that the oldest are forgotten."""
    tokens = world.of(2, 1000)
    for ends in (1, 2**31):
        revoked = [msgspec.msgpack.encode((user, "token", ends)) for user in people(tokens)]
        await world.run(Keys.revocations(world.app), margin_s=0, revoked=revoked)
    return {"tokens": tokens}


@case("revocations")
async def _revocations(world: World) -> Sizes:
    key = Keys.revocations(world.app)
    for number in range(world.of(1, 100)):
        await world.executor.command("ZADD", key, number + 1, number, key=key)
    await world.run(key, since=0)
    return {}


@case("note_newest")
async def _note_newest(world: World) -> Sizes:
    await world.count(world.store.latest.note_newest(app=world.app, what="x", at_ms=1))
    return {}


@case("set_hash_field")
async def _set_hash_field(world: World) -> Sizes:
    await world.count(AppRegistry(world.executor, client_key="c", api_key="a").end_tokens(FIRST_APP))
    return {}


@case("hit_rate_limit")
async def _hit_rate_limit(world: World) -> Sizes:
    await world.count(world.store.throttle.hit_rate_limit(app=world.app, what="x", limit=1, window_ms=1000))
    return {}


# Events


@case("claim_shard")
async def _claim_shard(world: World) -> Sizes:
    shard, _ = await events(world, world.of(3, 256))
    await world.run(shard, holder="me", lease_ms=1000, entries=256, limit=100, hold_ms=1000)
    return {"entries": 256, "limit": 100}


@case("record_outcomes")
async def _record_outcomes(world: World) -> Sizes:
    shard, pairs = await taken(world, world.of(3, 100))
    await world.run(shard, outcomes=[OutcomeRow(pair, 1, 1, "delivered", 0, "") for pair in pairs])
    return {"outcomes": len(pairs)}


@case("replay_events")
async def _replay_events(world: World) -> Sizes:
    shard, pairs = await taken(world, world.of(3, 200))
    for pair in pairs:
        waiting = await world.executor.command("HGET", shard + ":q", pair, key=shard)
        await world.executor.command("HSET", shard + ":x", pair, waiting, key=shard)
    await world.run(shard, memberships=pairs)
    return {"pairs": len(pairs)}


@case("join_deliverers")
async def _join_deliverers(world: World) -> Sizes:
    for holder in people(world.of(1, 50)):
        await world.run(Keys.deliverers, holder=holder, lease_ms=1000)
    return {}


@case("release_shard")
async def _release_shard(world: World) -> Sizes:
    shard, _ = await taken(world, 1)
    await world.run(shard, holder="me")
    return {}


async def events(world: World, count: int) -> tuple[str, list[str]]:
    """So many events in the stream of a shard: its key, and their pairs."""
    await cleared(world.executor)
    made = [an_event(world.app, member) for member in people(count)]
    await written(world.executor, *made)
    return Keys.events(shard_of(made[0])), [SEPARATOR.join((event.app, event.room, event.member)) for event in made]


async def taken(world: World, count: int) -> tuple[str, list[str]]:
    """The same, when they have been taken and wait."""
    shard, pairs = await events(world, count)
    await world.executor.call(
        lua.claim_shard(holder="me", lease_ms=1000, entries=1000, limit=1000, hold_ms=1000), shard
    )
    return shard, pairs


@pytest.fixture(params=["atomic", "split"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return request.param  # type: ignore[no-any-return]


@pytest_asyncio.fixture
async def executor(server: Server, plan: Plan, lua_dir: Path | None) -> AsyncIterator[Executor]:
    """One server, whatever the plan, with scripts that count."""
    executor = await connect(server.url, lua=lua_dir)
    executor.plan = plan
    executor.scripts = with_turns_counted(scripts.load_scripts(plan, lua_dir))
    yield executor
    await executor.close()


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_script_costs_what_its_header_says(
    name: str, executor: Executor, app: str, *, large: bool, lua_dir: Path | None
) -> None:
    """And not far less: a formula that allows any number is none."""
    if name in ON_THE_SPLIT_PLAN and executor.plan == "atomic":
        pytest.skip("is called on the split plan only")
    assert name in CASES, f"nothing tries {name}.lua: add a case that runs it at its limits"
    world = World(executor, app, name, large=large)
    sizes = await CASES[name](world)
    await world.store.outbox.idle()
    limit = allowed(((lua_dir or scripts.lua_dir()) / f"{name}.lua").read_text(), sizes)
    assert world.counted, f"{name}.lua did not run"
    commands, turns = max(one.commands for one in world.counted), max(one.turns for one in world.counted)
    assert commands <= limit.commands, f"{commands} commands, and the header allows {limit.commands} with {sizes}"
    assert turns <= limit.turns, f"{turns} turns, and the header allows {limit.turns} with {sizes}"
    if large and executor.plan == "atomic":
        assert limit.commands <= 3 * commands + SLACK, (
            f"{commands} commands, but the header allows {limit.commands} with {sizes}"
        )
        assert limit.turns <= 3 * turns + SLACK, f"{turns} turns, but the header allows {limit.turns} with {sizes}"

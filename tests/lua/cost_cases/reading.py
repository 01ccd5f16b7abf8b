"""Costs of scripts about reading and receipts."""

import asyncio
from typing import Any

from readstate.domain.receipts import Filter
from readstate.store.keys import Keys
from tests.lua.cost_cases.world import Sizes, World, case
from tests.support.calls import SETTINGS
from tests.support.rooms import posted


@case("mark_read")
async def _mark_read(world: World) -> Sizes:
    """Each message by itself, so that chunks of the journal are put away and forgotten."""
    names = await world.room(world.of(2, 100), tags=(tags := world.of(1, 4)))
    world.store = world.store_with(message_history=2000, journal_moves=32, events=True)
    messages = await world.messages(world.of(20, 100))
    await world.store.messages.delete_message(app=world.app, room="r", message=messages[-1])
    await world.store.reading.mark_unread(app=world.app, room="r", user=names[0], message=messages[-3])
    for message in messages:
        await world.count(world.store.reading.mark_read(app=world.app, room="r", user=names[0], message=message))
    visited = world.of(2, 60)
    await world.news(visited, tags=tags, user=names[1])
    await world.count(world.store.reading.mark_read(app=world.app, room="r", user=names[1], message=messages[0]))
    return {"tags": tags, "visited": visited}


@case("mark_read_until")
async def _mark_read_until(world: World) -> Sizes:
    names = await world.room(2, tags=(tags := world.of(1, 4)))
    newer, visited = world.of(10, 1000), world.of(2, 60)
    await world.news(visited, tags=tags, user=names[0])
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
    return {"newer": newer, "tags": tags, "visited": visited}


@case("mark_unread")
async def _mark_unread(world: World) -> Sizes:
    names = await world.room(1, tags=(tags := world.of(1, 4)))
    messages = await world.messages(world.of(3, 300))
    for message in messages[1:]:
        await world.store.messages.delete_message(app=world.app, room="r", message=message)
    await world.come(world.of(2, 100))
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


@case("reconcile_copy")
async def _reconcile_copy(world: World) -> Sizes:
    """A cursor goes up step by step; then the newest messages are all later than the copy."""
    names, messages = await world.room(2, tags=(tags := world.of(1, 4))), world.of(20, 100)
    await world.messages(messages)
    copy = {"unread": 0, "state": 1, "tags": [], "asks": False}
    for seq, revision in [*((seq, 2**52) for seq in range(1, messages)), (messages, 1)]:
        await world.run(
            Keys.room(world.app, "r"),
            app=world.app,
            user=names[0],
            settings=SETTINGS,
            revision=revision,
            cursor=seq,
            **copy,
        )
    return {"tags": tags, "newer": messages}


@case("acknowledge")
async def _acknowledge(world: World) -> Sizes:
    members, messages = world.of(5, 120), world.of(5, 100)
    names = await world.room(members)
    sent = await world.messages(messages)
    for name in names[:-1]:
        await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=sent)
    await world.count(world.store.reading.acknowledge(app=world.app, room="r", user=names[-1], messages=sent))
    return {"messages": messages, "acknowledged": members}


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
        await asyncio.gather(
            *(world.store.reading.mark_read(app=world.app, room="r", user=name, message=newer) for name in names[1:])
        )
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

"""Costs of scripts about messages."""

from typing import Any

from readstate.store.keys import Keys
from tests.lua.cost_cases.world import FANOUT_LIMIT, Sizes, World, case, many
from tests.support.rooms import posted


@case("post")
async def _post(world: World) -> Sizes:
    """Until messages are forgotten, and with them who has left and their journals; one was deleted,
    so holes are looked at.

    Some are hidden, and lengthen a row.
    """
    members, tags, left, history = world.of(5, 100), world.of(1, 4), world.of(2, 150), 100
    world.store = world.store_with(message_history=history)
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
    sampled = await _posts_in_large_rooms(world, members, tags)
    return {"members": members, "tags": tags, "left": left, "forgotten": 64, "sampled": sampled}


async def _posts_in_large_rooms(world: World, members: int, tags: int) -> int:
    """The post that ends the attention of all but one of the members, and one in a derived room in
    which none of those noted pays attention any more. How many of these there are.
    """
    large, short = world.of(5, 1024), world.store_with(attention_posts=1)
    names = [f"short{number}" for number in range(members)]
    await short.rooms.create_room(app=world.app, room="r2", tags=many("t", tags), profile={}, members=names)
    await world.count(posted(short, world.app, "r2"))
    crowd = [f"crowd{number}" for number in range(FANOUT_LIMIT + 1)]
    await world.store.rooms.create_room(app=world.app, room="r3", tags=many("t", tags), profile={}, members=crowd)
    await posted(world.store, world.app, "r3")
    key = Keys.room(world.app, "r3") + ":a"
    await world.executor.command("DEL", key, key=key)
    await world.executor.command("SADD", key, *many("gone", large), key=key)
    await world.count(posted(world.store, world.app, "r3"))
    return large


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
    """Before a message, before a time, and the rest; some were deleted before. The last messages
    are unread for everybody.
    """
    members, tags, messages = world.of(5, 250), world.of(1, 4), world.of(10, 1500)
    names = await world.room(1, tags=tags)
    for number in range(messages):
        if number == messages - 5:
            names = await world.come(members)
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

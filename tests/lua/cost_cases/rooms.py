"""Costs of scripts about rooms and members."""

from typing import Any

from readstate.domain.rooms import Status
from readstate.store.keys import Keys
from readstate.store.rooms import MEMBERS_AT_ONCE
from tests.lua.cost_cases.world import FANOUT_LIMIT, LEAVE_AT_ONCE, Sizes, World, case, many, people
from tests.support.rooms import posted

WALKED = 128  # members of a room that is not large


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
    """The room becomes large by it; all who come have been in it before, so that journals go on."""
    members, lot, tags, sets = world.of(125, WALKED), world.of(10, MEMBERS_AT_ONCE), world.of(1, 4), world.of(1, 4)
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
    more = [f"more{number}" for number in range(lot)]
    await world.count(world.store.rooms.add_members(app=world.app, room="r", members=more))
    return {"lot": lot, "members": members, "tags": tags}


@case("remove_members")
async def _remove_members(world: World) -> Sizes:
    """The room is no longer large by it; everybody has read, so that stays are kept."""
    lot, tags, sets = world.of(10, MEMBERS_AT_ONCE), world.of(1, 4), world.of(1, 4)
    await world.room(WALKED * 3 // 4, tags=tags, others=sets - 1)
    leaving = [f"leaving{number}" for number in range(lot)]
    await world.store.rooms.add_members(app=world.app, room="r", members=leaving)
    more = [f"more{number}" for number in range(WALKED)]
    await world.store.rooms.add_members(app=world.app, room="r", members=more)
    await world.store.rooms.remove_members(app=world.app, room="r", members=more)
    last = (await world.messages(1))[0]
    for member in leaving:
        await world.store.reading.mark_read(app=world.app, room="r", user=member, message=last)
    await world.long_gone(leaving)
    await world.count(world.store.rooms.remove_members(app=world.app, room="r", members=leaving))
    return {"lot": lot, "tags": tags}


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
    await posted(world.store, world.app)
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
    untold = world.store_with(attention_posts=1)
    messages = await world.messages(members, store=untold)
    for name, message in zip(names, messages, strict=True):
        await untold.reading.mark_read(app=world.app, room="r", user=name, message=message)
    await world.store.messages.delete_message(app=world.app, room="r", message=messages[-1])
    await world.count(world.store.rooms.members(app=world.app, room="r", limit=1000))
    return {"members": members, "limit": members}


@case("catch_up")
async def _catch_up(world: World) -> Sizes:
    names = await world.room(world.of(1, 200))
    await world.run(Keys.room(world.app, "r"), app=world.app, barrier="m", users=names)
    return {"users": len(names)}


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

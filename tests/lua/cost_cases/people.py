"""Costs of the scripts that erase a user."""

from readstate.store.keys import Keys
from readstate.store.states import SEPARATOR
from tests.lua.cost_cases.world import Sizes, World, case, people

ERASED = {"user": "bob", "stand_in": "someone-else"}


@case("erase_member")
async def _erase_member(world: World) -> Sizes:
    """Of many stays and a long journal; the messages were acknowledged by many."""
    stays, members, seqs = world.of(2, 40), world.of(2, 20), world.of(3, 100)
    await world.room(members)
    for stay in range(stays):
        await world.store.rooms.add_members(app=world.app, room="r", members=["bob"])
        (message,) = await world.messages(1, prefix=f"m{stay:03}")
        await world.store.reading.mark_read(app=world.app, room="r", user="bob", message=message)
        await world.store.rooms.remove_members(app=world.app, room="r", members=["bob"])
    await world.store.rooms.add_members(app=world.app, room="r", members=["bob"])
    sent = await world.messages(seqs)
    for name in [*people(members), "bob"]:
        await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=sent)
    await world.store.rooms.remove_members(app=world.app, room="r", members=["bob"])
    key = Keys.room(world.app, "r")
    fields = [
        field for field in await world.executor.command("HKEYS", key + ":x", key=key) if SEPARATOR.encode() in field
    ]
    chunks = await world.executor.command("HKEYS", key + ":j", key=key)
    acknowledged = await world.executor.command("HKEYS", key + ":q", key=key)
    await world.run(key, **ERASED, chunks=chunks, stays=fields, seqs=acknowledged)
    return {"chunks": len(chunks), "stays": stays, "seqs": seqs, "acknowledged": members + 1}


@case("erase_sender")
async def _erase_sender(world: World) -> Sizes:
    """Every message has another sender, the last one is bob."""
    numbers = world.of(1, 8)
    await world.room(2)
    for number in range(128 * numbers):
        sender = f"s{number}" if number % 2 else "bob"
        await world.messages(1, sender=sender, prefix=f"m{number}")
    await world.run(Keys.room(world.app, "r"), **ERASED, numbers=[str(number) for number in range(numbers)])
    return {"numbers": numbers}


@case("erase_copy")
async def _erase_copy(world: World) -> Sizes:
    (room,) = await world.rooms(1)
    await world.store.rooms.delete_room(app=world.app, room=room)
    await world.run(Keys.user(world.app, "ann"), room=room)
    return {}

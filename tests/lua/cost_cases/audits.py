"""Costs of the audit's scripts, on rooms and sides where everything is wrong."""

from collections.abc import Awaitable, Callable
from typing import Any

from readstate.store.keys import Keys
from readstate.store.states import SEPARATOR
from tests.lua.cost_cases.world import Sizes, World, case, many
from tests.support.damage import Planter

SETTINGS = "1024 7776000000 4 256 10000"


async def _room(world: World, members: int, messages: int = 3) -> tuple[Planter, list[str]]:
    names = await world.room(members)
    await world.messages(messages)
    await world.store.outbox.idle()
    return Planter(world.executor, world.app), names


async def _names(names: list[str], plant: Callable[[str], Awaitable[Any]]) -> list[bytes]:
    for name in names:
        await plant(name)
    return [name.encode() for name in names]


@case("audit_types")
async def _audit_types(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    suffixes = [f":{letter}" for letter in "abcdefghij"]
    for suffix in suffixes:
        await planter.run("DEL", planter.room + suffix)
        await planter.run("SET", planter.room + suffix, "x")
    await world.run(planter.room, repair=True, types=[(suffix, "hash") for suffix in suffixes])
    return {"keys": len(suffixes)}


@case("audit_head")
async def _audit_head(world: World) -> Sizes:
    messages = world.of(20, 300)
    planter, _ = await _room(world, 2, messages)
    await planter.head(seq=1, ordinal=0, floor_seq=2**39, floor=7, buckets=500, deleted_count=9, member_count=9)
    await world.run(planter.room, repair=True)
    return {"messages": messages, "buckets": messages // 32}


@case("audit_messages")
async def _audit_messages(world: World) -> Sizes:
    """All of the index is gone, and every hole."""
    messages = world.of(10, 128)
    planter, _ = await _room(world, 2, messages)
    for number in range(messages):
        await world.store.messages.delete_message(app=world.app, room="r", message=f"m{number:05}")
    fields = [field for field in await planter.run("HKEYS", planter.room + ":l") if field.startswith(b"i")]
    await planter.run("HDEL", planter.room + ":l", *fields)
    for suffix in (":h", ":d"):
        await planter.run("DEL", planter.room + suffix)
    await world.run(planter.room, repair=True, below=0, most=128)
    return {"messages": messages}


@case("audit_index")
async def _audit_index(world: World) -> Sizes:
    messages = world.of(10, 1000)
    planter, _ = await _room(world, 2, messages)
    fields = [field for field in await planter.run("HKEYS", planter.room + ":l") if field.startswith(b"i")]
    for field in fields:
        await planter.edit(planter.room + ":l", field, lambda bucket: bucket[7:] + b"abcdefg")
    await world.run(planter.room, repair=True, fields=fields)
    return {"fields": len(fields), "messages": messages}


@case("audit_chunks")
async def _audit_chunks(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    names = many("x", world.of(3, 100))
    fields = await _names(names, lambda name: planter.run("HSET", planter.room + ":l", name, "x"))
    await world.run(planter.room, repair=True, fields=fields)
    return {"fields": len(fields)}


@case("audit_members")
async def _audit_members(world: World) -> Sizes:
    """Of a large room without any of its lists."""
    planter, names = await _room(world, world.of(140, 200))
    for name in names:
        await planter.record(
            name, cursor=900, ordinal=800, joined=700, read=950, at=2**40, attentive_until=2**39, moves=5
        )
    await planter.run("DEL", planter.room + ":c", planter.room + ":a")
    some = names[: world.of(5, 100)]
    await world.run(planter.room, repair=True, settings=SETTINGS, members=[(name.encode(), "1") for name in some])
    return {"members": len(some), "journal": 0}


@case("audit_order")
async def _audit_order(world: World) -> Sizes:
    planter, _ = await _room(world, 2)

    async def plant(name: str) -> None:
        await planter.run("ZADD", planter.room + ":c", 1, name)
        await planter.run("ZADD", planter.room + ":b", 1, name)
        await planter.run("SADD", planter.room + ":a", name)

    names = await _names(many("x", world.of(3, 100)), plant)
    await world.run(planter.room, repair=True, names=names)
    return {"names": len(names)}


@case("audit_journals")
async def _audit_journals(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    names = [f"{name}{SEPARATOR}0" for name in many("x", world.of(3, 100))]
    chunks = await _names(names, lambda name: planter.run("HSET", planter.room + ":j", name, b"\1\1\0"))
    await world.run(planter.room, repair=True, chunks=chunks)
    return {"chunks": len(chunks)}


@case("audit_stays")
async def _audit_stays(world: World) -> Sizes:
    planter, _ = await _room(world, 2)

    async def plant(name: str) -> None:
        await planter.run("ZADD", planter.room + ":y", 1, name)
        await planter.run("ZADD", planter.room + ":e", 1, name)

    names = await _names([f"{name}{SEPARATOR}0" for name in many("x", world.of(3, 100))], plant)
    await world.run(planter.room, repair=True, names=names)
    return {"names": len(names)}


@case("audit_marks")
async def _audit_marks(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    names = many("x", world.of(3, 100))
    fields = await _names(names, lambda name: planter.run("HSET", planter.room + ":u", name, "x"))
    await world.run(planter.room, repair=True, fields=fields)
    return {"fields": len(fields)}


@case("audit_acknowledgements")
async def _audit_acknowledgements(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    names = many("5", world.of(3, 100))
    seqs = await _names(names, lambda name: planter.run("HSET", planter.room + ":q", name, b"\1\1\0"))
    await world.run(planter.room, repair=True, seqs=seqs)
    return {"seqs": len(seqs), "acknowledged": 1}


@case("audit_holes")
async def _audit_holes(world: World) -> Sizes:
    planter, _ = await _room(world, 2)

    async def plant(name: str) -> None:
        for suffix in (":h", ":d"):
            await planter.run("ZADD", planter.room + suffix, 77, name)

    names = await _names(many("x", world.of(3, 100)), plant)
    await world.run(planter.room, repair=True, holes=names, deleted=names)
    return {"numbers": 2 * len(names)}


@case("audit_pending")
async def _audit_pending(world: World) -> Sizes:
    planter, _ = await _room(world, 2)
    names = many("x", world.of(3, 100))
    members = await _names(names, lambda name: planter.run("HSET", planter.room + ":o", name, "x"))
    await world.run(planter.room, repair=True, members=members)
    return {"members": len(members)}


@case("audit_copies")
async def _audit_copies(world: World) -> Sizes:
    rooms = await world.rooms(world.of(3, 100))
    key = Keys.user(world.app, "ann")
    await world.run(key, repair=True, rooms=rooms)
    for room in rooms:
        await world.executor.command("HSET", key, f"r{room}", b"x", key=key)
    await world.run(key, repair=True, rooms=[])
    return {"rooms": len(rooms)}

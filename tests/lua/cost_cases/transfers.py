"""Costs of the scripts of export and import."""

from typing import Any

import msgspec

from readstate.batches import in_batches
from readstate.store.keys import Keys
from readstate.store.rooms import MEMBERS_AT_ONCE
from tests.lua.cost_cases.world import Sizes, World, case, many, people

SOURCE = "some"
SETTINGS = "1024 7776000000 4 256 10000"
CREATED_MS = 1_700_000_000_000
NEW: dict[str, Any] = {
    "source": SOURCE,
    "created_ms": CREATED_MS,
    "seq": 0,
    "ordinal": 0,
    "floor_seq": 0,
    "floor": 0,
    "deleted": 0,
    "active": True,
    "by_client": False,
    "tags": [],
    "profile": [],
    "invited": [],
}
pack = msgspec.msgpack.encode


def message(number: int, **more: Any) -> bytes:
    """As import_messages takes it."""
    given = {"seq": number, "kind": 1, "hidden": 0, "acknowledged": [], **more}
    told = [given["seq"], number, given["kind"], given["hidden"], CREATED_MS + number, -1, f"m{number:05}", "ann"]
    return pack([*told, given["acknowledged"]])


def member(name: str, moves: int = 0) -> bytes:
    """As import_members takes it: with a mark and a count that was set by hand."""
    journal = [part for number in range(moves) for part in (number + 1, CREATED_MS + number, number % 2)]
    return pack([name, 0, 1, 0, 0, 1, CREATED_MS, 0, CREATED_MS, journal])


@case("export_room")
async def _export_room(world: World) -> Sizes:
    await world.room(world.of(2, 100), tags=3)
    await world.messages(3)
    await world.run(Keys.room(world.app, "r"))
    return {}


@case("export_messages")
async def _export_messages(world: World) -> Sizes:
    messages, members = world.of(10, 128), world.of(2, 20)
    names = await world.room(members)
    sent = await world.messages(messages)
    for name in names:
        for some in in_batches(sent, 100):
            await world.store.reading.acknowledge(app=world.app, room="r", user=name, messages=some)
    await world.run(Keys.room(world.app, "r"), first=1, last=messages)
    return {"messages": messages, "acknowledged": members}


@case("export_members")
async def _export_members(world: World) -> Sizes:
    names, moves = await world.room(world.of(3, 50)), world.of(5, 60)
    for sent in await world.messages(moves):
        for name in names:
            await world.store.reading.mark_read(app=world.app, room="r", user=name, message=sent)
    some = [name.encode() for name in names]
    await world.run(Keys.room(world.app, "r"), head=moves, ordinal=moves, most=10_000, names=some)
    return {"names": len(names), "moves": len(names) * moves}


@case("export_stays")
async def _export_stays(world: World) -> Sizes:
    names = await world.room(world.of(3, MEMBERS_AT_ONCE))
    (last,) = await world.messages(1)
    for name in names:
        await world.store.reading.mark_read(app=world.app, room="r", user=name, message=last)
    await world.store.rooms.remove_members(app=world.app, room="r", members=names)
    await world.run(Keys.room(world.app, "r"), head=1, fields=[f"{name}\x1f0".encode() for name in names])
    return {"fields": len(names)}


@case("import_room")
async def _import_room(world: World) -> Sizes:
    fields, invited = world.of(1, 32), world.of(3, 1000)
    profile = [(name, b"1") for name in many("f", fields)]
    await world.run(Keys.room(world.app, "new"), **{**NEW, "profile": profile, "invited": people(invited)})
    return {"fields": fields, "invited": invited}


@case("import_messages")
async def _import_messages(world: World) -> Sizes:
    """All of them are deleted, every second one behind a jump."""
    messages, holes, acknowledged = world.of(10, 100), world.of(2, 200), world.of(1, 20)
    key = Keys.room(world.app, "new")
    first = {**NEW, "seq": holes, "ordinal": holes}
    await world.executor.call(world.call("import_room", **first), key)
    entries = [part for name in people(acknowledged) for part in (name, 0, 5)]
    rows = [
        message(holes + number, seq=holes + number + number // 2, kind=3, hidden=1, acknowledged=entries)
        for number in range(1, messages + 1)
    ]
    await world.run(key, source=SOURCE, holes=list(range(1, holes + 1)), messages=rows)
    return {"messages": messages, "holes": holes, "acknowledged": acknowledged}


@case("import_head")
async def _import_head(world: World) -> Sizes:
    key = Keys.room(world.app, "new")
    full = {**NEW, "profile": [("a", b"1")], "invited": ["ann"]}
    await world.executor.call(world.call("import_room", **full), key)
    rows = [message(1, kind=3, acknowledged=["ann", 0, 5])]
    await world.executor.call(world.call("import_messages", source=SOURCE, holes=[], messages=rows), key)
    await world.run(key, source=SOURCE)
    return {}


@case("import_members")
async def _import_members(world: World) -> Sizes:
    """The room becomes large by the last of them. Then stays of them."""
    members, moves, size = world.of(5, 50), world.of(5, 60), 129
    key, tags = Keys.room(world.app, "new"), world.of(1, 4)
    await world.executor.call(world.call("import_room", **{**NEW, "tags": many("t", tags)}), key)
    rows = [message(number) for number in range(1, moves + 1)]
    await world.executor.call(world.call("import_messages", source=SOURCE, holes=[], messages=rows), key)
    await world.executor.call(world.call("import_head", source=SOURCE), key)
    given: dict[str, Any] = {"app": world.app, "source": SOURCE, "settings": SETTINGS}
    before = [member(f"before{number}") for number in range(size - members)]
    await world.executor.call(world.call("import_members", **given, members=before, stays=[]), key)
    names = people(members)
    await world.run(key, **given, members=[member(name, moves) for name in names], stays=[])
    stays = [pack([name, 0, 1, CREATED_MS + 5]) for name in names]
    await world.run(key, **given, members=[], stays=stays)
    return {"members": members, "moves": members * moves, "tags": tags, "size": size, "stays": members}

"""Costs of scripts that workers and deliverers run."""

import msgspec

from readstate.domain.identity import FIRST_APP
from readstate.store import lua
from readstate.store.apps import AppRegistry
from readstate.store.keys import Keys
from readstate.store.lua import OutcomeRow
from readstate.store.states import SEPARATOR
from tests.lua.cost_cases.world import Sizes, World, case, people
from tests.support.events import an_event, cleared, shard_of, written
from tests.support.first_layout import write_room
from tests.support.rooms import posted


@case("pending")
async def _pending(world: World) -> Sizes:
    number = world.of(10, 250)
    await world.room(number)
    key = Keys.room(world.app, "r")
    for name in people(number):
        await world.executor.command("HSET", key + ":o", name, 1, key=key)
    await world.run(key, app=world.app, members=[])
    await world.run(key, app=world.app, members=people(number))
    return {"pending": number, "members": number}


@case("ack")
async def _ack(world: World) -> Sizes:
    key, told = Keys.room(world.app, "r"), people(world.of(10, 1000))
    for name in told:
        await world.executor.command("HSET", key + ":o", name, 1, key=key)
    assert await world.run(key, revision=1, members=told) == 0
    return {"members": len(told)}


@case("member_states")
async def _member_states(world: World) -> Sizes:
    names = await world.room(world.of(10, 250))
    await world.messages(3)
    await world.store.messages.delete_message(app=world.app, room="r", message="m00002")
    await world.run(Keys.room(world.app, "r"), users=names)
    return {"members": len(names)}


@case("visit")
async def _visit(world: World) -> Sizes:
    """Of a large room with holes, which admits the user; then of one that is not there."""
    names = await world.room(world.of(130, 250), tags=world.of(1, 4))
    short = world.store_with(attention_posts=1)
    for message in await world.messages(3):
        await world.store.messages.delete_message(app=world.app, room="r", message=message)
    await short.rooms.add_members(app=world.app, room="r", members=["ann"])
    await posted(short, world.app)
    settings = short.badges._settings
    for user in ("ann", names[0], "stranger"):
        await world.run(Keys.room(world.app, "r"), app=world.app, user=user, settings=settings)
    await world.run(Keys.room(world.app, "nowhere"), app=world.app, user="ann", settings=settings)
    return {}


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


@case("enter_pending_room")
async def _enter_pending_room(world: World) -> Sizes:
    await world.run(Keys.pending_rooms(0), room="a:room")
    return {}


@case("pending_rooms")
async def _pending_rooms(world: World) -> Sizes:
    """All were entered by a clock that runs ahead."""
    key, rooms = Keys.pending_rooms(0), people(world.of(1, 1000))
    for room in rooms:
        await world.executor.command("ZADD", key, 2**50, room, key=key)
    await world.run(key, older_than_ms=0)
    await world.executor.command("DEL", key, key=key)
    return {"rooms": len(rooms)}


@case("recent_copies")
async def _recent_copies(world: World) -> Sizes:
    (name,) = await world.room(1, tags=1)
    await world.run(Keys.user(world.app, name), since=0)
    fields = await world.executor.command("HLEN", Keys.user(world.app, name), key=Keys.user(world.app, name))
    return {"fields": fields}


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


@case("migrate_room")
async def _migrate_room(world: World) -> Sizes:
    """Each step of a room with many of everything, and one of a room without anything."""
    most, many_of_each = world.of(3, 500), world.of(10, 1200)
    await write_room(world.executor, world.app, "empty")
    await write_room(
        world.executor,
        world.app,
        "r",
        members=people(many_of_each),
        away=people(many_of_each),
        messages=many_of_each,
    )
    await world.run(Keys.room(world.app, "empty"), most=most)
    while await world.run(Keys.room(world.app, "r"), most=most):
        pass
    return {"most": most}


@case("note_layout")
async def _note_layout(world: World) -> Sizes:
    await world.run(Keys.layout(0), number=2, slots="0-16383")
    return {}


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
    return {"memberships": len(pairs)}


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

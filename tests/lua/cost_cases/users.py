"""Costs of scripts at a user's side."""

from readstate.store.keys import Keys
from readstate.store.states import SEPARATOR
from tests.lua.cost_cases.world import Sizes, World, case, many


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
    sets, shared, derived, visited = world.of(3, 60), world.of(2, 90), world.of(1, 10), world.of(2, 20)
    await world.rooms(sets, shared=shared)
    await world.news(visited, shared=shared)
    await world.rooms(derived, shared=shared, derived=True)
    await world.count(world.store.badges.badge(app=world.app, user="ann", tags=[]))
    await world.count(world.store.badges.badge(app=world.app, user="ann", tags=[*many("all", shared), "nowhere"]))
    tags = shared + 1
    return {"sets": sets + visited, "asked": tags, "tags": tags, "derived": derived, "visited": visited}


@case("badges_by_tags")
async def _badges_by_tags(world: World) -> Sizes:
    """Every tag, then as many unknown ones as a question may hold."""
    sets, tags, derived, asked = world.of(3, 60), world.of(2, 10), world.of(1, 10), world.of(2, 100)
    visited = world.of(2, 30)
    await world.rooms(sets, tags=tags)
    await world.news(visited, tags=tags)
    await world.rooms(derived, tags=tags, derived=True)
    await world.count(world.store.badges.badges_by_tags(app=world.app, user="ann", tags=[]))
    await world.count(world.store.badges.badges_by_tags(app=world.app, user="ann", tags=many("unknown", asked)))
    return {"sets": sets + visited, "tags": tags, "derived": derived, "asked": asked, "visited": visited}


@case("changes")
async def _changes(world: World) -> Sizes:
    """Of all rooms, some of which must be visited first."""
    rooms, derived, visited = world.of(3, 300), world.of(1, 10), world.of(2, 20)
    await world.rooms(rooms)
    await world.news(visited)
    await world.rooms(derived, derived=True)
    await world.count(world.store.changes.changes(app=world.app, user="ann"))
    sets = rooms + derived + visited
    return {"rooms": sets, "sets": sets, "tags": 1, "derived": derived, "visited": visited}


@case("moved_copies")
async def _moved_copies(world: World) -> Sizes:
    """All rooms but one have changed, and some must be visited first."""
    rooms, derived, visited = world.of(3, 300), world.of(1, 10), world.of(2, 20)
    await world.rooms(rooms)
    first = await world.store.changes.changes(app=world.app, user="ann", limit=1)
    await world.news(visited)
    await world.rooms(derived, derived=True)
    since = int(first.version.partition("-")[0])
    await world.count(world.store.changes.moved(app=world.app, user="ann", since=since))
    sets = rooms + derived + visited
    return {"rooms": sets, "sets": sets, "tags": 1, "derived": derived, "visited": visited}


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

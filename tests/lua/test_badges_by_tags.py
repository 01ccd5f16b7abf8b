"""badges_by_tags.lua: unread per tag, and each room once in the total."""

import pytest

from readstate.domain.badges import TagBadges
from readstate.domain.rooms import Status
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def test_a_room_with_two_tags_is_in_both_counts_and_once_in_the_total(store: RedisStore, app: str) -> None:
    """Asked-for tags are all answered, also those on no room."""
    await a_room(store, app, "r1", tags=["a", "b"])
    await a_room(store, app, "r2", tags=["b"])
    await a_room(store, app, "r3")
    for room in ("r1", "r2", "r2", "r3"):
        await posted(store, app, room)
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=["a", "b", "c"]) == TagBadges(
        3, {"a": 1, "b": 3, "c": 0}
    )
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=["a"]) == TagBadges(1, {"a": 1})


async def test_without_tags_every_tag_on_the_users_rooms_is_answered(store: RedisStore, app: str) -> None:
    """Zero included; rooms without tags are in neither."""
    await a_room(store, app, "r1", tags=["a"])
    await a_room(store, app, "r2", tags=["b"])
    await a_room(store, app, "r3")
    for room in ("r1", "r3"):
        await posted(store, app, room)
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=[]) == TagBadges(1, {"a": 1, "b": 0})


async def test_a_user_without_rooms_has_no_tags(store: RedisStore, app: str) -> None:
    """An empty answer, not an error."""
    assert await store.badges.badges_by_tags(app=app, user="nobody", tags=[]) == TagBadges(0, {})


@pytest.mark.parametrize("fanout_limit", [1])
async def test_more_large_rooms_than_one_script_asks_are_all_counted(store: RedisStore, app: str) -> None:
    """A script asks 256 of them; the others are asked by further ones, and nothing is counted twice
    or left out.
    """
    for number in range(259):
        await a_room(store, app, f"r{number}", tags=["a", f"of {number % 2}"])
    await posted(store, app, "r0")
    await posted(store, app, "r258")
    await posted(store, app, "r7")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 3
    assert await store.badges.badge(app=app, user="ann", tags=["a", "of 0"]) == 2
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=[]) == TagBadges(
        3, {"a": 3, "of 0": 2, "of 1": 1}
    )
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=["of 1", "c"]) == TagBadges(
        1, {"of 1": 1, "c": 0}
    )


@pytest.mark.parametrize("fanout_limit", [1])
async def test_of_more_large_rooms_frozen_ones_and_those_of_others_count_nothing(store: RedisStore, app: str) -> None:
    """As among the first 256."""
    for number in range(258):
        await a_room(store, app, f"r{number}", tags=["a"])
        await posted(store, app, f"r{number}")
    await store.rooms.set_status(app=app, room="r0", status=Status.FROZEN)
    await store.rooms.set_status(app=app, room="r257", status=Status.FROZEN)
    await store.rooms.delete_room(app=app, room="r100")
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 255
    assert await store.badges.badges_by_tags(app=app, user="ann", tags=["a"]) == TagBadges(255, {"a": 255})

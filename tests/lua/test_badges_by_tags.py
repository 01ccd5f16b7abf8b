"""badges_by_tags.lua: unread per tag, and each room once in the total."""

from service.domain.types import TagBadges
from service.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def test_a_room_with_two_tags_is_in_both_counts_and_once_in_the_total(store: RedisStore, app: str) -> None:
    """Asked-for tags are all answered, also those on no room."""
    await a_room(store, app, "r1", tags=["a", "b"])
    await a_room(store, app, "r2", tags=["b"])
    await a_room(store, app, "r3")
    for room in ("r1", "r2", "r2", "r3"):
        await posted(store, app, room)
    assert await store.badges_by_tags(app=app, user="ann", tags=["a", "b", "c"]) == TagBadges(3, {"a": 1, "b": 3, "c": 0})
    assert await store.badges_by_tags(app=app, user="ann", tags=["a"]) == TagBadges(1, {"a": 1})


async def test_without_tags_every_tag_on_the_users_rooms_is_answered(store: RedisStore, app: str) -> None:
    """Zero included; rooms without tags are in neither."""
    await a_room(store, app, "r1", tags=["a"])
    await a_room(store, app, "r2", tags=["b"])
    await a_room(store, app, "r3")
    for room in ("r1", "r3"):
        await posted(store, app, room)
    assert await store.badges_by_tags(app=app, user="ann", tags=[]) == TagBadges(1, {"a": 1, "b": 0})


async def test_a_user_without_rooms_has_no_tags(store: RedisStore, app: str) -> None:
    """An empty answer, not an error."""
    assert await store.badges_by_tags(app=app, user="nobody", tags=[]) == TagBadges(0, {})

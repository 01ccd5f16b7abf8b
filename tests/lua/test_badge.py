"""badge.lua: unread over the rooms that carry every asked tag."""

from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted


async def test_every_asked_tag_must_be_on_the_room(store: RedisStore, app: str) -> None:
    """Without tags all rooms count; a tag is compared as a whole, never as a part of another."""
    await a_room(store, app, "r1", tags=["a", "b"])
    await a_room(store, app, "r2", tags=["b", "ab"])
    await a_room(store, app, "r3")
    for room in ("r1", "r2", "r2", "r3", "r3", "r3"):
        await posted(store, app, room)
    asked: list[list[str]] = [[], ["a"], ["b"], ["ab"], ["a", "b"], ["ab", "b"], ["a", "ab"], ["A"], ["a", "b", "c"]]
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in asked] == [6, 1, 3, 2, 1, 2, 0, 0, 0]


async def test_tags_with_the_letters_of_patterns_are_only_tags(store: RedisStore, app: str) -> None:
    """Nothing in a tag is a pattern."""
    await a_room(store, app, tags=["%a+", ".*", "s", "t["])
    await posted(store, app)
    asked = [["%a+", ".*"], ["s", "t["], [".+"], ["%a+", "b"]]
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in asked] == [1, 1, 0, 0]


async def test_a_user_without_rooms_has_no_badge(store: RedisStore, app: str) -> None:
    """Zero, not an error."""
    assert [await store.badges.badge(app=app, user="nobody", tags=tags) for tags in ([], ["a"], ["a", "b"])] == [
        0,
        0,
        0,
    ]


async def test_apps_are_separate_worlds(store: RedisStore, app: str) -> None:
    """The same names in another app are other rooms and users."""
    await a_room(store, app)
    await posted(store, app)
    assert await store.badges.badge(app=f"{app}-2", user="ann", tags=[]) == 0


async def test_the_badges_of_several_are_those_of_each(store: RedisStore, app: str) -> None:
    """In their order, also beside rooms above the fan-out limit, and more than are asked
    at once.
    """
    people = [f"p{number:02}" for number in range(60)]
    await a_room(store, app, "small", members=people[:3])
    await a_room(store, app, "large", members=[*people, *(f"q{number}" for number in range(300))])
    for room, sender in (("small", "p00"), ("small", ""), ("large", "p01")):
        await posted(store, app, room, sender=sender)
    asked = ["p02", "nobody", *people]
    assert await store.badges.badge_each(app=app, users=asked) == [
        await store.badges.badge(app=app, user=user, tags=[]) for user in asked
    ]
    assert (await store.badges.badge_each(app=app, users=asked))[:5] == [3, 0, 2, 2, 3]

"""lib/attention.lua: what happens in a room that is on a member's list, and what takes it off."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from readstate.domain.rooms import Status
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted
from tests.support.sides import asleep, is_sound, side_of, with_news


async def freeze_and_thaw(store: RedisStore, app: str) -> None:
    await store.rooms.set_status(app=app, room="r", status=Status.FROZEN)
    await store.rooms.set_status(app=app, room="r", status=Status.ACTIVE)


async def recall(store: RedisStore, app: str) -> None:
    await store.messages.recall_message(app=app, room="r", message="r-4", body="{}")


# What happens in the room while ann has it on her list; and her badge over tag a, over tag b, and
# over all, when she asks. Of these changes she is told nothing.
UNTOLD: dict[str, tuple[Callable[[RedisStore, str], Awaitable[Any]], tuple[int, int, int]]] = {
    "nothing": (lambda store, app: store.outbox.idle(), (5, 0, 5)),
    "a deleted message": (
        lambda store, app: store.messages.delete_message(app=app, room="r", message="r-0"),
        (4, 0, 4),
    ),
    "a recalled message": (recall, (4, 0, 4)),
    "deleted messages": (
        lambda store, app: store.messages.delete_messages(app=app, room="r", before="r-3"),
        (2, 0, 2),
    ),
    "an emptied room": (lambda store, app: store.messages.delete_messages(app=app, room="r"), (0, 0, 0)),
    "other tags": (lambda store, app: store.rooms.set_tags(app=app, room="r", tags=["b"]), (0, 5, 5)),
    "freezing": (lambda store, app: store.rooms.set_status(app=app, room="r", status=Status.FROZEN), (0, 0, 0)),
    "freezing and thawing": (freeze_and_thaw, (5, 0, 5)),
    "a silent message": (lambda store, app: posted(store, app, countable=False), (5, 0, 5)),
}


@pytest.mark.parametrize("beside", [0, 2])
@pytest.mark.parametrize("what", UNTOLD)
async def test_what_happens_while_the_room_is_on_the_list_is_found_by_asking(
    store: RedisStore, app: str, what: str, beside: int
) -> None:
    """Nothing of the user's side changes before. Rooms beside it on the list count as ever."""
    await asleep(store, app, *(f"other{number}" for number in range(beside)), tags=["b"])
    await asleep(store, app, "r", tags=["a"])
    side = await side_of(store, app)
    happen, expected = UNTOLD[what]
    await happen(store, app)
    assert await side_of(store, app) == side
    found = [await store.badges.badge(app=app, user="ann", tags=tags) for tags in (["a"], ["b"], [])]
    in_a, in_b, in_all = expected
    assert found == [in_a, in_b + 5 * beside, in_all + 5 * beside]
    await is_sound(store, app)


async def leave(store: RedisStore, app: str) -> None:
    await store.rooms.remove_members(app=app, room="r", members=["ann"])


async def leave_and_come_back(store: RedisStore, app: str) -> None:
    await leave(store, app)
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    await posted(store, app)


async def delete_and_make_anew(store: RedisStore, app: str) -> None:
    await store.rooms.delete_room(app=app, room="r")
    await a_room(store, app, tags=["b"])
    await posted(store, app)


async def take_over(store: RedisStore, app: str, *members: str) -> None:
    await store.rooms.create_room(app=app, room="r", tags=["b"], profile={}, members=members)


# The same of what she is told at once.
TOLD: dict[str, tuple[Callable[[RedisStore, str], Awaitable[Any]], tuple[int, int, int]]] = {
    "leaving": (leave, (0, 0, 0)),
    "leaving and coming back": (leave_and_come_back, (1, 0, 1)),
    "deleting the room": (lambda store, app: store.rooms.delete_room(app=app, room="r"), (0, 0, 0)),
    "deleting the room and making it anew": (delete_and_make_anew, (0, 1, 1)),
    "a count set by hand": (
        lambda store, app: store.reading.set_unread(app=app, room="r", user="ann", count=2),
        (2, 0, 2),
    ),
    "marking as unread": (lambda store, app: store.reading.mark_unread(app=app, room="r", user="ann"), (5, 0, 5)),
    "reading": (lambda store, app: store.reading.mark_read(app=app, room="r", user="ann", message="r-4"), (0, 0, 0)),
    "posting": (lambda store, app: posted(store, app, sender="ann"), (0, 0, 0)),
    "a takeover without her": (lambda store, app: take_over(store, app, "bob", "zoe"), (0, 0, 0)),
}


@pytest.mark.parametrize("what", TOLD)
async def test_what_concerns_the_user_takes_the_room_off_the_list(
    store: RedisStore, executor: Executor, app: str, what: str
) -> None:
    """Their side is up to date by that alone."""
    await asleep(store, app, "r", tags=["a"], members=["bob"], posts=0)
    await store.rooms.delete_room(app=app, room="r")
    await store.rooms.create_room(
        app=app, room="r", tags=["a"], profile={}, members=["ann", "bob"], by_client="takeover" in what
    )
    for number in range(5):
        await posted(store, app, message=f"r-{number}", sender="bob")
    assert await with_news(executor, app) == [b"r"]
    happen, expected = TOLD[what]
    await happen(store, app)
    await store.outbox.idle()
    assert await with_news(executor, app) == []
    await is_sound(store, app)
    found = [await store.badges.badge(app=app, user="ann", tags=tags) for tags in (["a"], ["b"], [])]
    assert tuple(found) == expected


async def test_a_takeover_is_found_by_asking(store: RedisStore, app: str) -> None:
    """By a member who stays."""
    await store.rooms.create_room(app=app, room="r", tags=["a"], profile={}, members=["ann", "bob"], by_client=True)
    for _ in range(5):
        await posted(store, app)
    await take_over(store, app, "ann", "zoe")
    found = [await store.badges.badge(app=app, user="ann", tags=tags) for tags in (["a"], ["b"], [])]
    assert found == [0, 5, 5]
    await is_sound(store, app, "ann", "bob", "zoe")

"""set_unread.lua: a count that is brought along from elsewhere; cursor and receipts know nothing of
it.
"""

import pytest

from readstate.domain.receipts import Filter
from readstate.errors import NotMember, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted, unread_of

MANY = 12


async def a_read_room(store: RedisStore, app: str, *, read: int = MANY) -> None:
    """A room with m1 to m12 of bob's, read by ann up to the given one."""
    await a_room(store, app, tags=["a"])
    for number in range(1, MANY + 1):
        await posted(store, app, message=f"m{number}", sender="bob")
    if read:
        await store.reading.mark_read(app=app, room="r", user="ann", message=f"m{read}")


@pytest.mark.parametrize("read", [0, 5, MANY])
@pytest.mark.parametrize("count", [0, 1, 7, MANY, MANY + 1, 2**40])
async def test_unread_is_what_was_asked_or_as_many_as_there_are(
    store: RedisStore, app: str, read: int, count: int
) -> None:
    """Up or down; every badge follows, nobody else's does, and the cursor stays."""
    await a_read_room(store, app, read=read)
    set_to = min(count, MANY)
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=count) == set_to
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread) == (read, set_to)
    assert [await store.badges.badge(app=app, user="ann", tags=tags) for tags in ([], ["a"])] == [set_to, set_to]
    assert await store.badges.badge(app=app, user="bob", tags=[]) == 0
    await store.outbox.idle()
    assert await store.audit.audit_user(app=app, user="ann", repair=False) == []


async def test_receipts_stay_as_they_were(store: RedisStore, app: str) -> None:
    """A count is no reading and takes none back."""
    await a_read_room(store, app, read=5)
    before = [await whole_list(store, app, "r", f"m{number}", which) for number in (1, 5, 6) for which in Filter]
    for count in (MANY, 0):
        await store.reading.set_unread(app=app, room="r", user="ann", count=count)
        assert [
            await whole_list(store, app, "r", f"m{number}", which) for number in (1, 5, 6) for which in Filter
        ] == before


@pytest.mark.parametrize(
    "holes", [(1,), (12,), (3, 4, 5), (2, 4, 6, 8, 10, 12), tuple(range(1, 12)), tuple(range(1, 13))]
)
@pytest.mark.parametrize("count", [0, 1, 3, 6, 12])
async def test_what_was_deleted_is_not_counted(store: RedisStore, app: str, holes: tuple[int, ...], count: int) -> None:
    """The number is exact all the same, wherever the holes are."""
    await a_read_room(store, app)
    for number in holes:
        await store.messages.delete_message(app=app, room="r", message=f"m{number}")
    set_to = min(count, MANY - len(holes))
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=count) == set_to
    assert await unread_of(store, app, "ann") == set_to
    left = [number for number in range(1, MANY + 1) if number not in holes]
    if set_to:
        await store.messages.delete_message(app=app, room="r", message=f"m{left[-set_to]}")
        assert await unread_of(store, app, "ann") == set_to - 1


async def test_holes_that_everybody_had_passed_are_not_counted_either(store: RedisStore, app: str) -> None:
    """They are forgotten when everybody has passed them, and a count that is set later goes back
    beyond them.
    """
    await a_room(store, app, members=["ann"])
    for number in range(10):
        await posted(store, app, message=f"m{number}")
        await store.messages.delete_message(app=app, room="r", message=f"m{number}")
    await posted(store, app, message="x", sender="ann")
    for _ in range(60):
        await posted(store, app, sender="ann")
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=1000) == 61


async def test_holes_after_a_count_that_was_set_never_count_again(store: RedisStore, app: str) -> None:
    """Although every cursor has passed them, cid's as the last, and messages are forgotten beyond
    them.
    """
    await a_room(store, app, members=["ann", "bob", "cid"])
    await a_read_room(store, app)
    for number in (5, 6, 7):
        await store.messages.delete_message(app=app, room="r", message=f"m{number}")
    await store.reading.mark_read(app=app, room="r", user="cid", message="m8")
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=100) == MANY - 3
    for _ in range(256):
        await posted(store, app, sender="bob")
    assert await unread_of(store, app, "ann") == MANY - 3 + 256
    assert await store.badges.badge(app=app, user="ann", tags=[]) == MANY - 3 + 256


async def test_a_count_of_the_last_one_that_was_set_says_nothing_of_the_others(store: RedisStore, app: str) -> None:
    """Ann's cursor is the last one, though nothing is unread for her; bob has not passed the holes,
    and they never count for him.
    """
    await a_room(store, app)
    await posted(store, app, message="m")
    await store.reading.mark_read(app=app, room="r", user="bob", message="m")
    for message in ("n", "o"):
        await posted(store, app, message=message)
        await store.messages.delete_message(app=app, room="r", message=message)
    await store.reading.set_unread(app=app, room="r", user="ann", count=0)
    for _ in range(256):
        await posted(store, app)
    assert await unread_of(store, app, "bob") == 256
    assert await store.badges.badge(app=app, user="bob", tags=[]) == 256


async def test_what_was_emptied_is_not_counted(store: RedisStore, app: str) -> None:
    """Nor what a room held before it was created anew."""
    await a_read_room(store, app)
    await store.messages.delete_messages(app=app, room="r")
    await posted(store, app, message="n")
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=5) == 1
    await store.rooms.delete_room(app=app, room="r")
    await a_room(store, app)
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=5) == 0


async def test_new_messages_count_from_there(store: RedisStore, app: str) -> None:
    """One more each; deleting one that was counted takes one away."""
    await a_read_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="ann", count=3)
    await posted(store, app, sender="bob")
    assert await unread_of(store, app, "ann") == 4
    await store.messages.delete_message(app=app, room="r", message="m10")
    await store.messages.delete_message(app=app, room="r", message="m9")
    assert await unread_of(store, app, "ann") == 3
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 3


@pytest.mark.parametrize(("message", "left"), [("m7", 5), ("m9", 3), ("m12", 0)])
async def test_reading_again_up_to_the_cursor_or_before_clears_what_was_added(
    store: RedisStore, app: str, message: str, left: int
) -> None:
    """No message up to the one that was read is counted; and that is a change, though the cursor
    stands where it stood.
    """
    await a_read_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="ann", count=8)
    reading = await store.reading.mark_read(app=app, room="r", user="ann", message=message)
    assert (reading.message, reading.moved, reading.unread, reading.badge) == ("m12", True, left, left)
    assert not (await store.reading.mark_read(app=app, room="r", user="ann", message=message)).moved


async def test_reading_to_the_end_always_leaves_nothing(store: RedisStore, app: str) -> None:
    """Also when the cursor stood there already."""
    await a_read_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="ann", count=8)
    reading = await store.reading.mark_read_until(app=app, room="r", user="ann", until_ms=0)
    assert reading is not None
    assert (reading.moved, reading.unread) == (True, 0)


async def test_reading_never_raises_a_count_that_was_set_lower(store: RedisStore, app: str) -> None:
    """The messages in between are read as far as receipts go."""
    await a_read_room(store, app, read=3)
    await store.reading.set_unread(app=app, room="r", user="ann", count=2)
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m6")).unread == 2
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m11")).unread == 1


async def test_posting_leaves_nothing_unread(store: RedisStore, app: str) -> None:
    """As always."""
    await a_read_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="ann", count=8)
    await posted(store, app, sender="ann")
    assert await unread_of(store, app, "ann") == 0


async def test_a_count_goes_with_its_membership(store: RedisStore, app: str) -> None:
    """Who comes back has nothing unread."""
    await a_read_room(store, app)
    await store.reading.set_unread(app=app, room="r", user="ann", count=8)
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    assert await unread_of(store, app, "ann") == 0


@pytest.mark.parametrize("fanout_limit", [1])
async def test_above_the_fan_out_limit_it_is_the_same(store: RedisStore, app: str) -> None:
    """The count is the room's, and the badge asks for it."""
    await a_read_room(store, app)
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=8) == 8
    assert await store.badges.badge(app=app, user="ann", tags=["a"]) == 8


async def test_the_count_that_it_has_changes_nothing(store: RedisStore, app: str) -> None:
    """Not a byte."""
    await a_read_room(store, app, read=5)
    before = await contents(store, app)
    assert await store.reading.set_unread(app=app, room="r", user="ann", count=7) == 7
    assert await contents(store, app) == before


async def test_refusals_come_in_order_room_member(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, store.reading.set_unread(app=app, room="r", user="zoe", count=1))
    await a_room(store, app)
    await refused(store, app, NotMember, store.reading.set_unread(app=app, room="r", user="zoe", count=1))

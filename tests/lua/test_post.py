"""post.lua: one more unread for everybody but the poster."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from readstate.errors import NotMember, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted, unread_of


async def test_a_message_is_unread_for_all_but_its_poster(store: RedisStore, app: str) -> None:
    """The poster's own cursor moves to it, and that is a real read."""
    await a_room(store, app, tags=["a"])
    post = await posted(store, app, message="m", sender="ann")
    assert (post.message, post.seq, post.ordinal, post.created) == ("m", 1, 1, True)
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (1, 0, "m")
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob")] == [0, 1]


async def test_posting_reads_everything_before_it(store: RedisStore, app: str) -> None:
    """Who answers has seen what they answer to."""
    await a_room(store, app)
    await posted(store, app)
    await posted(store, app, sender="ann")
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [0, 2]


async def test_a_message_that_does_not_count_takes_a_position_and_no_ordinal(store: RedisStore, app: str) -> None:
    """Reactions and the like are unread for nobody."""
    await a_room(store, app)
    post = await posted(store, app, countable=False)
    assert (post.seq, post.ordinal) == (1, 0)
    assert await unread_of(store, app, "ann") == 0


async def test_a_known_id_changes_nothing_and_is_answered_with_its_place(store: RedisStore, app: str) -> None:
    """Also after it was deleted, and whatever else the repetition says."""
    await a_room(store, app)
    first = await posted(store, app, message="m", sender="ann")
    await posted(store, app)
    await store.messages.delete_message(app=app, room="r", message="m")
    before = await contents(store, app)
    again = await posted(store, app, message="m", sender="bob", countable=False)
    assert again == replace(first, created=False, moved=0)
    assert await contents(store, app) == before


async def test_ids_of_ours_rise_as_strings_within_a_room(store: RedisStore, app: str) -> None:
    """24 lower-case hex."""
    await a_room(store, app)
    made = [(await posted(store, app)).message for _ in range(20)]
    assert made == sorted(set(made))
    assert all(re.fullmatch("[0-9a-f]{24}", message) for message in made)


async def test_ids_that_look_like_numbers_stay_strings(store: RedisStore, app: str) -> None:
    """Two 19-digit ids that are equal as doubles are two messages."""
    await a_room(store, app, members=["1e15", "0x10"])
    for message in ("1234567890123456789", "1234567890123456790", "1e15", "1000000000000000", " 12 ", "nan"):
        assert (await posted(store, app, message=message, sender="1e15")).created
    assert [await unread_of(store, app, user) for user in ("1e15", "0x10")] == [0, 6]


async def test_a_sender_who_is_not_a_member_has_no_cursor(store: RedisStore, app: str) -> None:
    """A message by the system or an outsider counts for every member."""
    await a_room(store, app)
    await posted(store, app, sender="zoe")
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [1, 1]
    assert await store.rooms.rooms_of(app=app, user="zoe") == []


async def test_a_stranger_is_refused_where_senders_must_be_members(store: RedisStore, app: str) -> None:
    """Even if the id is known already."""
    await a_room(store, app)
    await posted(store, app, message="m")
    for message in ("m", "new", ""):
        call = store.messages.post(
            app=app, room="r", sender="zoe", message=message, countable=True, body="{}", sender_must_be_member=True
        )
        await refused(store, app, NotMember, call)


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, posted(store, app, room="nowhere"))


@pytest.mark.parametrize(("countable", "unread"), [(True, [2, 2]), (False, [1, 1])])
async def test_a_post_may_leave_its_senders_cursor_alone(
    store: RedisStore, app: str, countable: bool, unread: list[int]
) -> None:
    """It is then unread for its sender as for the others, if it counts; on both sides of
    the room.
    """
    await a_room(store, app, tags=["a"])
    await posted(store, app)
    post = await posted(store, app, message="m", sender="ann", countable=countable, move_cursor=False)
    assert post.created
    me = (await store.rooms.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.last_read) == (0, None)
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == unread
    assert [await store.badges.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob")] == unread
    assert (await store.reading.mark_read(app=app, room="r", user="ann", message="m")).unread == 0
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def test_a_message_that_is_not_to_be_the_last_one_is_passed_over(store: RedisStore, app: str) -> None:
    """However many stand in a row, and whatever is deleted among and beside them."""
    await a_room(store, app)

    async def last() -> str | None:
        there = (await store.rooms.room(app=app, room="r", user="")).last
        (summary,) = await store.rooms.room_summary_each(app=app, rooms=["r"], user="ann", tags=False, fields=[])
        assert summary is not None
        assert summary.last_ms == (there.at_ms if there else 0)
        return there.message if there else None

    await posted(store, app, message="q0", as_last=False)
    assert await last() is None
    for message, hidden in (("m1", False), ("m2", False), ("q3", True), ("q4", True), ("q5", True), ("q6", True)):
        await posted(store, app, message=message, as_last=not hidden)
    assert await last() == "m2"
    for message in ("q4", "q5", "q6", "m2", "q3"):  # ends and middles of the row
        await store.messages.delete_message(app=app, room="r", message=message)
    assert await last() == "m1"
    await store.messages.delete_message(app=app, room="r", message="m1")
    assert await last() is None
    await posted(store, app, message="m7")
    for message in ("q8", "m9", "q10"):
        await posted(store, app, message=message, as_last=message == "m9")
    for message in ("m9", "q10"):  # what joins two rows, then an end
        await store.messages.delete_message(app=app, room="r", message=message)
    assert await last() == "m7"


@pytest.mark.parametrize(
    ("arguments", "unread"),
    [({"by_time": True}, 0), ({"by_time": False}, 1)],
    ids=["by the times of two", "by its place"],
)
async def test_the_time_it_was_sent_is_its_time(
    store: RedisStore, app: str, arguments: dict[str, Any], unread: int
) -> None:
    """Whether it was read before it came is asked of one-to-one conversations only that go
    by time.
    """
    await a_room(store, app)
    await posted(store, app)
    await store.reading.mark_read_until(app=app, room="r", user="bob", until_ms=0)
    post = await posted(store, app, message="m", sender="ann", sent_ms=1_000_000, **arguments)
    assert post.at_ms == 1_000_000
    room = await store.rooms.room(app=app, room="r", user="")
    assert room.last is not None
    assert (room.last.message, room.last.at_ms) == ("m", 1_000_000)
    assert (await store.messages.message(app=app, room="r", message="m")).at_ms == 1_000_000
    assert await unread_of(store, app, "bob") == unread
